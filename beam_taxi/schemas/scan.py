"""Scan protobuf text format into fields with their positions.

The format: https://protobuf.dev/reference/protobuf/textformat-spec/. Names and types of fields are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.text_encoding import CUnescape

from beam_taxi.errors import UsageError

_TOKEN = re.compile(
    r"""(?P<skipped>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<word>[^\s"'#{}<>\[\]:,;]+)
    |(?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE,
)
_CLOSING = {"{": "}", "<": ">", "[": "]"}


@dataclass(frozen=True)
class Field:
    """A field: the offsets of its name, value and end, and its decoded value or, if it is a message, its fields.

    `body` is the offset after the opening brace of a message. Each value of a list is a field of its own, `in_list`.
    """

    name: str
    start: int
    value_start: int
    end: int
    value: str
    fields: tuple[Field, ...] = ()
    body: int | None = None
    in_list: bool = False

    def all(self, name: str) -> tuple[Field, ...]:
        """Return the fields of a message that have a name."""
        return tuple(field for field in self.fields if field.name == name)

    def first(self, name: str) -> Field | None:
        """Return the first field of a message that has a name, or None."""
        return next(iter(self.all(name)), None)

    def value_of(self, name: str) -> str | None:
        """Return the value of a field of a message, or None."""
        field = self.first(name)
        return None if field is None else field.value


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def scan(text: str) -> tuple[Field, ...]:
    """Return the fields of a message in text format. Raises UsageError if the text is not in that format."""
    scanner = _Scanner(text)
    fields = scanner.fields("")
    return tuple(fields)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0

    def fields(self, closing: str) -> list[Field]:
        """Read fields up to a closing mark, or to the end of the text."""
        found: list[Field] = []
        while self._peek() != closing:
            if self._peek() in (",", ";"):
                self._take()
                continue
            found += self._field()
        return found

    def _field(self) -> list[Field]:
        first = self._take()
        name = first.text
        if name == "[":
            while self._peek() != "]":
                name += self._take().text
            name += self._take().text
        elif first.kind != "word":
            raise _fault(self._text, first.start, f"expected a field, not {first.text}")
        if self._peek() == ":":
            self._take()
        if self._peek() != "[":
            return [self._value(name, first.start, in_list=False)]
        self._take()
        values = []
        while self._peek() != "]":
            if self._peek() == ",":
                self._take()
                continue
            values.append(self._value(name, None, in_list=True))
        self._take()
        return values

    def _value(self, name: str, start: int | None, in_list: bool) -> Field:
        token = self._take()
        begin = token.start if start is None else start
        if token.text in ("{", "<"):
            fields = tuple(self.fields(_CLOSING[token.text]))
            return Field(name, begin, token.start, self._take().end, "", fields, token.end, in_list)
        if token.kind == "mark":
            raise _fault(self._text, token.start, f"expected a value of {name}, not {token.text}")
        parts = [token]
        if token.text == "-":
            parts.append(self._take())
        # Adjacent strings are one value.
        while token.kind == "string" and self._next < len(self._tokens) and self._tokens[self._next].kind == "string":
            parts.append(self._take())
        value = "".join(part.text if part.kind == "word" else _unquote(part.text) for part in parts)
        return Field(name, begin, token.start, parts[-1].end, value, in_list=in_list)

    def _peek(self) -> str:
        return self._tokens[self._next].text if self._next < len(self._tokens) else ""

    def _take(self) -> _Token:
        if self._next == len(self._tokens):
            raise _fault(self._text, len(self._text), "unexpected end of the text within a message")
        self._next += 1
        return self._tokens[self._next - 1]


def _tokens(text: str) -> Iterator[_Token]:
    offset = 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            raise _fault(text, offset, "a string without its closing quote")
        if match.lastgroup != "skipped":
            yield _Token(str(match.lastgroup), match.group(), offset)
        offset = match.end()


def _unquote(literal: str) -> str:
    try:
        content: bytes = CUnescape(literal[1:-1])
    except ValueError:
        return literal[1:-1]
    return content.decode(errors="replace")


def quote(value: str) -> str:
    """Return a string as a literal in text format: UTF-8, with quotes, backslashes and control characters escaped."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\{ord(match.group()):03o}", escaped) + '"'


def line_at(text: str, offset: int) -> int:
    """Return the number of the line, from 1, that has the character at an offset."""
    return text.count("\n", 0, offset) + 1


def _fault(text: str, offset: int, reason: str) -> UsageError:
    return UsageError(f"line {line_at(text, offset)}: {reason}")


def by_name(fields: Sequence[Field], message: str, name: str) -> tuple[Field, ...]:
    """Return the messages, such as `feature`, whose field `name` has a value."""
    return tuple(field for field in fields if field.name == message and field.value_of("name") == name)
