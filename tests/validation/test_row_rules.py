"""Rules on batches: tables, and random rules against an evaluator in plain Python."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_taxi.sources.kinds import Kind
from beam_taxi.validation.parse import parse_row_rule
from beam_taxi.validation.row_rules import evaluate, violations
from beam_taxi.validation.rule_types import check_row_rule

KINDS = {"i": Kind.INT, "f": Kind.FLOAT, "s": Kind.STRING, "b": Kind.STRING, "m": Kind.MISSING}
MAX, MIN = 2**63 - 1, -(2**63)
NAN, INF = float("nan"), float("inf")


def batch_of(**columns: list[Any]) -> pa.RecordBatch:
    types = {"i": pa.int64(), "f": pa.float32(), "s": pa.string(), "b": pa.binary(), "m": pa.string()}
    return pa.RecordBatch.from_arrays([pa.array(v, types[k]) for k, v in columns.items()], list(columns))


def evaluated(rule: str, **columns: list[Any]) -> list[bool | None]:
    expression = parse_row_rule(rule)
    assert check_row_rule(expression, KINDS) == []
    # A slice shows whether offsets are respected.
    padded = {name: [values[0], *values] for name, values in columns.items()}
    found = evaluate(expression, batch_of(**padded).slice(1)).to_pylist()
    assert evaluate(expression, batch_of(**columns)).to_pylist() == found
    return found


T, F, N = True, False, None
EVALUATED = {
    "null in a comparison": ("i > 1", {"i": [1, 2, None]}, [F, T, N]),
    "null and": ("i > 1 and f > 1", {"i": [2, 0, None], "f": [None, None, None]}, [N, F, N]),
    "null or": ("i > 1 or f > 1", {"i": [2, 0, None], "f": [None, None, None]}, [T, N, N]),
    "not null": ("not i > 1", {"i": [2, 0, None]}, [F, T, N]),
    "is null": ("i is null", {"i": [2, None]}, [F, T]),
    "is not null": ("i is not null", {"i": [2, None]}, [T, F]),
    "null in a list": ("i in (1, 2)", {"i": [1, 3, None]}, [T, F, N]),
    "null not in a list": ("s not in ('a')", {"s": ["a", "b", None]}, [F, T, N]),
    "a result is null": ("i + f is null", {"i": [1, None], "f": [1.0, 1.0]}, [F, T]),
    "a column without values": ("m > 1 or m = 'a'", {"m": [None, None]}, [N, N]),
    "it is null": ("m is null", {"m": [None, None]}, [T, T]),
    "no rows": ("i > 1", {"i": [0]}, [F]),
    "NaN": ("f > 0", {"f": [NAN, INF, -INF]}, [F, T, F]),
    "NaN is not equal": ("f != f", {"f": [NAN, 1.0]}, [T, F]),
    "NaN between": ("f between -1e38 and 1e38", {"f": [NAN, 1.0]}, [F, T]),
    "NaN is a value": ("f is not null", {"f": [NAN, None]}, [T, F]),
    "float32 at least": ("f >= 0.1", {"f": [0.1, 0.09]}, [T, F]),
    "float32 at most": ("f <= 0.1", {"f": [0.1, 0.11]}, [T, F]),
    "float32 equal": ("0.1 = f", {"f": [0.1, 0.2]}, [T, F]),
    "float32 in": ("f in (0.1, 3)", {"f": [0.1, 3.0, 0.2]}, [T, T, F]),
    "float32 negative": ("-f = -0.1", {"f": [0.1]}, [T]),
    "float32 abs": ("abs(f) <= 0.1", {"f": [-0.1]}, [T]),
    "float32 arithmetic": ("f * 1 = 0.1", {"f": [0.1, 0.5]}, [F, F]),
    "beyond float32": ("f <= 1e39 and f > -1e39", {"f": [3e38, INF]}, [T, F]),
    "float32 and int64": ("f = i", {"f": [2.0**24, 0.5], "i": [2**24 + 1, 0]}, [F, F]),
    "int64 and a decimal": ("i < 0.5", {"i": [0, 1, MAX, MIN]}, [T, F, F, T]),
    "int64 and a whole decimal": ("i = 9007199254740993.0", {"i": [2**53, 2**53 + 1]}, [T, F]),
    "int64 in decimals": ("i in (1.5, 2.0, 1e30)", {"i": [1, 2]}, [F, T]),
    "negative zero": ("f = 0 and f in (0)", {"f": [-0.0]}, [T]),
    "overflow of a sum": ("i + 1 > 0 or true", {"i": [MAX, 1]}, [F, T]),
    "overflow of a difference": ("i - 1 < 0 or true", {"i": [MIN, 1]}, [F, T]),
    "overflow of a product": ("i * i >= 0", {"i": [2**32, -3]}, [F, T]),
    "overflow of minus": ("-i > 0 or true", {"i": [MIN, 1]}, [F, T]),
    "overflow of abs": ("abs(i) >= 0 or true", {"i": [MIN, MAX, -3]}, [F, T, T]),
    "overflow of constants": ("9223372036854775807 + 1 > 0", {"i": [1]}, [F]),
    "no overflow of floats": ("i * 1.0 * i > 0", {"i": [MAX]}, [T]),
    "division of whole numbers": ("i / 2 = 3.5", {"i": [7]}, [T]),
    "division by zero": ("i / 0 > 1", {"i": [1]}, [N]),
    "float division by zero": ("1 / f > 1", {"f": [0.0, -0.0, 0.5]}, [N, N, T]),
    "remainder": ("i % 3 = 1", {"i": [7, 8, -7, None]}, [T, F, F, N]),
    "sign of a remainder": ("i % -3 = -1", {"i": [7, -7]}, [F, T]),
    "remainder of zero": ("i % 0 = 1", {"i": [7]}, [N]),
    "remainder of the smallest": ("i % -1 = 0", {"i": [MIN]}, [T]),
    "remainder of floats": ("f % 1 = 0.5", {"f": [1.5, 2.0, None]}, [T, F, N]),
    "constant remainders": ("7 % 4 = 3 and 7 % 0 is null", {"i": [1]}, [T]),
    "rounding": ("round(f) = i", {"f": [0.5, 2.5, -0.5, 2.4], "i": [1, 3, -1, 2]}, [T, T, T, T]),
    "rounding to cents": ("round(f, 2) = f", {"f": [0.1, 12.34, 0.125, NAN, INF, 3e38]}, [T, T, F, F, T, T]),
    "rounding what has no decimals": ("round(i, 2) = i and floor(i) = i", {"i": [MAX]}, [T]),
    "floor and ceil": ("floor(f) = 1 and ceil(f) = 2", {"f": [1.5]}, [T]),
    "text": ("s >= 'b'", {"s": ["a", "b", "é", None]}, [F, T, T, N]),
    "characters": ("length(s) = 2", {"s": ["éa", "a", "🚕🚕"]}, [T, F, T]),
    "case": ("lower(s) = 'éa' and upper(s) = 'ÉA'", {"s": ["Éa"]}, [T]),
    "trim": ("trim(s) = s", {"s": ["a", " a", "a\u00a0"]}, [T, F, F]),
    "a whole match": ("matches(s, 'a|b+')", {"s": ["a", "bb", "ab", "a\n", ""]}, [T, T, F, F, F]),
    "parts": ("starts_with(s, 'a') and ends_with(s, '.') and contains(s, 'b')", {"s": ["ab.", "a."]}, [T, F]),
    "a part is no pattern": ("contains(s, '.')", {"s": ["a", "a.b"]}, [F, T]),
    "bytes": ("b = 'é'", {"b": ["é".encode(), b"x", None]}, [T, F, N]),
    "bytes that are not UTF-8": ("length(b) = 1", {"b": [b"\xff", b"xy"]}, [T, F]),
    "equal conditions": ("(i > 1) = (f > 1)", {"i": [2, 2], "f": [2.0, 0.0]}, [T, F]),
    "constants": ("true", {"i": [1, 2]}, [T, T]),
}


@pytest.mark.parametrize(("rule", "columns", "expected"), EVALUATED.values(), ids=EVALUATED)
def test_evaluate(rule: str, columns: dict[str, list[Any]], expected: list[bool | None]):
    assert evaluated(rule, **columns) == expected


def test_violations_are_rows_for_which_the_rule_is_false():
    rule = parse_row_rule("i > 1")
    assert violations(rule, batch_of(i=[2, None, 3])) is None
    assert violations(rule, batch_of(i=[None, None])) is None
    assert violations(rule, batch_of(i=[])) is None
    found = violations(rule, batch_of(i=[2, None, 1]))
    assert found is not None
    assert found.tolist() == [False, False, True]


def test_a_column_that_the_batch_lacks():
    with pytest.raises(KeyError):
        violations(parse_row_rule("f > 1"), batch_of(i=[1]))


# An independent evaluator of trees, which are nested tuples: numbers are pairs of a type and a value.
LEVELS = {"or": 1, "and": 2, "not": 3, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6, "minus": 7}
COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Tree = Any

literals = st.sampled_from([0, 1, -1, 2, 7, MAX, 0.1, -0.1, 0.5, 2.0, 1e39, 16777217, 1e-3])
numbers: st.SearchStrategy[Tree] = st.recursive(
    st.sampled_from([("i",), ("j",), ("f",), ("g",)]) | literals.map(lambda value: ("literal", value)),
    lambda inner: st.tuples(st.sampled_from("+-*/%"), inner, inner) | st.tuples(st.just("minus"), inner),
    max_leaves=4,
)
comparisons = st.tuples(st.sampled_from(sorted(COMPARE)), numbers, numbers)
ranges = st.tuples(st.sampled_from(["between", "not between"]), numbers, numbers, numbers)
lists = st.tuples(st.sampled_from(["in", "not in"]), numbers, st.lists(literals, min_size=1, max_size=4))
nulls = st.tuples(st.sampled_from(["is null", "is not null"]), numbers)
conditions: st.SearchStrategy[Tree] = st.recursive(
    comparisons | ranges | lists | nulls,
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner) | st.tuples(st.just("not"), inner),
    max_leaves=5,
)
integers = st.none() | st.sampled_from([0, 1, -1, 2, 7, MAX, MIN, 2**53 + 1, 2**32]) | st.integers(-9, 9)
floats = st.none() | st.sampled_from([0.0, -0.0, 0.1, 0.5, NAN, INF, -INF, 3e38]) | st.floats(width=32)
rows = st.lists(st.tuples(integers, integers, floats, floats), max_size=6)


def text_of(tree: Tree) -> str:
    """Return a rule with only the parentheses that it needs."""
    symbol, *operands = tree
    if symbol in COMPARE:
        return f"{text_of(operands[0])} {symbol} {text_of(operands[1])}"
    if symbol in ("between", "not between"):
        return f"{text_of(operands[0])} {symbol} {text_of(operands[1])} and {text_of(operands[2])}"
    if symbol in ("in", "not in"):
        return f"{text_of(operands[0])} {symbol} ({', '.join(map(repr, operands[1]))})"
    if symbol in ("is null", "is not null"):
        return f"{text_of(operands[0])} {symbol}"
    if symbol not in LEVELS:
        return repr(operands[0]) if symbol == "literal" else symbol
    parts = [text_of(one) for one in operands]
    levels = [LEVELS.get(one[0], 4 if one[0] not in ("i", "j", "f", "g", "literal") else 9) for one in operands]
    parts[0] = f"({parts[0]})" if levels[0] < LEVELS[symbol] else parts[0]
    if len(parts) == 1:
        return f"{'-' if symbol == 'minus' else 'not '}{parts[0]}"
    parts[1] = f"({parts[1]})" if levels[1] <= LEVELS[symbol] else parts[1]
    return f"{parts[0]} {symbol} {parts[1]}"


class Oracle:
    def __init__(self, row: tuple[Any, ...]) -> None:
        self.row = dict(zip("ijfg", row, strict=True))
        self.overflowed = False

    def number(self, tree: Tree) -> tuple[str, Any]:
        symbol, *operands = tree
        if symbol == "literal":
            return "literal", operands[0]
        if symbol in self.row:
            value = self.row[symbol]
            return (
                ("int", value) if symbol in "ij" else ("float32", None if value is None else float(np.float32(value)))
            )
        values = [self.number(one) for one in operands]
        if symbol == "minus":
            ((type_, value),) = values
            if value is None or isinstance(value, float):
                return type_, None if value is None else -value
            return type_, self.whole(-value)
        (one, x), (other, y) = values
        type_ = "literal" if one == other == "literal" else "float64"
        if x is None or y is None:
            return type_, None
        if symbol in "+-*" and isinstance(x, int) and isinstance(y, int):
            exact = self.whole({"+": operator.add, "-": operator.sub, "*": operator.mul}[symbol](x, y))
            return type_ if type_ == "literal" else "int", exact
        if symbol in "/%" and y == 0:
            return type_, None
        if symbol == "%" and isinstance(x, int) and isinstance(y, int):
            return type_ if type_ == "literal" else "int", int(math.copysign(1, x)) * (abs(x) % abs(y))
        with np.errstate(all="ignore"):
            a, b = np.float64(x), np.float64(y)
            found = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.fmod}[symbol](a, b)
        return type_, float(found)

    def whole(self, value: int) -> int | None:
        if MIN <= value <= MAX:
            return value
        self.overflowed = True
        return None

    def compare(self, symbol: str, left: tuple[str, Any], right: tuple[str, Any]) -> bool | None:
        (one, x), (other, y) = left, right
        if x is None or y is None:
            return None
        if "float32" in (one, other) and "literal" in (one, other):
            with np.errstate(over="ignore"):
                a, b = (v if t == "float32" else float(np.float32(v)) for t, v in (left, right))
            constant = y if other == "literal" else x
            if math.isfinite(constant) and math.isfinite(b if other == "literal" else a):
                x, y = a, b
        if one == other == "literal" and type(x) is not type(y):
            x, y = float(x), float(y)
        if {one, other} in ({"int", "float32"}, {"int", "float64"}, {"float32", "float64"}):
            x, y = float(x), float(y)
        if "float64" in (one, other):
            x, y = float(x), float(y)
        if {one, other} == {"int", "literal"}:
            constant = y if other == "literal" else x
            if not math.isfinite(constant) or constant != int(constant) or not MIN <= constant <= MAX:
                x, y = float(x), float(y)
        return bool(COMPARE[symbol](x, y))

    def condition(self, tree: Tree) -> bool | None:
        symbol, *operands = tree
        if symbol in COMPARE:
            return self.compare(symbol, *(self.number(one) for one in operands))
        if symbol.startswith("not ") or symbol == "is not null":
            inverse = self.condition((symbol.replace("not ", ""), *operands))
            return None if inverse is None else not inverse
        if symbol == "not":
            inverse = self.condition(operands[0])
            return None if inverse is None else not inverse
        if symbol == "is null":
            return self.number(operands[0])[1] is None
        if symbol == "in":
            value = self.number(operands[0])
            found = [self.compare("=", value, ("literal", one)) for one in operands[1]]
            return None if value[1] is None else any(found)
        if symbol == "between":
            value, low, high = (self.number(one) for one in operands)
            found = [self.compare(">=", value, low), self.compare("<=", value, high)]
            symbol = "and"
        else:
            found = [self.condition(one) for one in operands]
        decisive = symbol == "or"
        return decisive if decisive in found else None if None in found else not decisive


@settings(max_examples=300, deadline=None)
@given(conditions, rows)
def test_evaluates_like_plain_python(tree: Tree, table: list[tuple[Any, ...]]):
    columns = list(zip(*table, strict=True)) if table else [()] * 4
    types = [pa.int64(), pa.int64(), pa.float32(), pa.float32()]
    batch = pa.RecordBatch.from_arrays([pa.array(c, t) for c, t in zip(columns, types, strict=True)], list("ijfg"))
    found = evaluate(parse_row_rule(text_of(tree)), batch).to_pylist()
    expected = []
    for row in table:
        oracle = Oracle(row)
        condition = oracle.condition(tree)
        expected.append(False if oracle.overflowed else condition)
    assert found == expected, text_of(tree)
