"""Footers of Parquet files that this version of Arrow cannot read, because they name types that are newer than it is.

A footer is a FileMetaData message of Thrift's compact protocol (https://github.com/apache/parquet-format,
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md). Newer types occur in two places of
it, and both only say how to read values that are stored in older types: the logical types of the schema, and a copy of
the schema that Arrow made when it wrote the file. Both are hidden by other names of the same length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FLOAT16 = "FLOAT16"
_LOGICAL_TYPES = {15: FLOAT16, 16: "VARIANT", 17: "GEOMETRY", 18: "GEOGRAPHY"}
"""Logical types that came after UUID, the last that every supported version of Arrow knows, by their field numbers."""

_LAST_KNOWN = 14
_SCHEMA, _KEY_VALUES = 2, 5
_NAME, _CHILDREN, _LOGICAL_TYPE = 4, 5, 10
_UNKNOWN_FIELD = 15
_ARROW_SCHEMA, _HIDDEN = b"ARROW:schema", b"arrow_schema"
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12


@dataclass(frozen=True)
class Footer:
    """A footer without newer types, and the columns that have one of these, with its name."""

    content: bytes
    newer: Mapping[str, str]


def without_newer_types(content: bytes) -> Footer:
    """Return a footer with newer types hidden. Raises ValueError or IndexError if it is damaged."""
    return _Reader(content).read()


@dataclass
class _Element:
    name: str = ""
    children: int = 0
    newer: str | None = None


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = bytearray(content)
        self._place = 0

    def read(self) -> Footer:
        elements = list[_Element]()
        for number, type_, _ in self._fields():
            if number == _SCHEMA:
                elements = [self._element() for _ in self._items()]
            elif number == _KEY_VALUES:
                for _ in self._items():
                    self._key_value()
            else:
                self._skip(type_)
        return Footer(bytes(self._content), _by_column(elements))

    def _element(self) -> _Element:
        found = _Element()
        for number, type_, header in self._fields():
            if number == _NAME:
                start, end = self._binary()
                found.name = self._content[start:end].decode()
            elif number == _CHILDREN:
                found.children = self._zigzag()
            elif number == _LOGICAL_TYPE:
                self._logical_type(found, header)
            else:
                self._skip(type_)
        return found

    def _logical_type(self, found: _Element, header: int) -> None:
        """Read a union; a newer one becomes a field that no version of Arrow knows and all skip."""
        for number, type_, _ in self._fields():
            self._skip(type_)
            if number > _LAST_KNOWN:
                found.newer = _LOGICAL_TYPES.get(number, f"number {number}")
        if found.newer is None:
            return
        if self._content[header] >> 4:
            # The number of a field is the difference from that of the field before it.
            self._content[header] += (_UNKNOWN_FIELD - _LOGICAL_TYPE) << 4
        else:
            self._content[header + 1] = _UNKNOWN_FIELD << 1

    def _key_value(self) -> None:
        for _, type_, _ in self._fields():
            if type_ != _BINARY:
                self._skip(type_)
                continue
            start, end = self._binary()
            if self._content[start:end] == _ARROW_SCHEMA:
                self._content[start:end] = _HIDDEN

    def _fields(self) -> Iterator[tuple[int, int, int]]:
        """Yield number, type and place of each field of a struct; the caller reads its value."""
        number = 0
        while True:
            header = self._place
            byte = self._byte()
            if not byte:
                return
            number = number + (byte >> 4) if byte >> 4 else self._zigzag()
            yield number, byte & 0xF, header

    def _items(self) -> range:
        return range(self._list()[0])

    def _list(self) -> tuple[int, int]:
        byte = self._byte()
        return (self._varint() if byte >> 4 == 0xF else byte >> 4), byte & 0xF

    def _skip(self, type_: int, in_list: bool = False) -> None:
        if type_ in (_TRUE, _FALSE):
            self._place += in_list
        elif type_ == _BYTE:
            self._place += 1
        elif type_ == _DOUBLE:
            self._place += 8
        elif type_ == _BINARY:
            self._binary()
        elif type_ in (_LIST, _SET):
            count, items = self._list()
            for _ in range(count):
                self._skip(items, in_list=True)
        elif type_ == _STRUCT:
            for _, field, _ in self._fields():
                self._skip(field)
        elif type_ == _MAP:
            raise ValueError("a footer has no maps")
        else:
            self._varint()

    def _binary(self) -> tuple[int, int]:
        size = self._varint()
        start = self._place
        self._place += size
        return start, self._place

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _byte(self) -> int:
        self._place += 1
        return self._content[self._place - 1]


def _by_column(elements: list[_Element]) -> dict[str, str]:
    """Return the newer types by the columns that they are in; elements are in depth-first order, the root first."""
    found = dict[str, str]()
    if not elements:
        return found
    column, left = "", 0
    for element in elements[1:]:
        if not left:
            column, left = element.name, 1
        left += element.children - 1
        if element.newer is not None:
            found[column] = element.newer
    return found
