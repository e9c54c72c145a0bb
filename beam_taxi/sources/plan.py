"""From patterns to files and blocks: what is known before the data are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise

from beam_taxi import storage
from beam_taxi.errors import DataError, UsageError
from beam_taxi.progress import tick
from beam_taxi.settings import Settings
from beam_taxi.sources.bigquery import SCHEME, open_table, run_query, scan_table
from beam_taxi.sources.csv.grammar import Kind
from beam_taxi.sources.csv.header import read_header
from beam_taxi.sources.csv.scan import BlockScan, scan_block
from beam_taxi.sources.csv.scan_stream import scan_stream
from beam_taxi.sources.parquet import MAGIC, read_columns, scan_parquet
from beam_taxi.sources.source import Block, SourceFile

BLOCK_BYTES = 32 << 20
UNIT_BYTES = 32 << 20
MAX_UNITS = 2048


@dataclass(frozen=True)
class InputPlan:
    """What is known before the data are read: files, columns (the first file's order), types given, number of units.

    Unit i of N takes the records that start in bytes `i*T//N` to `(i+1)*T//N` of all files as they are stored, laid
    end to end; what lies at a share of a compressed file lies at this share of its text.
    """

    files: tuple[SourceFile, ...]
    declared: Mapping[str, Kind]
    n_units: int
    batch_bytes: int
    block_bytes: int = BLOCK_BYTES

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in the order of the first file."""
        return self.files[0].columns

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self.bases[-1]

    @cached_property
    def bases(self) -> tuple[int, ...]:
        """Where each file begins when all are laid end to end, and where the last one ends."""
        return tuple(accumulate((file.size for file in self.files), initial=0))

    def first_unit(self, position: int) -> int:
        """Return the first unit whose cut, `unit*T//N`, is not before `position` bytes of all files."""
        return -(-position * self.n_units // self.size)


def plan_input(settings: Settings, declared: Mapping[str, Kind]) -> InputPlan:
    """Match the patterns and read every header. Raises UsageError and DataError."""
    matched: dict[str, storage.InputFile] = {}
    tables = {pattern for pattern in settings.input if pattern.startswith(SCHEME)}
    if settings.query is not None:
        tables.add(run_query(settings.query, settings.project))
    for pattern in (pattern for pattern in settings.input if pattern not in tables):
        found = storage.match(pattern)
        if not found:
            raise UsageError(f"--input {pattern}: no file matches")
        matched.update((file.uri, file) for file in found)
    files = sorted(matched.values(), key=lambda file: file.uri)
    with ThreadPoolExecutor(32) as pool:
        opened = pool.map(lambda uri: open_table(uri, settings), sorted(tables))
        sources = list(opened) + list(pool.map(lambda file: _source(file, settings, declared), files))
    first = sources[0]
    for number, source in enumerate(sources):
        if source.columns == first.columns:
            # One tuple for all: the plan goes to every worker.
            sources[number] = replace(source, columns=first.columns)
        elif sorted(source.columns) != sorted(first.columns):
            differing = sorted(set(source.columns) ^ set(first.columns))[0]
            raise DataError(
                f"{source.uri}: line 1: the header differs from that of {first.uri}: "
                f"column {differing!r} is in only one of them"
            )
    size = sum(file.size for file in sources)
    unit_bytes = settings.unit_bytes or max(UNIT_BYTES, -(-size // MAX_UNITS))
    n_units = settings.num_shards or -(-size // unit_bytes)
    return InputPlan(tuple(sources), declared, n_units, settings.batch_bytes)


def _source(file: storage.InputFile, settings: Settings, declared: Mapping[str, Kind]) -> SourceFile:
    with storage.open_input(file.uri) as stored:
        if stored.read(len(MAGIC)) == MAGIC:
            columns = read_columns(file)
            return SourceFile(file.uri, file.size, file.modified, columns, 0, 1, settings.dialect, is_parquet=True)
        header = read_header(file.uri, stored, settings.dialect, declared)
    dialect = settings.dialect
    if header.decoding is not None and header.decoding.encoding is not None:
        dialect = replace(dialect, encoding="utf-8")
    return SourceFile(
        file.uri, file.size, file.modified, header.columns, header.end, header.next_line, dialect, header.decoding
    )


def iter_blocks(plan: InputPlan, file: int) -> Iterator[Block]:
    """Yield the blocks of a file; the first one holds the header. A file that is not plain text is one block."""
    source = plan.files[file]
    base = plan.bases[file]
    grid = range(plan.block_bytes, source.size, plan.block_bytes)
    inner = [edge for edge in grid if edge > source.data_start] if not source.is_one_block else []
    edges = [0, *inner, source.size]
    for index, (start, end) in enumerate(pairwise(edges)):
        units = range(plan.first_unit(base + start), plan.first_unit(base + end))
        cuts = tuple(unit * plan.size // plan.n_units - base for unit in units)
        yield Block(file, index, start, end, cuts)


def scan(plan: InputPlan, block: Block, state: int | None = None) -> BlockScan:
    """Read a block for the first pass; `state` is that in which it begins, if known."""
    source = plan.files[block.file]
    if source.decoding is not None:
        return scan_stream(source, block, plan.declared, plan.batch_bytes)
    if source.table is not None:
        found = scan_table(source, block, plan.declared)
    elif source.is_parquet:
        found = scan_parquet(source, block, plan.declared)
    else:
        found = scan_block(source, block, plan.declared, plan.batch_bytes, state)
    tick("scan", block.end - block.start, found.content.rows)
    return found
