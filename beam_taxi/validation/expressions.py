"""The grammar of rules, as typed syntax trees. Nothing in a rule is ever executed as code.

    rule       = or
    or         = and { "or" and }
    and        = not { "and" not }
    not        = "not" not | predicate
    predicate  = sum [ ("=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=") sum
                     | ["not"] "between" sum "and" sum | ["not"] "in" "(" literal { "," literal } ")"
                     | "is" ["not"] "null" ]
    sum        = product { ("+" | "-") product }
    product    = minus { ("*" | "/" | "%") minus }
    minus      = "-" minus | value
    value      = number | 'text' | "text" | "true" | "false" | name | `any name`
               | function "(" or { "," or } ")" | "(" or ")"

A quote is doubled inside its own quotes. Keywords and functions are case-insensitive, names of columns are not.

A rule on statistics has references in place of names: `[now.|baseline.]COLUMN.STATISTIC` and `[now.|baseline.]rows`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
NOW, BASELINE = "now", "baseline"
ROWS = "rows"


@dataclass(frozen=True)
class Literal:
    """A number, a text, true, false, or null (None)."""

    at: int
    value: bool | int | float | str | None


@dataclass(frozen=True)
class Name:
    """A column of the row."""

    at: int
    name: str


@dataclass(frozen=True)
class Reference:
    """A statistic of a column, `now` or in the `baseline`, or the number of `rows`, which has no column.

    `value` is the argument of `share`.
    """

    at: int
    run: str
    column: str
    statistic: str
    value: str | None = None

    def __str__(self) -> str:
        column = self.column if self.column.isidentifier() else "`" + self.column.replace("`", "``") + "`"
        argument = "" if self.value is None else "('" + self.value.replace("'", "''") + "')"
        parts = ([self.run] if self.run == BASELINE else []) + ([column] if self.column else [])
        return ".".join([*parts, self.statistic + argument])


@dataclass(frozen=True)
class Minus:
    """The negative of a number."""

    at: int
    operand: Expression


@dataclass(frozen=True)
class Arithmetic:
    """`operator` is one of + - * / %."""

    at: int
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Comparison:
    """`operator` is one of `COMPARISONS`."""

    at: int
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class In:
    """Whether a value is one of the options."""

    at: int
    operand: Expression
    options: tuple[Literal, ...]


@dataclass(frozen=True)
class IsNull:
    """Whether a value is missing."""

    at: int
    operand: Expression


@dataclass(frozen=True)
class Not:
    """The negation of a condition."""

    at: int
    operand: Expression


@dataclass(frozen=True)
class Logic:
    """`operator` is `and` or `or`; there are two or more operands."""

    at: int
    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Call:
    """A call of one of the functions."""

    at: int
    function: str
    arguments: tuple[Expression, ...]


Expression = Literal | Name | Reference | Minus | Arithmetic | Comparison | In | IsNull | Not | Logic | Call


def children(expression: Expression) -> tuple[Expression, ...]:
    """Return the operands of an expression."""
    if isinstance(expression, Arithmetic | Comparison):
        return expression.left, expression.right
    if isinstance(expression, Minus | Not | IsNull | In):
        return (expression.operand,)
    if isinstance(expression, Logic):
        return expression.operands
    return expression.arguments if isinstance(expression, Call) else ()


def walk(expression: Expression) -> Iterator[tuple[Expression, int]]:
    """Yield an expression and all expressions in it, from left to right, each with its depth from 1."""
    waiting = [(expression, 1)]
    while waiting:
        found, depth = waiting.pop()
        yield found, depth
        waiting += [(one, depth + 1) for one in reversed(children(found))]


def columns_of(expression: Expression) -> list[str]:
    """Return the columns that a rule names, in the order of their first use."""
    names = [
        one.name if isinstance(one, Name) else one.column
        for one, _ in walk(expression)
        if isinstance(one, Name | Reference)
    ]
    return [name for name in dict.fromkeys(names) if name]


def references_of(expression: Expression) -> list[Reference]:
    """Return the statistics that a rule names, each once, in the order of their first use."""
    by_text = {str(one): one for one, _ in walk(expression) if isinstance(one, Reference)}
    return list(by_text.values())
