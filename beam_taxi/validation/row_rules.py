"""Evaluate rules on batches of rows with Arrow's vectorised functions.

Missing values are as in SQL: a comparison or computation with a missing value has no value, and `and` and `or` are
Kleene's. A row violates a rule only if the rule is false: a missing value is no violation, and `is not null` demands a
value.

Numbers: a FLOAT column holds float32, and a literal that it is compared with is rounded to float32, so `fare >= 0.1`
holds for a cell of 0.1. Arithmetic on whole numbers is exact; a row in which it overflows 64 bits violates the rule.
`/` and all other arithmetic are in float64. Whatever the types, a division by zero has no value, and the sign of `%` is
that of the dividend. Comparisons with NaN are false, except for `!=`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.validation.expressions import (
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
)

Datum = Any
"""An Arrow array, or a scalar that stands for all rows."""

_MISSING = pa.scalar(None)
_UNKNOWN = pa.scalar(None, pa.bool_())
_FLOAT64 = pa.float64()
_EXACT_FLOAT64 = float(1 << 53)
"""All float64 values from this one up are whole numbers."""

_COMPARISONS = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_EXACT = {
    "+": (pc.add_checked, operator.add),
    "-": (pc.subtract_checked, operator.sub),
    "*": (pc.multiply_checked, operator.mul),
}
_FLOATING = {"+": pc.add, "-": pc.subtract, "*": pc.multiply}


def evaluate(expression: Expression, batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return whether each row satisfies a rule; null if a value is missing for it.

    Args:
        expression: A rule without faults; see `rule_types`.
        batch: The columns that it names as int64, float32, float64, string or binary; invalid UTF-8 is
            read as U+FFFD.
    """
    evaluation = _Evaluation(batch)
    found = evaluation.condition(expression)
    if isinstance(found, pa.Scalar):
        found = pa.array([found.as_py()], pa.bool_()).take(pa.array(np.zeros(len(batch), np.int64)))
    overflowed = evaluation.overflowed
    return found if overflowed is None else pc.if_else(pa.array(overflowed), False, found)


def violations(expression: Expression, batch: pa.RecordBatch) -> npt.NDArray[np.bool_] | None:
    """Return whether each row violates a rule, or None if none does."""
    satisfied = evaluate(expression, batch)
    if pc.all(satisfied, min_count=0).as_py():
        return None
    violated: npt.NDArray[np.bool_] = pc.invert(satisfied).fill_null(False).to_numpy(zero_copy_only=False)
    return violated


def column_of(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return a column by its name. Raises KeyError if there is no such column."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        # In Arrow, column -1 is the last one.
        raise KeyError(name)
    return batch.column(index)


def as_text(column: pa.Array) -> pa.StringArray:
    """Return a column of text or bytes as text; invalid UTF-8 is read as U+FFFD."""
    if not pa.types.is_binary(column.type):
        return column
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        decoded = [None if value is None else value.decode(errors="replace") for value in column.to_pylist()]
        return pa.array(decoded, pa.string())


class _Evaluation:
    """Evaluates expressions on one batch, and notes the rows in which whole numbers overflow."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        # By identity: `between` has its first operand twice.
        self._computed: dict[int, Datum] = {}
        self.overflowed: npt.NDArray[np.bool_] | None = None

    def condition(self, expression: Expression) -> Datum:
        found = self._value(expression)
        return _UNKNOWN if _is_missing(found) else found

    def _value(self, expression: Expression) -> Datum:
        if isinstance(expression, Literal):
            return pa.scalar(expression.value)
        if isinstance(expression, Name | Reference):
            column = self._column(expression)
            return _MISSING if column.null_count == len(column) else as_text(column)
        if isinstance(expression, Comparison):
            return _compare(expression.operator, self._value(expression.left), self._value(expression.right))
        if isinstance(expression, Arithmetic | Minus | Call):
            if id(expression) not in self._computed:
                self._computed[id(expression)] = self._number_or_text(expression)
            return self._computed[id(expression)]
        return self._logic(expression)

    def _number_or_text(self, expression: Arithmetic | Minus | Call) -> Datum:
        if isinstance(expression, Arithmetic):
            return self._compute(expression.operator, self._value(expression.left), self._value(expression.right))
        if isinstance(expression, Minus):
            return self._negative(self._value(expression.operand))
        return self._call(expression)

    def _column(self, expression: Name | Reference) -> pa.Array:
        name = expression.name if isinstance(expression, Name) else str(expression)
        return column_of(self._batch, name)

    def _logic(self, expression: In | IsNull | Not | Logic) -> Datum:
        if isinstance(expression, Logic):
            combine = pc.and_kleene if expression.operator == "and" else pc.or_kleene
            found = self.condition(expression.operands[0])
            for operand in expression.operands[1:]:
                found = combine(found, self.condition(operand))
            return found
        if isinstance(expression, Not):
            return pc.invert(self.condition(expression.operand))
        if isinstance(expression, In):
            return _is_in(self._value(expression.operand), expression)
        operand = expression.operand
        return pc.is_null(self._column(operand) if isinstance(operand, Name) else self._value(operand))

    def _compute(self, symbol: str, left: Datum, right: Datum) -> Datum:
        if _is_missing(left) or _is_missing(right):
            return _MISSING
        if symbol == "%":
            return _remainder(left, right)
        if symbol != "/" and left.type == right.type == pa.int64():
            return self._compute_exactly(symbol, left, right)
        left, right = _as_float64(left), _as_float64(right)
        if symbol == "/":
            return pc.divide(left, pc.if_else(pc.equal(right, 0.0), pa.scalar(None, _FLOAT64), right))
        return _FLOATING[symbol](left, right)

    def _compute_exactly(self, symbol: str, left: Datum, right: Datum) -> Datum:
        checked, exact = _EXACT[symbol]
        try:
            return checked(left, right)
        except pa.ArrowInvalid:
            # At least one row overflows; Python's integers do not.
            pass
        rows = len(self._batch)
        pairs = zip(_values(left, rows), _values(right, rows), strict=True)
        results = [None if one is None or other is None else exact(one, other) for one, other in pairs]
        overflowed = np.array([one is not None and not -(2**63) <= one < 2**63 for one in results], np.bool_)
        self.overflowed = overflowed if self.overflowed is None else self.overflowed | overflowed
        return pa.array([None if bad else one for one, bad in zip(results, overflowed, strict=True)], pa.int64())

    def _negative(self, value: Datum) -> Datum:
        if not _is_missing(value) and value.type == pa.int64():
            return self._compute_exactly("-", pa.scalar(0), value)
        return _MISSING if _is_missing(value) else pc.negate(value)

    def _call(self, call: Call) -> Datum:
        value = self._value(call.arguments[0])
        if _is_missing(value):
            return _MISSING
        if call.function in _TEXT_FUNCTIONS:
            return _TEXT_FUNCTIONS[call.function](value)
        last = call.arguments[-1]
        if call.function in _SEARCHES:
            assert isinstance(last, Literal)
            return _SEARCHES[call.function](value, str(last.value))
        if value.type == pa.int64():
            if call.function != "abs":
                return value
            return pc.if_else(pc.less(value, 0), self._negative(value), value)
        if call.function == "round":
            decimals = last.value if len(call.arguments) == 2 and isinstance(last, Literal) else 0
            return _round(value, int(decimals or 0))
        return _ROUNDINGS[call.function](value)


_TEXT_FUNCTIONS: Mapping[str, Callable[[Datum], Datum]] = {
    "length": lambda text: pc.cast(pc.utf8_length(text), pa.int64()),
    "lower": pc.utf8_lower,
    "trim": pc.utf8_trim_whitespace,
    "upper": pc.utf8_upper,
}
_SEARCHES: Mapping[str, Callable[[Datum, str], Datum]] = {
    "contains": lambda text, part: pc.match_substring(text, part),
    "ends_with": lambda text, part: pc.ends_with(text, part),
    "matches": lambda text, regex: pc.match_substring_regex(text, rf"\A(?:{regex})\z"),
    "starts_with": lambda text, part: pc.starts_with(text, part),
}
_ROUNDINGS = {"abs": pc.abs, "ceil": pc.ceil, "floor": pc.floor}


def _is_missing(value: Datum) -> bool:
    return isinstance(value, pa.Scalar) and not value.is_valid


def _values(value: Datum, rows: int) -> list[Any]:
    return [value.as_py()] * rows if isinstance(value, pa.Scalar) else value.to_pylist()


def _as_float64(value: Datum) -> Datum:
    if isinstance(value, pa.Scalar):
        return pa.scalar(float(value.as_py()), _FLOAT64)
    return value.cast(_FLOAT64, safe=False)


def _fit(value: int | float, type_: pa.DataType) -> int | float | None:
    """Return a number as one of a column's type for a comparison, or None if it is not comparable in that type."""
    if type_ == pa.int64():
        return int(value) if value == int(value) and -(2**63) <= value < 2**63 else None
    if type_ == pa.float32():
        with np.errstate(over="ignore"):
            rounded = float(np.float32(value))
        return rounded if math.isfinite(rounded) else None
    return float(value)


def _common(left: Datum, right: Datum) -> tuple[Datum, Datum]:
    """Return two numbers or two texts converted to the same type."""
    if left.type == right.type:
        return left, right
    if isinstance(left, pa.Scalar) and not isinstance(right, pa.Scalar):
        right, left = _common(right, left)
        return left, right
    if isinstance(right, pa.Scalar) and math.isfinite(right.as_py()):
        fitted = _fit(right.as_py(), left.type)
        if fitted is not None:
            return left, pa.scalar(fitted, left.type)
    return _as_float64(left), _as_float64(right)


def _compare(symbol: str, left: Datum, right: Datum) -> Datum:
    if _is_missing(left) or _is_missing(right):
        return _UNKNOWN
    return _COMPARISONS[symbol](*_common(left, right))


def _is_in(value: Datum, expression: In) -> Datum:
    if _is_missing(value):
        return _UNKNOWN
    options: list[Any] = [option.value for option in expression.options]
    if not pa.types.is_string(value.type):
        options = [one for one in (_fit(option, value.type) for option in options) if one is not None]
    if pa.types.is_floating(value.type):
        # In Arrow's hash tables, -0.0 is not 0.0.
        value = pc.add(value, pa.scalar(0.0, value.type))
    found = pc.is_in(value, value_set=pa.array(options, value.type))
    return pc.if_else(pc.is_valid(value), found, _UNKNOWN)


def _remainder(left: Datum, right: Datum) -> Datum:
    """Return the remainder with the sign of the dividend, null if the divisor is 0."""
    if left.type != right.type or left.type != pa.int64():
        left, right = _as_float64(left), _as_float64(right)
    divisor = pc.if_else(pc.equal(right, pa.scalar(0, right.type)), pa.scalar(None, right.type), right)
    known = pc.and_(pc.is_valid(left), pc.is_valid(divisor))
    with np.errstate(invalid="ignore"):
        found = np.fmod(_numbers(left, 0), _numbers(divisor, 1))
    if isinstance(known, pa.Scalar):
        return pa.scalar(found.item() if known.as_py() else None, left.type)
    return pa.array(found, left.type, mask=~known.to_numpy(zero_copy_only=False))


def _numbers(value: Datum, missing: int) -> Any:
    if isinstance(value, pa.Scalar):
        return np.array(missing if value.as_py() is None else value.as_py())
    return value.fill_null(missing).to_numpy(zero_copy_only=False)


def _round(value: Datum, decimals: int) -> Datum:
    """Return numbers rounded, halves away from zero, in the same type; those without decimals are unchanged."""
    exact = _as_float64(value)
    has_decimals = pc.less(pc.abs(exact), _EXACT_FLOAT64)
    # Arrow refuses to round where the product with 10**decimals overflows.
    rounded = pc.round(pc.if_else(has_decimals, exact, 0.0), decimals, round_mode="half_towards_infinity")
    return pc.cast(pc.if_else(has_decimals, rounded, exact), value.type, safe=False)
