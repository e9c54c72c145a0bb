"""The functions of rules and the statistics that rules can name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from beam_taxi.sources.kinds import Kind


class Type(Enum):
    """The type of an expression; `ANY` is that of a column whose kind is unknown or that has no values."""

    NUMBER = "a number"
    TEXT = "text"
    CONDITION = "a condition"
    ANY = "anything"


@dataclass(frozen=True)
class Function:
    """The types of the arguments and of the result.

    `constant` means that the last argument must be a literal; `optional`, that it may be left out.
    """

    arguments: tuple[Type, ...]
    result: Type
    constant: bool = False
    optional: bool = False


_OF_NUMBER = Function((Type.NUMBER,), Type.NUMBER)
_OF_TEXT = Function((Type.TEXT,), Type.TEXT)
_SEARCH = Function((Type.TEXT, Type.TEXT), Type.CONDITION, constant=True)

NUMERIC_FUNCTIONS: Mapping[str, Function] = {
    "abs": _OF_NUMBER,
    "ceil": _OF_NUMBER,
    "floor": _OF_NUMBER,
    "round": Function((Type.NUMBER, Type.NUMBER), Type.NUMBER, constant=True, optional=True),
}
"""The functions of rules on statistics.

`round(x)` and `round(x, decimals)` round halves away from zero.
"""

FUNCTIONS: Mapping[str, Function] = {
    **NUMERIC_FUNCTIONS,
    "contains": _SEARCH,
    "ends_with": _SEARCH,
    "length": Function((Type.TEXT,), Type.NUMBER),
    "lower": _OF_TEXT,
    "matches": _SEARCH,
    "starts_with": _SEARCH,
    "trim": _OF_TEXT,
    "upper": _OF_TEXT,
}
"""The functions of rules on rows.

`length` counts characters, `trim` removes white space at both ends, and `matches` is true if the whole text matches a
regular expression of RE2 (https://github.com/google/re2/wiki/Syntax).
"""

MAX_DECIMALS = 15
"""Maximum second argument of `round`."""

_NUMERIC = frozenset({Kind.INT, Kind.FLOAT})
_TEXTUAL = frozenset({Kind.STRING})

STATISTICS: Mapping[str, frozenset[Kind]] = {
    "avg_length": _TEXTUAL,
    "max": _NUMERIC,
    "mean": _NUMERIC,
    "median": _NUMERIC,
    "min": _NUMERIC,
    "missing": _NUMERIC | _TEXTUAL,
    "present": _NUMERIC | _TEXTUAL,
    "share": _TEXTUAL,
    "std": _NUMERIC,
    "unique": _TEXTUAL,
    "zeros": _NUMERIC,
}
"""The statistics of a column, and the kinds of columns that have them.

`missing` is the share of the rows without a value, `present` the number of rows with one, `zeros` the share of the
values that are 0, `share('x')` the share of the values that are x. `unique` and `median` are estimates by TFDV.
"""
