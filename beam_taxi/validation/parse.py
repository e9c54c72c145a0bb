"""A recursive-descent parser of rules; see `expressions` for the grammar."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from beam_taxi.validation.expressions import (
    BASELINE,
    COMPARISONS,
    NOW,
    ROWS,
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
    walk,
)
from beam_taxi.validation.functions import FUNCTIONS, NUMERIC_FUNCTIONS, STATISTICS, Function
from beam_taxi.validation.tokens import (
    END,
    KEYWORD,
    NUMBER,
    OPERATOR,
    QUOTED,
    TEXT,
    WORD,
    RuleError,
    Token,
    suggest,
    tokenize,
)

MAX_DEPTH = 30
"""Maximum depth of parentheses in a rule: each takes a dozen of the thousand nested calls that Python allows."""

_MAX_TREE_DEPTH = 100

_SAME = {"==": "=", "<>": "!="}
_CONSTANTS = {"true": True, "false": False, "null": None}


def parse_row_rule(rule: str) -> Expression:
    """Return the syntax tree of a rule on rows. Raises RuleError, whose message has the position in the rule.

    parse_row_rule("fare >= 0 and trip_miles < 500")
    """
    return _Parser(rule, FUNCTIONS).parse()


def parse_statistics_rule(rule: str) -> Expression:
    """Return the syntax tree of a rule on statistics. Raises RuleError, whose message has the position in the rule.

    parse_statistics_rule("fare.mean / baseline.fare.mean between 0.8 and 1.25")
    """
    return _StatisticsParser(rule, NUMERIC_FUNCTIONS).parse()


class _Parser:
    def __init__(self, rule: str, functions: Mapping[str, Function]) -> None:
        self._tokens = tokenize(rule)
        self._functions = functions
        self._next = 0
        self._depth = 0

    def parse(self) -> Expression:
        expression = self._or()
        token = self._peek()
        if token.kind != END:
            raise RuleError(token.at, f"expected an operator or the end of the rule, not {token}")
        if max(depth for _, depth in walk(expression)) > _MAX_TREE_DEPTH:
            raise RuleError(1, "the rule is too long; write several rules")
        return expression

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._peek()
        self._next += token.kind != END
        return token

    def _take_if(self, kind: str, *texts: str) -> Token | None:
        token = self._peek()
        return self._take() if token.kind == kind and token.text in texts else None

    def _expect(self, kind: str, text: str, reason: str) -> Token:
        token = self._take_if(kind, text)
        if token is None:
            raise RuleError(self._peek().at, f"expected {text!r}{reason}, not {self._peek()}")
        return token

    def _nested(self, parse: Callable[[], Expression], at: int) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RuleError(at, f"the rule is nested more than {MAX_DEPTH} deep")
        found = parse()
        self._depth -= 1
        return found

    def _or(self) -> Expression:
        return self._logic("or", self._and)

    def _and(self) -> Expression:
        return self._logic("and", self._not)

    def _logic(self, operator: str, operand: Callable[[], Expression]) -> Expression:
        operands, at = [operand()], 0
        while token := self._take_if(KEYWORD, operator):
            at = at or token.at
            operands.append(operand())
        return Logic(at, operator, tuple(operands)) if at else operands[0]

    def _not(self) -> Expression:
        if token := self._take_if(KEYWORD, "not"):
            return Not(token.at, self._nested(self._not, token.at))
        return self._predicate()

    def _predicate(self) -> Expression:
        left = self._sum()
        if token := self._take_if(OPERATOR, *COMPARISONS, *_SAME):
            return self._comparison(token, left)
        if token := self._take_if(KEYWORD, "is"):
            negation = self._take_if(KEYWORD, "not")
            self._expect(KEYWORD, "null", " after 'is not'" if negation else " or 'not null' after 'is'")
            return _negate(negation, IsNull(token.at, left))
        negation = self._take_if(KEYWORD, "not")
        if token := self._take_if(KEYWORD, "between"):
            low = self._sum()
            self._expect(KEYWORD, "and", " after the lower limit")
            limits = (Comparison(token.at, ">=", left, low), Comparison(token.at, "<=", left, self._sum()))
            return _negate(negation, Logic(token.at, "and", limits))
        if token := self._take_if(KEYWORD, "in"):
            return _negate(negation, In(token.at, left, self._options()))
        if negation:
            raise RuleError(self._peek().at, f"expected 'between' or 'in' after 'not', not {self._peek()}")
        return left

    def _comparison(self, token: Token, left: Expression) -> Expression:
        found = Comparison(token.at, _SAME.get(token.text, token.text), left, self._sum())
        if again := self._take_if(OPERATOR, *COMPARISONS, *_SAME):
            raise RuleError(again.at, "comparisons cannot be chained; write `a < b and b < c`")
        return found

    def _options(self) -> tuple[Literal, ...]:
        self._expect(OPERATOR, "(", " after 'in'")
        options = [self._option()]
        while self._take_if(OPERATOR, ","):
            options.append(self._option())
        self._expect(OPERATOR, ")", " or ',' after a value")
        return tuple(options)

    def _option(self) -> Literal:
        token = self._peek()
        option = self._minus()
        if not isinstance(option, Literal) or option.value is None:
            raise RuleError(token.at, "the list of `in` may contain only numbers and text")
        return option

    def _sum(self) -> Expression:
        return self._arithmetic(("+", "-"), lambda: self._arithmetic(("*", "/", "%"), self._minus))

    def _arithmetic(self, operators: tuple[str, ...], operand: Callable[[], Expression]) -> Expression:
        left = operand()
        while token := self._take_if(OPERATOR, *operators):
            left = Arithmetic(token.at, token.text, left, operand())
        return left

    def _minus(self) -> Expression:
        token = self._take_if(OPERATOR, "-")
        if token is None:
            return self._value()
        operand = self._nested(self._minus, token.at)
        if isinstance(operand, Literal) and type(operand.value) in (int, float):
            assert isinstance(operand.value, int | float)
            return Literal(token.at, -operand.value)
        return Minus(token.at, operand)

    def _value(self) -> Expression:
        token = self._take()
        if token.kind == NUMBER:
            return Literal(token.at, _number(token))
        if token.kind == TEXT:
            return self._text(token)
        if token.kind == KEYWORD and token.text in _CONSTANTS:
            return Literal(token.at, _CONSTANTS[token.text])
        if token.kind == OPERATOR and token.text == "(":
            found = self._nested(self._or, token.at)
            self._expect(OPERATOR, ")", "")
            return found
        if token.kind == WORD and self._take_if(OPERATOR, "("):
            return self._call(token)
        if token.kind in (WORD, QUOTED):
            return self._name(token)
        raise RuleError(token.at, f"expected a value, not {token}")

    def _text(self, token: Token) -> Expression:
        return Literal(token.at, token.text)

    def _name(self, token: Token) -> Expression:
        return Name(token.at, token.text)

    def _call(self, token: Token) -> Expression:
        name = token.text.lower()
        if name not in self._functions:
            known = suggest(name, self._functions) or f"; the functions are {', '.join(self._functions)}"
            raise RuleError(token.at, f"no function {token.text!r}{known}")
        arguments = [self._nested(self._or, token.at)]
        while self._take_if(OPERATOR, ","):
            arguments.append(self._nested(self._or, token.at))
        self._expect(OPERATOR, ")", " or ',' after an argument")
        return Call(token.at, name, tuple(arguments))


class _StatisticsParser(_Parser):
    def _text(self, token: Token) -> Expression:
        raise RuleError(token.at, "text is allowed only in share('value')")

    def _name(self, token: Token) -> Expression:
        run, column = NOW, token
        if token.kind == WORD and token.text in (NOW, BASELINE):
            self._expect(OPERATOR, ".", f" after {token}: write {token.text}.COLUMN.STATISTIC or {token.text}.rows")
            run, column = token.text, self._take()
            if column.kind not in (WORD, QUOTED):
                raise RuleError(column.at, f"expected a column or `rows`, not {column}")
        if self._take_if(OPERATOR, "."):
            return self._statistic(token.at, run, column.text)
        if column.kind == WORD and column.text == ROWS:
            return Reference(token.at, run, "", ROWS)
        raise RuleError(
            column.at, f"expected a statistic after {column}, such as {column.text}.mean or {column.text}.missing"
        )

    def _statistic(self, at: int, run: str, column: str) -> Reference:
        token = self._take()
        name = token.text.lower()
        if token.kind != WORD or name not in STATISTICS:
            known = suggest(name, STATISTICS) or f"; the statistics are {', '.join(STATISTICS)}"
            raise RuleError(token.at, f"no statistic {token}{known}")
        if name != "share":
            return Reference(at, run, column, name)
        if not self._take_if(OPERATOR, "(") or self._peek().kind != TEXT:
            raise RuleError(self._peek().at, "`share` needs a value: share('value')")
        value = self._take()
        self._expect(OPERATOR, ")", " after the value of `share`")
        return Reference(at, run, column, name, value.text)


def _negate(negation: Token | None, condition: Expression) -> Expression:
    return condition if negation is None else Not(negation.at, condition)


def _number(token: Token) -> int | float:
    """Return a finite float64 or an integer up to 2^63, with which the smallest int64 can be written as -2^63."""
    if token.text.isdigit():
        if len(token.text.lstrip("0")) > 19 or int(token.text) > 2**63:
            raise RuleError(token.at, f"{token.text} exceeds 64 bits")
        return int(token.text)
    value = float(token.text)
    if math.isinf(value):
        raise RuleError(token.at, f"{token.text} is too large")
    return value
