"""The tokens of rules."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

NUMBER, TEXT, WORD, QUOTED, KEYWORD, OPERATOR, END = "number", "text", "word", "quoted", "keyword", "operator", "end"

KEYWORDS = frozenset({"and", "or", "not", "between", "in", "is", "null", "true", "false"})
"""Words that are names of columns only in backquotes; their case does not matter."""

_TOKEN = re.compile(
    r"""
      (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<text>'(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<quoted>`(?:[^`]|``)+`)
    | (?P<word>[^\W\d]\w*)
    | (?P<operator><=|>=|!=|<>|==|[-+*/%=<>(),.])
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*")
_INSTEAD = {"&": "`and`", "|": "`or`", "!": "`not`", "~": "matches(text, 'pattern')", "^": "x * x"}
"""What to write instead of the operators of other languages."""


class RuleError(ValueError):
    """A fault of a rule. `at` is the position in its text, in characters from 1; the message begins with it."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(f"character {at}: {reason}")
        self.at = at


@dataclass(frozen=True)
class Token:
    """A part of a rule. `text` has no quotes, and is in lower case if it is a keyword; `at` is counted from 1."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        return "the end of the rule" if self.kind == END else repr(self.text)


def tokenize(rule: str) -> list[Token]:
    """Return the tokens of a rule; the last is of kind `END`. Raises RuleError."""
    tokens, position = [], 0
    while (position := _end_of_space(rule, position)) < len(rule):
        match = _TOKEN.match(rule, position)
        if match is None:
            raise RuleError(position + 1, _reason(rule[position]))
        tokens.append(_token(match))
        position = match.end()
        if match.lastgroup == NUMBER and re.match(r"\w", rule[position:]):
            raise RuleError(
                match.start() + 1, f"{match[0] + rule[position]!r} is not a number; put a name in `backquotes`"
            )
    return [*tokens, Token(END, "", len(rule.rstrip()) + 1)]


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name, with a similar known name, or nothing if there is none."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _end_of_space(rule: str, position: int) -> int:
    match = _SPACE.match(rule, position)
    return match.end() if match else position


def _token(match: re.Match[str]) -> Token:
    kind, text, at = match.lastgroup or "", match[0], match.start() + 1
    if kind in (TEXT, QUOTED):
        return Token(kind, text[1:-1].replace(text[0] * 2, text[0]), at)
    if kind == WORD and text.lower() in KEYWORDS:
        return Token(KEYWORD, text.lower(), at)
    return Token(kind, text, at)


def _reason(char: str) -> str:
    if char in "'\"`":
        return f"the closing {char} is missing"
    instead = f"; write {_INSTEAD[char]}" if char in _INSTEAD else ""
    return f"{char!r} is not an operator{instead}"
