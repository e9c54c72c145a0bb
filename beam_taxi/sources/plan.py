"""From patterns to sources and parts: what is known before the data is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from beam_taxi import storage
from beam_taxi.dates import is_dated
from beam_taxi.errors import DataError, UsageError
from beam_taxi.settings import Settings
from beam_taxi.sources import registry
from beam_taxi.sources.bigquery.opening import check_query, open_query
from beam_taxi.sources.days import Days, find_days
from beam_taxi.sources.extended import ExtendedSource, extend
from beam_taxi.sources.formats import EmptyFile
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.layout import Keys, Layout, lay_out
from beam_taxi.sources.source import AnySource, Part
from beam_taxi.sources.stored_file import PART_BYTES
from beam_taxi.sources.unit_count import most_units, units_for


@dataclass(frozen=True)
class TablePlan:
    """What is known before the data is read: the sources, the types that are given, and the number of units.

    Unit i of N takes the records that start in bytes `i*T//N` to `(i+1)*T//N` of all sources, as stored and laid end to
    end, T bytes in total. If positions are not stored bytes, a cut at some fraction of the size of a source is made at
    that fraction of its text or rows. `notes` says what was decided about the files. `passes_between` is the number of
    times that rows are read between the first pass and the second.
    """

    sources: tuple[AnySource, ...]
    declared: Mapping[str, Kind]
    n_units: int
    part_bytes: int = PART_BYTES
    notes: tuple[str, ...] = ()
    passes_between: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in the order of the first source."""
        return self.sources[0].info.columns

    @property
    def with_lists(self) -> frozenset[str]:
        """The columns that have several values in any source."""
        return frozenset().union(*(source.info.with_lists for source in self.sources))

    @property
    def size(self) -> int:
        """The size of all sources in bytes."""
        return self.bases[-1]

    @property
    def bytes_read(self) -> int:
        """The number of bytes that all passes read together."""
        return sum(source.info.size * (source.times_read + self.passes_between) for source in self.sources)

    @cached_property
    def bases(self) -> tuple[int, ...]:
        """Where each source begins when all are laid end to end, and where the last one ends."""
        return tuple(accumulate((source.info.size for source in self.sources), initial=0))

    def first_unit(self, position: int) -> int:
        """Return the first unit whose cut, `unit*T//N`, is not before `position` bytes of all sources."""
        return -(-position * self.n_units // self.size)

    def parts(self, source: int) -> Iterator[Part]:
        """Yield the parts of a source in order."""
        base = self.bases[source]
        for index, (start, end) in enumerate(pairwise(self.sources[source].edges(self.part_bytes))):
            units = range(self.first_unit(base + start), self.first_unit(base + end))
            yield Part(source, index, start, end, tuple(unit * self.size // self.n_units - base for unit in units))


def plan_input(settings: Settings, declared: Mapping[str, Kind]) -> TablePlan:
    """Match the patterns, open every source, and run the query. Raises UsageError and DataError."""
    opened = open_input(settings, declared, find_days(settings))
    if settings.query is not None:
        opened.sources.insert(0, open_query(check_query(settings.query, settings), settings, declared))
    return plan_sources(opened, settings, declared)


class Opened(NamedTuple):
    """Open sources, and what was decided about their files."""

    sources: list[AnySource]
    notes: list[str]


def open_input(settings: Settings, declared: Mapping[str, Kind], days: Days) -> Opened:
    """Match the patterns of `--input` and open what they match. Raises UsageError and DataError.

    `days` has what those with placeholders match.
    """
    matched: dict[str, tuple[storage.InputFile, Keys]] = {}
    notes = [*days.notes]
    patterns = [pattern for pattern in settings.input if not is_dated(pattern)]
    tables = {pattern for pattern in patterns if registry.is_table(pattern)}
    layouts = [_layout(pattern) for pattern in patterns if pattern not in tables]
    for layout in (*layouts, *days.layouts):
        matched.update(layout.files)
        notes += layout.notes

    def open_file(uri: str) -> AnySource | EmptyFile:
        file, keys = matched[uri]
        try:
            source = registry.open_file(file, settings, declared)
        except EmptyFile as error:
            return error
        stored = source.info.columns
        return extend(source, {name: value for name, value in keys.items() if name not in stored}, declared)

    with ThreadPoolExecutor(32) as pool:
        opened_tables = pool.map(lambda uri: registry.open_table(uri, settings, declared), sorted(tables | days.tables))
        opened_files = list(pool.map(open_file, sorted(matched)))
        sources = [*opened_tables, *(one for one in opened_files if not isinstance(one, EmptyFile))]
    empty = [one for one in opened_files if isinstance(one, EmptyFile)]
    if empty and not sources:
        raise empty[0]
    if empty:
        notes.append(f"skipped {len(empty):,} file{'' if len(empty) == 1 else 's'} without rows: {empty[0]}")
    return Opened(sources, notes)


def _layout(pattern: str) -> Layout:
    found = storage.match_below(pattern)
    if not found:
        raise UsageError(f"--input {pattern}: no file matches")
    return lay_out(storage.absolute(pattern), found)


def plan_sources(opened: Opened, settings: Settings, declared: Mapping[str, Kind]) -> TablePlan:
    """Return the plan of open sources. Raises DataError if their columns differ, unless the settings allow it."""
    sources = opened.sources
    if settings.union is not None:
        sources = _with_all_columns(sources, declared)
    sources = _with_equal_columns(sources)
    wanted = units_for(sum(source.info.size for source in sources), settings)
    most = most_units([source.info for source in sources]) or wanted
    # A number that is asked for is kept.
    n_units = wanted if settings.num_shards else min(wanted, most)
    notes = [*opened.notes, *_notes_on_keys(sources)]
    if n_units > most:
        notes.append(f"{n_units - most} of {n_units} shards are empty: BigQuery serves the table in too few streams")
    passes_between = int(settings.splitting.stratify)
    return TablePlan(tuple(sources), declared, n_units, notes=tuple(notes), passes_between=passes_between)


def _notes_on_keys(sources: Iterable[AnySource]) -> Iterator[str]:
    names = {
        name: source.info.uri
        for source in sources
        if isinstance(source, ExtendedSource)
        for name, value in source.values.items()
        if value is not None
    }
    for name, uri in names.items():
        yield f"column {name!r} comes from the paths, such as {uri}"


def _with_all_columns(sources: Iterable[AnySource], declared: Mapping[str, Kind]) -> list[AnySource]:
    """Return the sources with the columns of all of them, of which they have no values."""
    columns = dict.fromkeys(name for source in sources for name in source.info.columns)

    def missing(source: AnySource) -> dict[str, None]:
        known = set(source.info.columns)
        return {name: None for name in columns if name not in known}

    return [extend(source, missing(source), declared) for source in sources]


def _with_equal_columns(sources: list[AnySource]) -> list[AnySource]:
    """Return the sources; what is equal in them is one object, since the plan is sent to every worker.

    Raises DataError if the columns differ.
    """
    first, kept = sources[0].info, list[AnySource]()
    first_of_type = dict[type, AnySource]()
    for source in sources:
        info = source.info
        if info.columns != first.columns and sorted(info.columns) != sorted(first.columns):
            differing = sorted(set(info.columns) ^ set(first.columns))[0]
            told = "line 1: the header differs from that" if info.format == "csv" else "the columns differ from those"
            raise DataError(
                f"{info.uri}: {told} of {first.uri}: column {differing!r} is in only one of them "
                "(--union by_name takes all columns)"
            )
        kept.append(_sharing(source, first_of_type.setdefault(type(source), source)))
    return kept


def _sharing(one: Any, other: Any) -> Any:
    """Return `one`; what it has in common with `other`, a frozen dataclass of its type, is the object of `other`."""
    if type(one) is not type(other):
        return one
    if one == other:
        return other
    if not is_dataclass(one):
        return one
    return replace(
        one,  # type: ignore[type-var]
        **{field.name: _sharing(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)},
    )
