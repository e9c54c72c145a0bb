"""The text of a schema, line by line: the line of a constraint, and edits that leave all other lines unchanged."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf import text_format
from google.protobuf.message import Message

from beam_taxi.errors import UsageError
from beam_taxi.schemas.scan import Field, by_name, line_at, quote, scan

_INDENT = "  "
_DOMAINS = ("domain", "string_domain")


class SchemaText:
    """A Schema in text format. Edits return a new one, and keep comments, order and all other lines.

    Raises UsageError if the text is not in text format, or if an edit cannot be confined to its own lines.

        text = SchemaText('feature { name: "fare" type: FLOAT }')
        text.line_of("fare", "type")
        text.set("fare", ("presence", "min_count"), "1").text
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._fields = scan(text)
        self._newline = "\r\n" if "\r\n" in text else "\n"

    def line_of(self, feature: str, *fields: str) -> int | None:
        """Return the line, from 1, of a field of a feature, or of the innermost message around it that exists.

        A `domain` that names a `string_domain` of the schema stands for that. Returns None if there is no such
        feature.
        """
        found = next(iter(by_name(self._fields, "feature", feature)), None)
        if found is None:
            return None
        for name in fields:
            inner = self._domain(found) if name in _DOMAINS and found.name == "feature" else found.first(name)
            if inner is None:
                break
            found = inner
        return line_at(self.text, found.start)

    def has(self, feature: str, *fields: str) -> bool:
        """Return whether a feature has a field."""
        found: Field | None = next(iter(by_name(self._fields, "feature", feature)), None)
        for name in fields:
            found = found and found.first(name)
        return found is not None

    def set(self, feature: str, fields: Sequence[str], value: str) -> SchemaText:
        """Set a field of a feature to a literal, such as `1` or `"a"`; insert it if the feature does not have it."""
        return self._set(self._feature(feature), fields, value)

    def set_of_schema(self, fields: Sequence[str], value: str) -> SchemaText:
        """Set a field of a message of the schema, such as `dataset_constraints`, which must exist."""
        found = next((field for field in self._fields if field.name == fields[0]), None)
        if found is None:
            raise UsageError(f"the schema has no {fields[0]}")
        return self._set(found, fields[1:], value)

    def _set(self, message: Field, fields: Sequence[str], value: str) -> SchemaText:
        for depth, name in enumerate(fields):
            inner = message.first(name)
            if inner is None:
                return self._insert_into(message, _nested(fields[depth:], value))
            message = inner
        return self._replaced(message.value_start, message.end, value)

    def remove(self, feature: str, name: str) -> SchemaText:
        """Remove a field of a feature with its content and a trailing comment."""
        field = self._field_of(feature, name)
        start, end = field.start, self._after_separator(field)
        if self._starts_line(field) and self._ends_line(end):
            return self._replaced(self._line_start(start), self._next_line(end), "")
        while start and self.text[start - 1] in " \t":
            start -= 1
        return self._replaced(start, end, "")

    def replace(self, feature: str, name: str, new_name: str, message: Message) -> SchemaText:
        """Replace a field of a feature with a message under another name."""
        field = self._field_of(feature, name)
        lines = _message_lines(new_name, message)
        is_apart = self._starts_line(field) and self._ends_line(self._after_separator(field))
        indent = self._indent(field)
        block = (self._newline + indent).join(lines) if is_apart else _one_line(lines)
        return self._replaced(field.start, field.end, block)

    def add_message(self, name: str, message: Message) -> SchemaText:
        """Add a feature or a string domain: after the preceding one if they are sorted by name, else after the last."""
        lines = _message_lines(name, message)
        same = [field for field in self._fields if field.name == name]
        names = [field.value_of("name") or "" for field in same]
        before = [field for field, other in zip(same, names, strict=True) if other < message.name]
        previous = before[-1] if before and names == sorted(names) else next(reversed(same or self._fields), None)
        if previous is None:
            gap = "" if not self.text or self.text.endswith("\n") else self._newline
            return SchemaText(self.text + gap + "".join(line + self._newline for line in lines))
        if previous.in_list or not self._ends_line(self._after_separator(previous)):
            raise self._fault(previous, f"put each {name} on lines of its own")
        return self._insert_after(previous, lines)

    def add_value(self, feature: str, value: str) -> SchemaText:
        """Add a value to the string domain of a feature: in order if the values are sorted, else at the end."""
        domain = self._domain(self._feature(feature))
        if domain is None:
            raise UsageError(f"feature {feature!r} has no string domain")
        values = domain.all("value")
        literal = quote(value)
        if not values:
            return self._insert_into(domain, [f"value: {literal}"])
        known = [field.value for field in values]
        before = [field for field in values if field.value < value]
        if known != sorted(known):
            before = list(values)
        if not before:
            return self._insert_before(values[0], literal)
        if before[-1].in_list:
            return self._replaced(before[-1].end, before[-1].end, f", {literal}")
        return self._insert_after(before[-1], [f"value: {literal}"])

    def _insert_before(self, field: Field, literal: str) -> SchemaText:
        if field.in_list:
            return self._replaced(field.start, field.start, f"{literal}, ")
        if self._starts_line(field):
            line = f"{self._indent(field)}value: {literal}{self._newline}"
            start = self._line_start(field.start)
            return self._replaced(start, start, line)
        return self._replaced(field.start, field.start, f"value: {literal} ")

    def _feature(self, name: str) -> Field:
        found = by_name(self._fields, "feature", name)
        if not found:
            raise UsageError(f"the schema has no feature {name!r}")
        if len(found) > 1:
            raise self._fault(found[1], f"feature {name!r} occurs twice")
        return found[0]

    def _field_of(self, feature: str, name: str) -> Field:
        field = self._feature(feature).first(name)
        if field is None:
            raise UsageError(f"feature {feature!r} has no {name}")
        if field.in_list:
            raise self._fault(field, f"{name} is in a list")
        return field

    def _domain(self, feature: Field) -> Field | None:
        inline, reference = feature.first("string_domain"), feature.value_of("domain")
        if inline is not None or reference is None:
            return inline
        return next(iter(by_name(self._fields, "string_domain", reference)), feature.first("domain"))

    def _insert_into(self, message: Field, lines: Sequence[str]) -> SchemaText:
        """Insert a field as the last one of a message."""
        if message.fields:
            return self._insert_after(message.fields[-1], lines)
        body = message.value_start if message.body is None else message.body
        return self._replaced(body, body, f" {_one_line(lines)} ")

    def _insert_after(self, field: Field, lines: Sequence[str]) -> SchemaText:
        """Insert a field after another: on new lines if that one ends its line, else on the same line."""
        end = self._after_separator(field)
        if field.in_list:
            raise self._fault(field, "add it after the list by hand")
        if not self._ends_line(end):
            return self._replaced(end, end, f" {_one_line(lines)}")
        indent = self._indent(field) + ("" if self._starts_line(field) else _INDENT)
        next_line = self._next_line(end)
        gap = "" if self.text[:next_line].endswith("\n") else self._newline
        block = "".join(indent + line + self._newline for line in lines)
        return self._replaced(next_line, next_line, gap + block)

    def _replaced(self, start: int, end: int, new: str) -> SchemaText:
        return SchemaText(self.text[:start] + new + self.text[end:])

    def _line_start(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1

    def _next_line(self, offset: int) -> int:
        end = self.text.find("\n", offset)
        return len(self.text) if end < 0 else end + 1

    def _indent(self, field: Field) -> str:
        line = self.text[self._line_start(field.start) : field.start]
        return line[: len(line) - len(line.lstrip())]

    def _starts_line(self, field: Field) -> bool:
        return not self.text[self._line_start(field.start) : field.start].strip()

    def _ends_line(self, offset: int) -> bool:
        rest = self.text[offset : self._next_line(offset)].strip()
        return not rest or rest.startswith("#")

    def _after_separator(self, field: Field) -> int:
        rest = self.text[field.end :]
        stripped = rest.lstrip(" \t")
        return field.end + len(rest) - len(stripped) + 1 if stripped[:1] in (",", ";") else field.end

    def _fault(self, field: Field, reason: str) -> UsageError:
        return UsageError(f"line {line_at(self.text, field.start)}: cannot be edited line by line: {reason}")


def _nested(fields: Sequence[str], value: str) -> list[str]:
    """Return the lines of a field within messages: `("presence", "min_count"), "1"` is `presence { min_count: 1 }`."""
    first, *rest = fields
    if not rest:
        return [f"{first}: {value}"]
    return [f"{first} {{", *(_INDENT + line for line in _nested(rest, value)), "}"]


def _message_lines(name: str, message: Message) -> list[str]:
    text = text_format.MessageToString(message, as_utf8=True)
    return [f"{name} {{", *(_INDENT + line for line in text.split("\n")[:-1]), "}"]


def _one_line(lines: Sequence[str]) -> str:
    return " ".join(line.strip() for line in lines)
