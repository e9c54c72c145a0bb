"""From scanned blocks to units of work: what is known when the data were read once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from beam_taxi.errors import DataError
from beam_taxi.settings import Settings
from beam_taxi.sources.csv.grammar import Kind
from beam_taxi.sources.csv.records import INSIDE, OUTSIDE
from beam_taxi.sources.csv.scan import BlockScan, Boundaries, Place
from beam_taxi.sources.plan import BLOCK_BYTES, InputPlan, scan


@dataclass(frozen=True)
class Piece:
    """Whole records of one file: bytes `start` to `end`, the first on `line`."""

    file: int
    start: int
    end: int
    line: int


@dataclass(frozen=True)
class Unit:
    """What becomes shard `index` of every split."""

    index: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class FileTotals:
    """What the first pass counted in a file: good rows (None: not known yet), blank lines, bad records by reason code.

    `content_hash` names its own construction (see `content_hash`).
    """

    content_hash: str
    rows: int | None
    blank_lines: int
    rejects: Mapping[str, int]


@dataclass(frozen=True)
class DataPlan:
    """The outcome of the first pass: the kind of each feature by name, sorted; totals a file; warnings."""

    kinds: Mapping[str, Kind]
    totals: tuple[FileTotals, ...]
    warnings: tuple[str, ...]


def plan_units(plan: InputPlan, settings: Settings, scans: Iterable[BlockScan]) -> tuple[DataPlan, list[Unit]]:
    """Join the scans of all blocks. Raises DataError with file and line on the first fault, or on too many rejects."""
    by_file: dict[int, list[BlockScan]] = {file: [] for file in range(len(plan.files))}
    for block_scan in scans:
        by_file[block_scan.block.file].append(block_scan)
    joined = [_join(plan, file, sorted(by_file[file], key=lambda s: s.block.index)) for file in by_file]
    _check_rejects(plan, settings, joined)
    kinds = dict.fromkeys(plan.columns, Kind.MISSING)
    for one in joined:
        for name, kind in one.kinds.items():
            kinds[name] = max(kinds[name], kind)
    kinds.update((name, kind) for name, kind in plan.declared.items() if name in kinds)
    for file, one in zip(plan.files, joined, strict=True):
        for name, line in one.overflows.items():
            if kinds[name] is Kind.FLOAT:
                raise DataError(
                    f"{file.at(line)}: column {name!r} overflows float32, the float of tf.Example; "
                    "declare it STRING in --schema to keep its text"
                )
    if not any(one.totals.rows is None or one.totals.rows for one in joined):
        raise DataError(
            f"{plan.files[0].uri}: has no rows" + ("" if plan.files[0].dialect.columns else ", only a header")
        )
    inexact = sorted({n for one in joined for n in one.inexact if kinds[n] is Kind.FLOAT})
    warnings = tuple(f"column {n!r}: float32, the float of tf.Example, loses digits above 2^24" for n in inexact)
    units = _units(plan, joined)
    ordered = {name: kinds[name] for name in sorted(kinds, key=lambda n: n.encode())}
    return DataPlan(ordered, tuple(one.totals for one in joined), warnings), units


def _check_rejects(plan: InputPlan, settings: Settings, joined: list[_Joined]) -> None:
    rejects = sum(sum(one.totals.rejects.values()) for one in joined)
    records = rejects + sum(one.totals.rows or 0 for one in joined)
    allowed = settings.allowed_rejects(records)
    if rejects <= allowed:
        return
    told = next(
        f"{file.at(one.first_reject[0])}: {one.first_reject[1]}"
        for file, one in zip(plan.files, joined, strict=True)
        if one.first_reject
    )
    if allowed or settings.max_rejects is not None or settings.max_reject_ratio is not None:
        told += f"; {rejects:,} of {records:,} records are bad, {allowed:,} may be set aside"
    else:
        told += f"; {rejects:,} bad record(s) in all: mend them, or set them aside with --max_rejects"
    raise DataError(told)


def content_hash(digests: list[bytes]) -> str:
    """Return `sha256:` of a file of one block, else `sha256-32MiB:`, the SHA-256 of its blocks' SHA-256 digests."""
    if len(digests) == 1:
        return f"sha256:{digests[0].hex()}"
    return f"sha256-{BLOCK_BYTES >> 20}MiB:{hashlib.sha256(b''.join(digests)).hexdigest()}"


@dataclass
class _Joined:
    totals: FileTotals
    kinds: dict[str, Kind]
    overflows: dict[str, int]
    inexact: set[str]
    cuts: list[Place]
    end: int = 0
    first_reject: tuple[int, str] | None = None


def _join(plan: InputPlan, file: int, scans: list[BlockScan]) -> _Joined:
    """Follow the state through the blocks of a file; lines become lines of the file."""
    source = plan.files[file]
    state, line, opened = OUTSIDE, source.first_line, source.first_line
    joined = _Joined(FileTotals("", 0, 0, {}), {}, {}, set(), [])
    rejects: Counter[str] = Counter()
    rows = blank = waiting = 0
    for one in scans:
        found = one if one.assumed == state else scan(plan, one.block, state)
        content, bounds = found.content, found.boundaries[state]
        if content.fault is not None:
            lines, reason = content.fault
            raise DataError(f"{source.at(opened if lines is None else line + lines)}: {reason}")
        waiting = _place_cuts(joined.cuts, bounds, line, waiting)
        for name, kind in content.kinds.items():
            joined.kinds[name] = max(joined.kinds.get(name, Kind.MISSING), kind)
        for name, lines in content.overflows.items():
            joined.overflows.setdefault(name, line + lines)
        joined.inexact |= content.inexact
        rows, blank = rows + content.rows, blank + content.blank_lines
        if content.first_reject is not None and joined.first_reject is None:
            joined.first_reject = (line + content.first_reject[0], content.first_reject[1])
        rejects += content.rejects
        if bounds.opening_lines is not None:
            opened = line + bounds.opening_lines
        state, line, joined.end = bounds.state_after, line + found.lines, found.end
    if state == INSIDE:
        raise DataError(f"{source.at(opened)}: the quote that opens here is never closed")
    joined.cuts += [Place(joined.end, line)] * waiting
    if source.table is not None:
        joined.totals = FileTotals(source.table.content_hash, None, 0, {})
    else:
        hashed = content_hash([one.sha256 for one in scans])
        joined.totals = FileTotals(hashed, rows, blank, dict(sorted(rejects.items())))
    return joined


def _place_cuts(cuts: list[Place], bounds: Boundaries, line: int, waiting: int) -> int:
    """Append the record starts of a block's cuts; return how many cuts wait for the next block's first record."""
    if bounds.first is not None:
        cuts += [Place(bounds.first.offset, line + bounds.first.lines)] * waiting
        waiting = 0
    for start in bounds.starts:
        if start is None:
            waiting += 1
        else:
            cuts.append(Place(start.offset, line + start.lines))
    return waiting


def _units(plan: InputPlan, joined: list[_Joined]) -> list[Unit]:
    """Deal the records of all files to the units."""
    pieces: list[list[Piece]] = [[] for _ in range(plan.n_units)]
    for file, source in enumerate(plan.files):
        first = plan.first_unit(plan.bases[file])
        bounds = [
            Place(source.data_start, source.first_line),
            *joined[file].cuts,
            Place(joined[file].end, 0),
        ]
        for unit, (start, end) in enumerate(pairwise(bounds), first - 1):
            if start.offset < end.offset:
                pieces[unit].append(Piece(file, start.offset, end.offset, start.lines))
    return [Unit(index, tuple(its)) for index, its in enumerate(pieces)]


def tasks(plan: InputPlan, units: Iterable[Unit]) -> list[tuple[Unit, ...]]:
    """Group units for the workers: those that begin inside the same decoded file go together, the others alone.

    So such a file is decoded once, and a unit that reaches into the next one reads only that one's beginning.
    """
    groups: list[list[Unit]] = []
    last = None
    for unit in units:
        first = unit.pieces[0].file if unit.pieces else None
        decoded = first is not None and plan.files[first].decoding is not None
        if decoded and first == last:
            groups[-1].append(unit)
        else:
            groups.append([unit])
        last = first if decoded else None
    return [tuple(group) for group in groups]
