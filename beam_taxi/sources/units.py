"""From scanned parts to units of work: what is known once the data has been read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from beam_taxi.errors import DataError
from beam_taxi.settings import Settings
from beam_taxi.sources.content import (
    BEYOND_INT64,
    NULLS_IN_LISTS,
    TEXT_AMONG_NUMBERS,
    RowPlace,
    SourceTotals,
    TableContent,
)
from beam_taxi.sources.doubts import doubts
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.source import Joined

AnyJoined = Joined[Any]


@dataclass(frozen=True)
class Piece:
    """Whole records of one source, between two of its positions. `has_rejects` says whether the source has bad ones."""

    source: int
    start: Any
    end: Any
    has_rejects: bool = False


@dataclass(frozen=True)
class Unit:
    """The records that become shard `index` of every split."""

    index: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Totals:
    """What the first pass counted in a source: good rows (None: not known yet), blank lines, bad rows by reason code.

    `content_hash` identifies the content; its prefix names how it was built.
    """

    content_hash: str
    rows: int | None
    blank_lines: int
    rejects: Mapping[str, int]


@dataclass(frozen=True)
class DataPlan:
    """The outcome of the first pass: the kind of each feature by name, sorted; totals by source; warnings.

    `with_lists` has the features with several values.
    """

    kinds: Mapping[str, Kind]
    totals: tuple[Totals, ...]
    warnings: tuple[str, ...]
    with_lists: frozenset[str] = frozenset()

    def for_units(self) -> DataPlan:
        """Return the part that units are read with; the rest grows with the number of sources."""
        return replace(self, totals=(), warnings=())


def plan_units(
    plan: TablePlan, settings: Settings, joined: Mapping[int, AnyJoined], content: TableContent
) -> tuple[DataPlan, list[Unit]]:
    """Cut the table into units. Raises DataError, with file and line, for the first fault or for too many rejects."""
    _check_faults(plan, joined, content)
    totals = [content.totals[number] for number in range(len(plan.sources))]
    _check_rejects(plan, settings, joined, content)
    kinds = {**dict.fromkeys(plan.columns, Kind.MISSING), **content.kinds}
    kinds.update((name, kind) for name, kind in plan.declared.items() if name in kinds)
    overflows = sorted((place, name) for name, place in content.overflows.items() if kinds[name] is Kind.FLOAT)
    if overflows:
        place, name = overflows[0]
        raise DataError(
            f"{_at(plan, joined, place)}: column {name!r} overflows float32, the float of tf.Example; "
            f"--types {name}:STRING keeps the text"
        )
    _check_weights(plan, settings, joined, content)
    if all(one.rows == 0 for one in totals):
        only = "" if settings.dialect.columns else ", only a header"
        raise DataError(f"{plan.sources[0].info.uri}: has no rows{only}")
    ordered = {name: kinds[name] for name in sorted(kinds, key=lambda n: n.encode())}
    told = doubts(content, ordered, lambda place: _at(plan, joined, place), settings.columns.redacted)
    found = tuple(_totals(plan, number, one) for number, one in enumerate(totals))
    warnings = (
        *_left_out(plan),
        *_repeated_headers(plan, joined, content),
        *told,
        *_notes(plan, joined, content, kinds),
    )
    return DataPlan(ordered, found, warnings, plan.with_lists), _units(plan, joined, found)


def _left_out(plan: TablePlan) -> Iterator[str]:
    for source in plan.sources:
        for name, told in source.info.left_out.items():
            yield f"{source.info.uri}: column {name!r} {told}; it is left out, since --schema does not name it"


def _notes(
    plan: TablePlan, joined: Mapping[int, AnyJoined], content: TableContent, kinds: Mapping[str, Kind]
) -> Iterator[str]:
    for (name, what), (count, place) in sorted(content.notes.items()):
        at = _at(plan, joined, place)
        if what == NULLS_IN_LISTS:
            yield f"column {name!r}: {count:,} null{'' if count == 1 else 's'} in lists left out, the first in {at}"
        if what == BEYOND_INT64 and kinds[name] is Kind.STRING and name not in plan.declared:
            yield f"column {name!r} is STRING because of {at}; {count:,} of its whole numbers are beyond int64"
        if what == TEXT_AMONG_NUMBERS and name not in plan.declared:
            yield f"column {name!r} is STRING because of {at}; {count:,} of its values are text, the others are numbers"


def _repeated_headers(plan: TablePlan, joined: Mapping[int, AnyJoined], content: TableContent) -> Iterator[str]:
    """Yield a warning for each source with rows that equal its header."""
    for _, (first, count) in sorted(content.repeated_headers.items()):
        more = f", and so do{'es' if count == 2 else ''} {count - 1:,} more" if count > 1 else ""
        yield (
            f"{_at(plan, joined, first)} repeats the header{more}; was one file appended to another? "
            "It is read as a row, so its columns are STRING: delete it"
        )


def _at(plan: TablePlan, joined: Mapping[int, AnyJoined], place: RowPlace) -> str:
    number = joined[place.source].number_of(place.part, place.row)
    return plan.sources[place.source].info.at(number)


def _check_faults(plan: TablePlan, joined: Mapping[int, AnyJoined], content: TableContent) -> None:
    faults = [(number, *one.fault) for number, one in joined.items() if one.fault is not None]
    if content.fault is not None:
        place, reason = content.fault
        faults.append((place.source, joined[place.source].number_of(place.part, place.row), reason))
    if faults:
        source, number, reason = min(faults)
        raise DataError(f"{plan.sources[source].info.at(number)}: {reason}")


def _check_rejects(plan: TablePlan, settings: Settings, joined: Mapping[int, AnyJoined], content: TableContent) -> None:
    rejects = sum(one.rejects.total() for one in content.totals.values())
    records = rejects + sum(one.rows or 0 for one in content.totals.values())
    allowed = settings.allowed_rejects(records)
    if rejects <= allowed or content.first_reject is None:
        return
    place, reason = content.first_reject
    told = f"{_at(plan, joined, place)}: {reason}"
    if allowed or settings.max_rejects is not None or settings.max_reject_ratio is not None:
        told += f"; {rejects:,} of {records:,} rows are bad, {allowed:,} may be skipped"
    else:
        told += (
            f"; {rejects:,} bad row{'' if rejects == 1 else 's'}. Fix the data, or skip bad rows with --max_rejects N"
        )
    raise DataError(told)


def _check_weights(plan: TablePlan, settings: Settings, joined: Mapping[int, AnyJoined], content: TableContent) -> None:
    fault = content.weights.first_fault()
    if fault is not None:
        name = settings.statistics.weight_feature
        raise DataError(f"{_at(plan, joined, fault[0])}: column {name!r}, the --weight_feature, {fault[1]}")


def _totals(plan: TablePlan, source: int, one: SourceTotals) -> Totals:
    digests = [one.digests[index] for index in sorted(one.digests)]
    content_hash = plan.sources[source].content_hash(digests)
    return Totals(content_hash, one.rows, one.blank_lines, dict(sorted(one.rejects.items())))


def _units(plan: TablePlan, joined: Mapping[int, AnyJoined], totals: Sequence[Totals]) -> list[Unit]:
    """Distribute the records of all sources over the units."""
    pieces: list[list[Piece]] = [[] for _ in range(plan.n_units)]
    for source in range(len(plan.sources)):
        first, has_rejects = plan.first_unit(plan.bases[source]), bool(totals[source].rejects)
        for unit, (start, end) in enumerate(pairwise(joined[source].bounds), first - 1):
            if start < end:
                pieces[unit].append(Piece(source, start, end, has_rejects))
    return [Unit(index, tuple(its)) for index, its in enumerate(pieces)]


def tasks(plan: TablePlan, units: Iterable[Unit]) -> list[tuple[Unit, ...]]:
    """Group units for the workers: units that begin in the same sequential source form one task, others one each.

    So a sequential source is read once, and a unit that extends into the next one reads only its beginning.
    """
    groups: list[list[Unit]] = []
    last = None
    for unit in units:
        first = unit.pieces[0].source if unit.pieces else None
        sequential = first is not None and plan.sources[first].info.is_sequential
        if sequential and first == last:
            groups[-1].append(unit)
        else:
            groups.append([unit])
        last = first if sequential else None
    return [tuple(group) for group in groups]
