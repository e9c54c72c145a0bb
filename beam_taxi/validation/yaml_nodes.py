"""Read a YAML file node by node, and collect all of its faults with their lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from beam_taxi.errors import one_line
from beam_taxi.validation.tokens import suggest

Node = Any
"""A node of PyYAML, which has no types."""

MAX_DEPTH = 10
"""Maximum depth of lists and mappings in a file."""

_TAG = "tag:yaml.org,2002:"

_Value = TypeVar("_Value")


class Faults:
    """The faults of a file."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, reason: str) -> None:
        """Add a fault on a line, counted from 1, if it is new."""
        if (line, reason) not in self._found:
            self._found.append((line, reason))

    def __len__(self) -> int:
        return len(self._found)

    def __str__(self) -> str:
        return "; ".join(f"{self._source}: line {line}: {reason}" for line, reason in sorted(self._found))


def line_of(node: Node) -> int:
    """Return the line, from 1, on which a node begins."""
    return int(node.start_mark.line) + 1


def compose(text: str, faults: Faults) -> Node | None:
    """Return the root node of a file, or None if it is empty, is not valid, or has anchors, aliases or tags."""
    import yaml

    try:
        _check_tokens(text, faults)
        return None if len(faults) else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(filter(None, [error.context, error.problem]))
        faults.add(mark.line + 1 if mark else 1, f"not valid YAML: {one_line(reason)}; is a value missing its quotes?")
    except yaml.reader.ReaderError as error:
        faults.add(text.count("\n", 0, error.position) + 1, "not valid YAML: control characters are not allowed")
    return None


def _check_tokens(text: str, faults: Faults) -> None:
    """Add faults for syntax that the nodes no longer show, and for nesting that would exhaust the stack."""
    import yaml

    refused = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken, yaml.DirectiveToken)
    starts = (
        yaml.BlockSequenceStartToken,
        yaml.BlockMappingStartToken,
        yaml.FlowSequenceStartToken,
        yaml.FlowMappingStartToken,
    )
    ends = (yaml.BlockEndToken, yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        line = token.start_mark.line + 1
        if isinstance(token, refused):
            faults.add(line, "anchors, aliases, tags and directives of YAML are not supported")
        depth += isinstance(token, starts) - isinstance(token, ends)
        if depth > MAX_DEPTH:
            faults.add(line, "lists and mappings are nested too deeply")
            return


def items(node: Node, faults: Faults, what: str) -> Sequence[Node]:
    """Return the nodes of a list, or none, with a fault, if it is not one or is empty."""
    if node.id != "sequence" or not node.value:
        faults.add(line_of(node), f"`{what}` must be a list with at least one item")
        return ()
    found: Sequence[Node] = node.value
    return found


def scalar(node: Node) -> str | None:
    """Return the text of a scalar, whatever its type in YAML, or None if it is empty or not a scalar."""
    value: str = node.value if node.id == "scalar" else ""
    return value if value and node.tag != _TAG + "null" else None


class Table:
    """A mapping of the file, whose keys are known.

    Missing keys, unknown ones, duplicates and values of the wrong type are faults. For a wrong value, as for a missing
    one, a method returns its default.
    """

    def __init__(
        self, node: Node, faults: Faults, what: str, required: Sequence[str] = (), optional: Sequence[str] = ()
    ) -> None:
        self.faults = faults
        self.line = line_of(node)
        self._nodes: dict[str, Node] = {}
        known = [*required, *optional]
        for key, value in pairs(node, faults, what):
            name = key.value
            if name in known:
                self._nodes[name] = value
            else:
                hint = suggest(name, known) or f"; the keys are {', '.join(known)}"
                faults.add(line_of(key), f"unknown key {name!r} in {what}{hint}")
        missing = [key for key in required if key not in self._nodes]
        if missing and node.id == "mapping":
            faults.add(self.line, f"{what} needs {' and '.join(f'`{key}`' for key in missing)}")

    def __contains__(self, key: str) -> bool:
        return key in self._nodes

    def node(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        return self._nodes.get(key)

    def text(self, key: str, default: str = "") -> str:
        """Return text; other scalars are returned as the file writes them."""
        return self._read(key, scalar, "text", default)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of a list without duplicates; a single text counts as a list."""
        node = self.node(key)
        if node is None:
            return ()
        nodes = (node,) if scalar(node) is not None else items(node, self.faults, key)
        for one in nodes:
            if scalar(one) is None:
                self.faults.add(line_of(one), f"`{key}` must be a list of text or numbers")
        return tuple(dict.fromkeys(one.value for one in nodes if scalar(one) is not None))

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        """Return one of several words."""
        wanted = choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"
        return self._read(
            key, lambda node: next((one for one in choices if one == scalar(node)), None), wanted, default
        )

    def flag(self, key: str) -> bool:
        """Return a boolean, False by default."""
        return self._read(key, _boolean, "true or false", False)

    def share(self, key: str) -> float:
        """Return a share from 0 up to, but not including, 1, which may be written as a percentage; 0 by default."""
        return self._read(key, _share, "a share from 0 to below 1, such as 0.001 or 0.1%", 0.0)

    def count(self, key: str) -> int | None:
        """Return a whole number that is not negative, or None."""
        number = self._read(key, _count, "a whole number, 0 or more", -1)
        return None if number < 0 else number

    def _read(self, key: str, read: Callable[[Node], _Value | None], wanted: str, default: _Value) -> _Value:
        node = self.node(key)
        if node is None:
            return default
        value = read(node)
        if value is None:
            self.faults.add(line_of(node), f"`{key}` must be {wanted}{_instead(node)}")
        return default if value is None else value


def pairs(node: Node, faults: Faults, what: str) -> Iterator[tuple[Node, Node]]:
    """Yield the keys and values of a mapping; duplicates, and nodes of other kinds, are faults."""
    if node.id != "mapping":
        faults.add(line_of(node), f"{what} must be a mapping of keys and values{_instead(node)}")
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        name = scalar(key)
        if name is None:
            faults.add(line_of(key), f"a key in {what} is not text")
        elif name in seen:
            faults.add(line_of(key), f"duplicate key {name!r} in {what}; the first is on line {seen[name]}")
        else:
            seen[name] = line_of(key)
            yield key, value


def _instead(node: Node) -> str:
    if node.id != "scalar":
        return f", not a {'list' if node.id == 'sequence' else 'mapping'}"
    return f", not {node.value[:80]!r}" if node.value else ", but is empty"


def _boolean(node: Node) -> bool | None:
    return node.value.lower() in ("true", "yes", "on") if node.tag == _TAG + "bool" else None


def _share(node: Node) -> float | None:
    text = scalar(node) or ""
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None
    return share if math.isfinite(share) and 0 <= share < 1 else None


def _count(node: Node) -> int | None:
    text = (scalar(node) or "").replace("_", "")
    return int(text) if node.tag == _TAG + "int" and text.isdecimal() and len(text) < 19 else None
