"""The grammar of rules, and the faults that are found before any data is read."""

from __future__ import annotations

import pickle

import pytest

from beam_taxi.sources.kinds import Kind
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
    columns_of,
    references_of,
)
from beam_taxi.validation.parse import MAX_DEPTH, parse_row_rule, parse_statistics_rule
from beam_taxi.validation.rule_types import check_row_rule, check_statistics_rule
from beam_taxi.validation.tokens import RuleError

KINDS = {
    "i": Kind.INT,
    "fare": Kind.FLOAT,
    "s": Kind.STRING,
    "empty": Kind.MISSING,
    "unknown": None,
    "größe": Kind.INT,
    "a b`c": Kind.INT,
}


def shown(expression: Expression) -> str:
    """Return an expression with all of its parentheses."""
    if isinstance(expression, Literal):
        return repr(expression.value)
    if isinstance(expression, Name):
        return expression.name
    if isinstance(expression, Reference):
        return str(expression)
    if isinstance(expression, Arithmetic | Comparison):
        return f"({shown(expression.left)} {expression.operator} {shown(expression.right)})"
    if isinstance(expression, Logic):
        return "(" + f" {expression.operator} ".join(map(shown, expression.operands)) + ")"
    if isinstance(expression, In):
        return f"({shown(expression.operand)} in {', '.join(map(shown, expression.options))})"
    if isinstance(expression, Call):
        return f"{expression.function}({', '.join(map(shown, expression.arguments))})"
    word = {Minus: "-", Not: "not ", IsNull: "null? "}[type(expression)]
    return f"({word}{shown(expression.operand)})"


GRAMMAR = {
    "products before sums": ("1 + 2 * i = 3", "((1 + (2 * i)) = 3)"),
    "from the left": ("i - 1 - 2 = i / 2 % 3", "(((i - 1) - 2) = ((i / 2) % 3))"),
    "parentheses": ("(1 + 2) * i = 3", "(((1 + 2) * i) = 3)"),
    "minus": ("-i * - 2 = - -3", "(((-i) * -2) = 3)"),
    "a negative number": ("i=-9223372036854775808", "(i = -9223372036854775808)"),
    "and before or": ("i=1 or i=2 and i=3 or i=4", "((i = 1) or ((i = 2) and (i = 3)) or (i = 4))"),
    "not before and": ("not i=1 and not not i=2", "((not (i = 1)) and (not (not (i = 2))))"),
    "between and and": ("i between 1 and 2 and i=3", "(((i >= 1) and (i <= 2)) and (i = 3))"),
    "between sums": ("i between -1+1 and i*2", "((i >= (-1 + 1)) and (i <= (i * 2)))"),
    "not between": ("i NOT Between 1 AND 2", "(not ((i >= 1) and (i <= 2)))"),
    "in": ("s in ('a', \"b\")", "(s in 'a', 'b')"),
    "not in": ("i not in (-1,2.5)", "(not (i in -1, 2.5))"),
    "is null": ("i + 1 IS NULL", "(null? (i + 1))"),
    "is not null": ("i is not null", "(not (null? i))"),
    "operators of other languages": ("i == 1 and i <> 2 and i != 3", "((i = 1) and (i != 2) and (i != 3))"),
    "numbers": ("i in (1, 1., .5, 1e3, 1.5E-3)", "(i in 1, 1.0, 0.5, 1000.0, 0.0015)"),
    "quotes in quotes": ("s = 'it''s' or s = \"a\"\"b'\"", "((s = \"it's\") or (s = 'a\"b\\''))"),
    "constants": ("True = FALSE", "(True = False)"),
    "a Unicode name": ("größe>1", "(größe > 1)"),
    "any name": ("`a b``c` > 1", "(a b`c > 1)"),
    "a keyword as a name": ("`and` > Not_x", "(and > Not_x)"),
    "functions": ("Round(abs(i), 2) = length(trim(s))", "(round(abs(i), 2) = length(trim(s)))"),
    "a function's name as a name": ("length > 1", "(length > 1)"),
    "white space": (" i\n\t>\u00a01 ", "(i > 1)"),
}


@pytest.mark.parametrize(("rule", "tree"), GRAMMAR.values(), ids=GRAMMAR)
def test_grammar(rule: str, tree: str):
    expression = parse_row_rule(rule)
    assert shown(expression) == tree
    assert pickle.loads(pickle.dumps(expression)) == expression


STATISTICS_GRAMMAR = {
    "a statistic": ("fare.mean between 5 and 30", "((fare.mean >= 5) and (fare.mean <= 30))"),
    "the baseline": ("fare.mean / baseline.fare.Mean < 2", "((fare.mean / baseline.fare.mean) < 2)"),
    "rows": ("now.rows >= baseline.rows*0.9 or rows = 1", "((rows >= (baseline.rows * 0.9)) or (rows = 1))"),
    "a column named rows": ("rows.max > now.rows.min", "(rows.max > rows.min)"),
    "a column named baseline": ("`baseline`.mean > 1", "(baseline.mean > 1)"),
    "any name": ("`a.b c`.missing = 0", "(`a.b c`.missing = 0)"),
    "a share": ("s.share('it''s') < .5", "(s.share('it''s') < 0.5)"),
    "functions": ("abs(fare.mean - 1) < 2", "(abs((fare.mean - 1)) < 2)"),
}


@pytest.mark.parametrize(("rule", "tree"), STATISTICS_GRAMMAR.values(), ids=STATISTICS_GRAMMAR)
def test_grammar_of_statistics(rule: str, tree: str):
    assert shown(parse_statistics_rule(rule)) == tree


SYNTAX = {
    "nothing": ("", "character 1: expected a value, not the end of the rule"),
    "no right side": ("i > ", "character 4: expected a value, not the end of the rule"),
    "two rules": ("i > 1 i < 2", "character 7: expected an operator or the end of the rule, not 'i'"),
    "a chain": ("1 < i < 3", "character 7: comparisons cannot be chained; write `a < b and b < c`"),
    "an open parenthesis": ("(i > 1", "character 7: expected ')', not the end of the rule"),
    "an open quote": ("s = 'a", "character 5: the closing ' is missing"),
    "an operator of C": ("i > 1 && i < 2", "character 7: '&' is not an operator; write `and`"),
    "an unknown character": ("i > $1", "character 5: '$' is not an operator"),
    "a name with a digit first": ("2nd > 1", "character 1: '2n' is not a number; put a name in `backquotes`"),
    "no function": ("lenth(s) > 1", "character 1: no function 'lenth'; did you mean 'length'?"),
    "nothing like a function": (
        "eval(s)",
        "character 1: no function 'eval'; the functions are abs, ceil, floor, round, contains, ends_with, length,"
        " lower, matches, starts_with, trim, upper",
    ),
    "an empty list": ("i in ()", "character 7: expected a value, not ')'"),
    "a column in a list": ("i in (1, fare)", "character 10: the list of `in` may contain only numbers and text"),
    "null in a list": ("i not in (1, null)", "character 14: the list of `in` may contain only numbers and text"),
    "not something": ("i not 5", "character 7: expected 'between' or 'in' after 'not', not '5'"),
    "is something": ("i is 5", "character 6: expected 'null' or 'not null' after 'is', not '5'"),
    "a long number": ("i > 99999999999999999999", "character 5: 99999999999999999999 exceeds 64 bits"),
    "a large number": ("i > 1e999", "character 5: 1e999 is too large"),
    "depth": ("(" * 500 + "i", f"character {MAX_DEPTH + 1}: the rule is nested more than {MAX_DEPTH} deep"),
    "depth of not": (
        "not " * 500 + "i",
        f"character {MAX_DEPTH * 4 + 1}: the rule is nested more than {MAX_DEPTH} deep",
    ),
    "length": ("i" + "+1" * 5000 + ">0", "character 1: the rule is too long; write several rules"),
    "a statistic": ("fare.mean > 1", "character 5: expected an operator or the end of the rule, not '.'"),
}


@pytest.mark.parametrize(("rule", "message"), SYNTAX.values(), ids=SYNTAX)
def test_syntax_errors(rule: str, message: str):
    with pytest.raises(RuleError) as caught:
        parse_row_rule(rule)
    assert str(caught.value) == message


STATISTICS_SYNTAX = {
    "no statistic": ("fare > 1", "character 1: expected a statistic after 'fare', such as fare.mean or fare.missing"),
    "an unknown statistic": ("fare.men > 1", "character 6: no statistic 'men'; did you mean 'mean'?"),
    "no column": (
        "baseline.mean > 1",
        "character 10: expected a statistic after 'mean', such as mean.mean or mean.missing",
    ),
    "only the run": (
        "now > 1",
        "character 5: expected '.' after 'now': write now.COLUMN.STATISTIC or now.rows, not '>'",
    ),
    "a share of nothing": ("s.share > 1", "character 9: `share` needs a value: share('value')"),
    "a text": ("s.unique > 'a'", "character 12: text is allowed only in share('value')"),
    "a function of text": (
        "length(s.min) > 1",
        "character 1: no function 'length'; the functions are abs, ceil, floor, round",
    ),
}


@pytest.mark.parametrize(("rule", "message"), STATISTICS_SYNTAX.values(), ids=STATISTICS_SYNTAX)
def test_syntax_errors_of_statistics(rule: str, message: str):
    with pytest.raises(RuleError) as caught:
        parse_statistics_rule(rule)
    assert str(caught.value) == message


def test_a_long_alternative_is_accepted():
    rule = " or ".join(f"i = {value}" for value in range(2000))
    assert check_row_rule(parse_row_rule(rule), KINDS) == []


SOUND = [
    "i > fare",
    "s = 'a'",
    "empty > 1 and empty = 'a'",
    "unknown > 1",
    "(i > 1) = (s = 'a')",
    "not true",
    "größe > 1",
]


@pytest.mark.parametrize("rule", SOUND)
def test_rules_without_faults(rule: str):
    assert check_row_rule(parse_row_rule(rule), KINDS) == []


TYPES = {
    "unknown columns": (
        "fair > 1 and xyz < 2",
        ["character 1: no column 'fair'; did you mean 'fare'?", "character 14: no column 'xyz'"],
    ),
    "a fault once": ("fair between 1 and 2", ["character 1: no column 'fair'; did you mean 'fare'?"]),
    "text and number": ("i > 'a'", ["character 3: 'i' is a number and 'a' is text; they cannot be compared"]),
    "arithmetic on text": ("s + 1 > 2", ["character 1: `+` needs a number, but 's' is text"]),
    "a negative text": ("-s > 2", ["character 2: `-` needs a number, but 's' is text"]),
    "no condition": ("i + 1", ["character 3: the rule needs a condition, but this expression is a number"]),
    "a column": (
        "i and i > 1",
        ["character 1: `and` needs a condition, not a column; write for example i = 1"],
    ),
    "a text as a condition": ("not lower(s)", ["character 5: `not` needs a condition, but lower(…) is text"]),
    "null as a value": ("i = null", ["character 5: null is not a value; write `is null` or `is not null`"]),
    "a boolean column": ("i = true", ["character 3: a column is never true or false; booleans are stored as 1 and 0"]),
    "order of conditions": ("(i > 1) < true", ["character 9: `<` cannot compare a condition with a condition"]),
    "a mixed list": ("i in (1, 'a')", ["character 3: the values in the list of `in` must be all numbers or all text"]),
    "another list": ("i in ('a')", ["character 1: `in` with this list needs text, but 'i' is a number"]),
    "arguments": ("abs(i, 1) > 1", ["character 1: `abs` takes 1 argument, not 2"]),
    "optional arguments": ("round(i, 1, 2) > 1", ["character 1: `round` takes 1 or 2 arguments, not 3"]),
    "decimals": ("round(fare, 99) > 1", ["character 13: the decimals of `round` must be a whole number from 0 to 15"]),
    "type of an argument": ("length(i) > 1", ["character 8: `length` needs text, but 'i' is a number"]),
    "a pattern from a column": (
        "matches(s, s)",
        ["character 12: the last argument of `matches` must be text in quotes"],
    ),
    "2 to the 63": ("i < 9223372036854775808", ["character 5: 9223372036854775808 exceeds 64 bits"]),
}


@pytest.mark.parametrize(("rule", "faults"), TYPES.values(), ids=TYPES)
def test_faults_against_columns(rule: str, faults: list[str]):
    assert check_row_rule(parse_row_rule(rule), KINDS) == faults


def test_an_invalid_regular_expression():
    (fault,) = check_row_rule(parse_row_rule("matches(s, 'a)|(b')"), KINDS)
    assert fault.startswith("character 12: Invalid regular expression")


STATISTICS_TYPES = {
    "an unknown column": ("fair.mean > 1", True, ["character 1: no column 'fair'; did you mean 'fare'?"]),
    "a mean of text": (
        "s.mean > 1",
        True,
        ["character 1: `mean` is a statistic of INT and FLOAT columns; s is STRING"],
    ),
    "a length of numbers": (
        "i.avg_length > 1",
        True,
        ["character 1: `avg_length` is a statistic of STRING columns; i is INT"],
    ),
    "no baseline": ("baseline.rows > 1", False, ["character 1: baseline.rows needs --baseline"]),
    "a baseline": ("baseline.rows > 1", True, []),
    "an unknown kind": ("unknown.mean > unknown.unique", True, []),
    "no statistic": ("1 = 1", True, ["character 1: the rule must name a statistic, such as fare.mean or rows"]),
    "no condition": ("rows + 1", True, ["character 6: the rule needs a condition, but this expression is a number"]),
}


@pytest.mark.parametrize(("rule", "baseline", "faults"), STATISTICS_TYPES.values(), ids=STATISTICS_TYPES)
def test_faults_of_statistics(rule: str, baseline: bool, faults: list[str]):
    assert check_statistics_rule(parse_statistics_rule(rule), KINDS, baseline) == faults


def test_names_in_a_rule():
    assert columns_of(parse_row_rule("b > a and a in (1) and abs(c) is null")) == ["b", "a", "c"]
    rule = parse_statistics_rule("rows > a.mean and baseline.a.mean > now.a.mean")
    assert columns_of(rule) == ["a"]
    assert list(map(str, references_of(rule))) == ["rows", "a.mean", "baseline.a.mean"]
