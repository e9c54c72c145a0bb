"""Check the columns and the types of a rule before any data is read."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.errors import one_line
from beam_taxi.sources.kinds import Kind
from beam_taxi.validation.expressions import (
    BASELINE,
    Arithmetic,
    Call,
    Comparison,
    Expression,
    In,
    IsNull,
    Literal,
    Logic,
    Minus,
    Name,
    Not,
    Reference,
    references_of,
)
from beam_taxi.validation.functions import FUNCTIONS, MAX_DECIMALS, STATISTICS, Function, Type
from beam_taxi.validation.tokens import RuleError, suggest

Kinds = Mapping[str, Kind | None]
"""The kinds of the columns; None if a kind is not known before the data is read."""

_TYPES = {Kind.INT: Type.NUMBER, Kind.FLOAT: Type.NUMBER, Kind.STRING: Type.TEXT, Kind.MISSING: Type.ANY}


def check_row_rule(expression: Expression, kinds: Kinds) -> list[str]:
    """Return the faults of a rule on rows, each with its position in the rule; none if it can be evaluated.

    check_row_rule(parse_row_rule("fair > 0"), {"fare": Kind.FLOAT}) == [
        "character 1: no column 'fair'; did you mean 'fare'?"
    ]
    """
    checker = _Checker(kinds)
    checker.expect(expression, Type.CONDITION, "the rule")
    return checker.faults


def check_statistics_rule(expression: Expression, kinds: Kinds, baseline_expected: bool) -> list[str]:
    """Return the faults of a rule on statistics, each with its position in the rule."""
    checker = _Checker(kinds)
    checker.expect(expression, Type.CONDITION, "the rule")
    for reference in references_of(expression):
        if reference.run == BASELINE and not baseline_expected:
            checker.fault(reference.at, f"{reference} needs --baseline")
    if not references_of(expression):
        checker.fault(1, "the rule must name a statistic, such as fare.mean or rows")
    return checker.faults


class _Checker:
    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self.faults: list[str] = []

    def fault(self, at: int, reason: str) -> Type:
        """Add a fault, once, and return the type that causes no further faults."""
        text = str(RuleError(at, reason))
        if text not in self.faults:
            self.faults.append(text)
        return Type.ANY

    def expect(self, expression: Expression, wanted: Type, what: str) -> None:
        """Add a fault if an expression does not have the type that `what` needs."""
        found = self._type_of(expression)
        if wanted is Type.CONDITION and isinstance(expression, Name):
            self.fault(
                expression.at, f"{what} needs a condition, not a column; write for example {expression.name} = 1"
            )
        elif found not in (wanted, Type.ANY):
            self.fault(expression.at, f"{what} needs {wanted.value}, but {_describe(expression)} is {found.value}")

    def _type_of(self, expression: Expression) -> Type:
        if isinstance(expression, Literal):
            return self._literal(expression)
        if isinstance(expression, Name):
            return self._column(expression.at, expression.name)
        if isinstance(expression, Reference):
            return self._statistic(expression)
        if isinstance(expression, Call):
            return self._call(expression)
        if isinstance(expression, Minus | Arithmetic):
            operands = [expression.operand] if isinstance(expression, Minus) else [expression.left, expression.right]
            operator = "-" if isinstance(expression, Minus) else expression.operator
            for operand in operands:
                self.expect(operand, Type.NUMBER, f"`{operator}`")
            return Type.NUMBER
        self._condition(expression)
        return Type.CONDITION

    def _condition(self, expression: Comparison | In | IsNull | Not | Logic) -> None:
        if isinstance(expression, Comparison):
            self._comparison(expression)
        elif isinstance(expression, In):
            self._in(expression)
        elif isinstance(expression, IsNull):
            self._type_of(expression.operand)
        else:
            operator = "not" if isinstance(expression, Not) else expression.operator
            for operand in (expression.operand,) if isinstance(expression, Not) else expression.operands:
                self.expect(operand, Type.CONDITION, f"`{operator}`")

    def _literal(self, literal: Literal) -> Type:
        value = literal.value
        if value is None:
            return self.fault(literal.at, "null is not a value; write `is null` or `is not null`")
        if isinstance(value, bool):
            return Type.CONDITION
        if isinstance(value, int) and value >= 2**63:
            return self.fault(literal.at, f"{value} exceeds 64 bits")
        return Type.TEXT if isinstance(value, str) else Type.NUMBER

    def _column(self, at: int, name: str) -> Type:
        if name not in self._kinds:
            return self.fault(at, f"no column {name!r}{suggest(name, self._kinds)}")
        kind = self._kinds[name]
        return Type.ANY if kind is None else _TYPES[kind]

    def _statistic(self, reference: Reference) -> Type:
        if not reference.column:
            return Type.NUMBER
        self._column(reference.at, reference.column)
        kind = self._kinds.get(reference.column)
        kinds = STATISTICS[reference.statistic]
        if kind not in (None, Kind.MISSING, *kinds):
            of = " and ".join(one.name for one in sorted(kinds))
            assert kind is not None
            reason = f"`{reference.statistic}` is a statistic of {of} columns; {reference.column} is {kind.name}"
            self.fault(reference.at, reason)
        return Type.NUMBER

    def _comparison(self, expression: Comparison) -> None:
        left, right = self._type_of(expression.left), self._type_of(expression.right)
        if Type.CONDITION in (left, right):
            if any(isinstance(one, Name) for one in (expression.left, expression.right)):
                self.fault(expression.at, "a column is never true or false; booleans are stored as 1 and 0")
            elif left is not right or expression.operator not in ("=", "!="):
                self.fault(expression.at, f"`{expression.operator}` cannot compare {left.value} with {right.value}")
        elif Type.ANY not in (left, right) and left is not right:
            one, other = _describe(expression.left), _describe(expression.right)
            self.fault(expression.at, f"{one} is {left.value} and {other} is {right.value}; they cannot be compared")

    def _in(self, expression: In) -> None:
        types = {self._type_of(option) for option in expression.options}
        if types not in ({Type.NUMBER}, {Type.TEXT}):
            if Type.ANY not in types:
                self.fault(expression.at, "the values in the list of `in` must be all numbers or all text")
            return
        self.expect(expression.operand, types.pop(), "`in` with this list")

    def _call(self, call: Call) -> Type:
        function = FUNCTIONS[call.function]
        least = len(function.arguments) - function.optional
        if not least <= len(call.arguments) <= len(function.arguments):
            number = f"{least} or {len(function.arguments)}" if function.optional else str(least)
            arguments = "argument" if number == "1" else "arguments"
            return self.fault(call.at, f"`{call.function}` takes {number} {arguments}, not {len(call.arguments)}")
        for argument, wanted in zip(call.arguments, function.arguments, strict=False):
            self.expect(argument, wanted, f"`{call.function}`")
        if function.constant and len(call.arguments) == len(function.arguments):
            self._constant(call, function)
        return function.result

    def _constant(self, call: Call, function: Function) -> None:
        last = call.arguments[-1]
        if not isinstance(last, Literal):
            needed = "text in quotes" if function.arguments[-1] is Type.TEXT else "a number"
            self.fault(last.at, f"the last argument of `{call.function}` must be {needed}")
        elif call.function == "round" and not (type(last.value) is int and 0 <= last.value <= MAX_DECIMALS):
            self.fault(last.at, f"the decimals of `round` must be a whole number from 0 to {MAX_DECIMALS}")
        elif call.function == "matches" and isinstance(last.value, str):
            try:
                pc.match_substring_regex(pa.array([""]), last.value)
            except pa.ArrowInvalid as error:
                self.fault(last.at, one_line(error))


def _describe(expression: Expression) -> str:
    """Return a short name of an operand for a message."""
    if isinstance(expression, Name):
        return repr(expression.name)
    if isinstance(expression, Literal):
        return str(expression.value).lower() if isinstance(expression.value, bool) else repr(expression.value)
    if isinstance(expression, Reference):
        return str(expression)
    return f"{expression.function}(…)" if isinstance(expression, Call) else "this expression"
