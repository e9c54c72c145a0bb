"""Sources with columns that are not stored in them: those in their paths, and those that only other sources have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from beam_taxi.errors import DataError
from beam_taxi.sources.csv.grammar import examine
from beam_taxi.sources.kinds import ARROW_TYPES, Kind
from beam_taxi.sources.source import (
    AnySource,
    Batch,
    Joined,
    Part,
    Progress,
    Reader,
    Scan,
    Source,
    SourceInfo,
    no_progress,
)


def extend(source: AnySource, values: Mapping[str, str | None], declared: Mapping[str, Kind]) -> AnySource:
    """Return a source with more columns, each of which has one value in all rows; None is missing.

    Raises DataError if a value is not of its declared kind.
    """
    if not values:
        return source
    kinds = {name: Kind.MISSING if value is None else examine(pa.array([value])).kind for name, value in values.items()}
    for name, kind in kinds.items():
        if kind > declared.get(name, Kind.STRING):
            told = f"{name}={values[name]} in its path is not {declared[name].name}, the type given for the column"
            raise DataError(f"{source.info.uri}: {told}")
    info = replace(source.info, columns=(*source.info.columns, *values))
    return ExtendedSource(info, source, values, kinds)


@dataclass(frozen=True)
class ExtendedSource(Source[Any, Any]):
    """Another source, and values that all its rows have."""

    info: SourceInfo
    inner: AnySource
    values: Mapping[str, str | None]
    kinds: Mapping[str, Kind]

    @property
    def times_read(self) -> int:
        """That of the inner source."""
        return self.inner.times_read

    def edges(self, part_bytes: int) -> Sequence[int]:
        """Return those of the inner source."""
        return self.inner.edges(part_bytes)

    def column_kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of all columns that are known."""
        return {**self.inner.column_kinds(), **self.kinds}

    def scan(self, part: Part, assumption: int | None = None, progress: Progress = no_progress) -> Scan[Any]:
        """Scan the inner source."""
        scan = self.inner.scan(part, assumption, progress)
        scan.content.kinds.update(self.kinds)
        return scan

    def join(self, joints: Sequence[Any]) -> Joined[Any]:
        """Join the parts of the inner source."""
        return self.inner.join(joints)

    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool, with_places: bool = False) -> _Reader:
        """Return a reader that adds the values."""
        stored = {name: kind for name, kind in kinds.items() if name not in self.values}
        return _Reader(self.inner.reader(stored, has_rejects, with_places), self.values, kinds)

    def content_hash(self, digests: Sequence[bytes]) -> str:
        """Return that of the inner source."""
        return self.inner.content_hash(digests)

    def hash_content(self, part_bytes: int) -> str:
        """Return that of the inner source."""
        return self.inner.hash_content(part_bytes)


class _Reader:
    def __init__(self, inner: Reader[Any], values: Mapping[str, str | None], kinds: Mapping[str, Kind]) -> None:
        self._inner = inner
        self._values = values
        self._kinds = kinds

    def read(self, start: Any, end: Any) -> Iterator[Batch]:
        """Yield the rows of the inner source with the values."""
        for batch in self._inner.read(start, end):
            columns = [self._column(batch.rows, name, kind) for name, kind in self._kinds.items()]
            yield replace(batch, rows=pa.RecordBatch.from_arrays(columns, list(self._kinds)))

    def _column(self, rows: pa.RecordBatch, name: str, kind: Kind) -> pa.Array:
        if name not in self._values:
            return rows.column(rows.schema.get_field_index(name))
        value = pa.scalar(self._values[name], pa.string()).cast(ARROW_TYPES[kind])
        return pa.repeat(value, len(rows)) if value.is_valid else pa.nulls(len(rows), value.type)

    def close(self) -> None:
        """Close the inner reader."""
        self._inner.close()
