"""The keys of JSON Lines as columns: which of them have lists, and which have values that have no place in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from beam_taxi.sources.jsonlines.objects import Object
from beam_taxi.sources.look import Look

OBJECTS = "has objects, which have no place in a tf.Example; --flatten makes columns of their keys"
NESTED_LISTS = "has lists of lists or of objects, which have no place in a tf.Example"


Shape = str | bool | None
"""Whether a key has lists, or the reason why it cannot be a column; None if it is null."""


@dataclass
class Shapes:
    """What is known about keys: those that have values, lists, and by those that cannot be columns the reason."""

    names: dict[str, None] = field(default_factory=dict)
    with_values: set[str] = field(default_factory=set)
    with_lists: set[str] = field(default_factory=set)
    unusable: dict[str, str] = field(default_factory=dict)

    def add(self, leaves: Iterable[tuple[str, Shape]]) -> None:
        """Add names with their shapes."""
        for name, found in leaves:
            self.names[name] = None
            if found is None:
                continue
            self.with_values.add(name)
            if isinstance(found, str):
                self.unusable.setdefault(name, found)
            elif found:
                self.with_lists.add(name)

    def add_all(self, other: Shapes) -> None:
        """Add what other lines show."""
        self.names |= other.names
        self.with_values |= other.with_values
        self.with_lists |= other.with_lists
        self.unusable = {**other.unusable, **self.unusable}

    def drop_null_objects(self) -> None:
        """Leave out keys that are null wherever they are not an object whose keys have become columns."""
        parents = {name[:end] for name in self.names for end in range(len(name)) if name[end] == "."}
        self.names = {name: None for name in self.names if name in self.with_values or name not in parents}


def shapes_of_schema(schema: pa.Schema, flatten: bool) -> Iterator[tuple[str, Shape]]:
    """Yield the columns of a schema, with their shapes."""
    for path, type_ in leaves_of(schema, flatten):
        yield ".".join(path), _shape_of_type(type_)


def leaves_of(fields: Iterable[pa.Field], flatten: bool) -> Iterator[tuple[tuple[str, ...], pa.DataType]]:
    """Yield path and type of each column; those of structs are followed with `flatten`."""
    for one in fields:
        if flatten and pa.types.is_struct(one.type):
            yield from (((one.name, *path), type_) for path, type_ in leaves_of(one.type, flatten))
        else:
            yield (one.name,), one.type


def _shape_of_type(type_: pa.DataType) -> Shape:
    if pa.types.is_null(type_):
        return None
    if pa.types.is_struct(type_):
        return OBJECTS
    if not pa.types.is_list(type_):
        return False
    return NESTED_LISTS if pa.types.is_nested(type_.value_type) else True


def shapes_of_objects(objects: Iterable[Object]) -> Iterator[tuple[str, Shape]]:
    """Yield the keys of objects, with their shapes."""
    for one in objects:
        for name, value in one.items():
            yield name, shape_of(value)


def shape_of(value: Any) -> Shape:
    """Return the shape of a value."""
    if value is None:
        return None
    if isinstance(value, dict):
        return OBJECTS
    if not isinstance(value, list):
        return False
    return NESTED_LISTS if any(isinstance(one, (dict, list)) for one in value) else True


@dataclass(frozen=True)
class Keys(Look):
    """The keys of a file. With `flatten` those of objects are joined by dots."""

    flatten: bool

    def fault_of(self, name: str, value: Any) -> str | None:
        """Return why the value of a key that is wanted cannot be taken, or None."""
        if value is None:
            return None
        if name not in self.known:
            return self.new_fault(f"the key {name!r}")
        found = shape_of(value)
        if isinstance(found, str):
            return f"column {name!r} {found}"
        return self.list_fault(name) if found and name not in self.with_lists else None
