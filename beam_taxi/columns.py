"""Which columns of a table become features, under which names, and of which types."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

from beam_taxi.errors import UsageError
from beam_taxi.flags import NAMES, Group, Value, flag, format_names, parse_names

TYPES = ("INT", "FLOAT", "STRING")


def _parse_pairs(text: str) -> dict[str, str]:
    pairs = [name.rpartition(":") for name in parse_names(text)]
    if not all(first and second for first, _, second in pairs):
        raise ValueError("must be NAME:VALUE,NAME:VALUE")
    found = {first: second for first, _, second in pairs}
    if len(found) < len(pairs):
        raise ValueError("names a column twice")
    return found


def _format_pairs(pairs: Mapping[str, str]) -> str:
    return format_names([f"{first}:{second}" for first, second in pairs.items()])


PAIRS = Value(_parse_pairs, _format_pairs)


@dataclass(frozen=True)
class ColumnSettings:
    """Which columns become features. `keep` and `drop` are patterns of names in the table, with `*`, `?` and `[…]`.

    `names` has new names by old ones, which all other options and the schema use. `types` has INT, FLOAT or STRING by
    new name. No value of a column in `redacted` is shown.
    """

    keep: tuple[str, ...] = field(
        default=(),
        metadata=flag("only these columns: a,b,pick*", Group.DATA, NAMES, name="columns", metavar="COLUMNS"),
    )
    drop: tuple[str, ...] = field(
        default=(),
        metadata=flag("all columns but these: a,b,pick*", Group.DATA, NAMES, name="drop_columns", metavar="COLUMNS"),
    )
    names: Mapping[str, str] = field(
        default_factory=dict,
        metadata=flag("new column names: old:new,…", Group.DATA, PAIRS, name="rename", metavar="NAMES"),
    )
    types: Mapping[str, str] = field(
        default_factory=dict,
        metadata=flag(
            f"column types ({', '.join(TYPES)}), which override those of --schema: fare:FLOAT,zip:STRING",
            Group.DATA,
            PAIRS,
            metavar="TYPES",
        ),
    )
    redacted: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "columns whose values are never shown: a,b,…", Group.DATA, NAMES, name="redact_columns", metavar="COLUMNS"
        ),
    )

    def faults(self) -> Iterator[str]:
        """Yield what is wrong, by option."""
        unknown = sorted({one for one in self.types.values() if one not in TYPES})
        if unknown:
            yield f"--types: {unknown[0]!r} must be one of {', '.join(TYPES)}"
        if len(set(self.names.values())) < len(self.names):
            yield f"--rename {_format_pairs(self.names)}: new names must be unique"

    def wants(self, name: str) -> bool:
        """Return whether a column in the table is chosen."""
        return (not self.keep or _matcher(self.keep)(name)) and not _matcher(self.drop)(name)

    def select(self, uri: str, columns: Sequence[str]) -> dict[str, str]:
        """Return the names in the table of the wanted columns, by their new names, in the order of the table.

        Raises UsageError if an option names a column that `uri` does not have.

            ColumnSettings(drop=("b*",), names={"a": "x"}).select("f.csv", ["a", "b", "c"])  # {"x": "a", "c": "c"}
        """
        kept, dropped = _matcher(self.keep), _matcher(self.drop)
        wanted = [name for name in dict.fromkeys(columns) if not self.keep or kept(name)]
        left = [name for name in wanted if not dropped(name)]
        found = {self.names.get(name, name): name for name in left}
        given = {"--columns": self.keep, "--drop_columns": self.drop, "--rename": tuple(self.names)}
        for option, patterns in given.items():
            known = set(columns if option != "--rename" else found.values())
            for pattern in patterns:
                if pattern in known or (option != "--rename" and any(fnmatchcase(name, pattern) for name in columns)):
                    continue
                raise UsageError(f"{option}: no column {pattern!r} in {uri}{suggestion(pattern, columns)}")
        if len(found) < len(left):
            twice = next(new for old, new in self.names.items() if new in wanted and new != old)
            raise UsageError(f"--rename: {uri} has a column {twice!r} already")
        if not found:
            raise UsageError(f"--columns, --drop_columns: no column of {uri} is left")
        return found


@lru_cache
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what tells whether a name matches one of the patterns, in little time if most of them are names."""
    # A name that has brackets is also meant literally.
    names, globs = frozenset(patterns), [one for one in patterns if any(sign in one for sign in "*?[")]
    return lambda name: name in names or any(fnmatchcase(name, pattern) for pattern in globs)


def suggestion(name: str, columns: Iterable[str]) -> str:
    """Return the end of a message about a name that is not among the columns: the most similar one, if any."""
    close = difflib.get_close_matches(name, list(columns), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
