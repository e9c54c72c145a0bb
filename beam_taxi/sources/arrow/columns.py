"""The columns of an Arrow schema: their kinds, and why some cannot be used."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from beam_taxi.errors import DataError
from beam_taxi.settings import Settings
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.names import check_names

_EXACT_DIGITS = 18
"""All whole numbers of at most this many digits are within int64."""


@dataclass(frozen=True)
class Column:
    """A column, or with `--flatten` a field of a struct; `path` has the names from the column to the field.

    `type` is that of its values, those in lists if it has lists. `kind` is the smallest that the values can have:
    those of whole numbers may turn out to be beyond int64. `new_name` is empty if it keeps its own.
    """

    path: tuple[str, ...]
    type: pa.DataType
    kind: Kind
    has_lists: bool = False
    new_name: str = ""

    @property
    def name(self) -> str:
        """The name of the feature."""
        return self.new_name or ".".join(self.path)

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers, so that they may be declared INT if they are whole."""
        return self.kind in (Kind.INT, Kind.FLOAT)

    @property
    def is_bounded(self) -> bool:
        """Whether the type alone decides the kind."""
        if pa.types.is_decimal(self.type):
            return bool(self.type.scale > 0 or self.type.precision - self.type.scale <= _EXACT_DIGITS)
        return not pa.types.is_uint64(self.type)

    def of(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the column in a batch; a field of a struct is null where the struct is."""
        array = batch.column(batch.schema.get_field_index(self.path[0]))
        for name in self.path[1:]:
            array = array.flatten()[array.type.get_field_index(name)]
        return array

    def can_be(self, kind: Kind) -> bool:
        """Return whether values of this type can be of a kind that is given; see `values.misfit`."""
        return kind >= self.kind or (kind is Kind.INT and self.is_number)


@dataclass(frozen=True)
class Columns:
    """The columns of a table by name, and of those that cannot be used the type and what can be done, as text."""

    usable: Mapping[str, Column] = field(default_factory=dict)
    unusable: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [*self.usable, *self.unusable]

    def selected(self, names: Mapping[str, str]) -> Columns:
        """Return the columns that have new names, with these, given the names in the table by new name."""
        return Columns(
            {new: replace(self.usable[old], new_name=new) for new, old in names.items() if old in self.usable},
            {new: self.unusable[old] for new, old in names.items() if old in self.unusable},
        )

    def chosen_by(
        self, uri: str, settings: Settings, declared: Mapping[str, Kind]
    ) -> tuple[Mapping[str, str], Columns]:
        """Return the names in the table of the columns that the settings want, by new name, and the ones to use.

        Raises UsageError if an option names none of the columns, and DataError like `chosen`.
        """
        names = settings.columns.select(uri, self.names)
        return names, self.selected(names).chosen(uri, declared if settings.schema is not None else {})

    def wanted(self, uri: str, names: Collection[str] | None = None) -> dict[str, Column]:
        """Return the columns with these names, or all. Raises DataError if one of them cannot be used."""
        for name, told in self.unusable.items():
            if names is None or name in names:
                raise DataError(f"{uri}: column {name!r} {told}; --drop_columns leaves it out")
        return {name: column for name, column in self.usable.items() if names is None or name in names}

    def chosen(self, uri: str, declared: Mapping[str, Kind]) -> Columns:
        """Return the columns to use. Raises DataError if there are none, or if one that is wanted cannot be used.

        If types are declared, only columns that have one are wanted among those that cannot be used.
        """
        left_out = {name: told for name, told in self.unusable.items() if declared and name not in declared}
        usable = self.wanted(uri, {*self.usable, *self.unusable} - left_out.keys())
        if not usable:
            raise DataError(f"{uri}: has no usable columns")
        return Columns(usable, left_out)

    @property
    def with_lists(self) -> frozenset[str]:
        """The names of the columns that have several values."""
        return frozenset(name for name, column in self.usable.items() if column.has_lists)


def columns_of(uri: str, schema: pa.Schema, flatten: bool = False, unknown: Mapping[str, str] | None = None) -> Columns:
    """Return the columns of a schema. Raises DataError if names cannot be used.

    Args:
        uri: The table.
        schema: Its schema.
        flatten: Whether structs become columns with dotted names.
        unknown: Names of columns whose types this version of Arrow does not know, with those types.
    """
    usable, unusable = list[Column](), dict[str, str]()
    for one in schema:
        if unknown and one.name in unknown:
            unusable[one.name] = _no_place(unknown[one.name])
            continue
        for path, type_ in _leaves((one.name,), one.type, flatten):
            column = _column(path, type_)
            if isinstance(column, str):
                unusable[".".join(path)] = column
            else:
                usable.append(column)
    check_names(uri, (*(column.name for column in usable), *unusable))
    return Columns({column.name: column for column in usable}, unusable)


def _leaves(path: tuple[str, ...], type_: pa.DataType, flatten: bool) -> Iterator[tuple[tuple[str, ...], pa.DataType]]:
    if not flatten or not pa.types.is_struct(type_):
        yield path, type_
        return
    for one in type_:
        yield from _leaves((*path, one.name), one.type, flatten)


def _column(path: tuple[str, ...], type_: pa.DataType) -> Column | str:
    """Return a column, or why it cannot be used."""
    plain = without_extension(type_)
    if is_list(plain):
        values = value_type(plain)
        kind = kind_of(values)
        return _no_place(str(type_)) if kind is None else Column(path, values, kind, has_lists=True)
    kind = kind_of(value_type(plain))
    if kind is not None:
        return Column(path, value_type(plain), kind)
    if pa.types.is_struct(plain):
        return f"{_no_place(str(type_))}; --flatten makes columns of its fields"
    return _no_place(str(type_))


def _no_place(type_: str) -> str:
    return f"of type {type_} has no place in a tf.Example"


def is_list(type_: pa.DataType) -> bool:
    """Return whether values are lists of any layout."""
    known = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
    return any(_is(name, type_) for name in known)


def value_type(type_: pa.DataType) -> pa.DataType:
    """Return the type of the values of a list, a dictionary or an extension type, or the type itself."""
    plain = without_extension(type_)
    if pa.types.is_dictionary(plain):
        return value_type(plain.value_type)
    if is_list(plain):
        # Lists of lists are left as they are, and so have no kind.
        inner = without_extension(plain.value_type)
        return inner if is_list(inner) else value_type(inner)
    return plain


def without_extension(type_: pa.DataType) -> pa.DataType:
    """Return the type as which values of an extension type, such as a UUID, are stored."""
    return type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_


def kind_of(type_: pa.DataType) -> Kind | None:
    """Return the smallest kind that values of a flat type can have, or None (lists, structs, maps, intervals).

    Booleans become 0 and 1; dates, times, timestamps and durations become STRING, see `times`.
    """
    types = pa.types
    if types.is_null(type_):
        return Kind.MISSING
    if types.is_integer(type_) or types.is_boolean(type_):
        return Kind.INT
    if types.is_decimal(type_):
        return Kind.FLOAT if type_.scale > 0 else Kind.INT
    if types.is_floating(type_):
        return Kind.FLOAT
    return Kind.STRING if is_time(type_) or is_text(type_) or is_bytes(type_) else None


def is_time(type_: pa.DataType) -> bool:
    """Return whether values are dates, times, timestamps or durations."""
    return any(_is(name, type_) for name in ("is_date", "is_time", "is_timestamp", "is_duration"))


def is_text(type_: pa.DataType) -> bool:
    """Return whether values are text."""
    return any(_is(name, type_) for name in ("is_string", "is_large_string", "is_string_view"))


def is_bytes(type_: pa.DataType) -> bool:
    """Return whether values are bytes."""
    return any(_is(name, type_) for name in ("is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view"))


def _is(name: str, type_: pa.DataType) -> bool:
    # Older versions of Arrow do not have all types.
    test = getattr(pa.types, name, None)
    return test is not None and bool(test(type_))
