"""Parse whole records to Arrow, as text cells to examine or as typed columns to use, and find the bad ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.cuts import last_safe_cut
from beam_taxi.sources.csv.grammar import examine, misfits
from beam_taxi.sources.csv.notation import trimmed, with_plain_numbers
from beam_taxi.sources.csv.plain import is_blank, plain_text
from beam_taxi.sources.csv.records import RecordScan
from beam_taxi.sources.csv.states import OUTSIDE, Positions
from beam_taxi.sources.csv.text import is_column, is_unnamed
from beam_taxi.sources.kinds import ARROW_TYPES, Evidence, Kind


@dataclass(frozen=True)
class BadRecord:
    """A bad record: its bytes, `start` to `end` in the chunk, a reason code, and the reason in words."""

    start: int
    end: int
    code: str
    reason: str


class BadRecords(Exception):
    """Some records are bad; `faults` has reason code and reason by their number among the parsed records."""

    def __init__(self, faults: Mapping[int, tuple[str, str]]) -> None:
        super().__init__(faults)
        self.faults = faults


class TooLong(Exception):
    """The record after the last chunk exceeds the limit."""


class Readable(Protocol):
    """What `iter_chunks` reads: a stream that returns fewer bytes than requested only at the end."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


def record_bounds(chunk: bytes, dialect: Dialect) -> tuple[Positions, Positions]:
    """Return the start and the end of each record in a chunk of whole records, without blank lines."""
    ends = RecordScan(chunk, dialect, 0, len(chunk)).record_ends(OUTSIDE)
    edges = np.unique(np.concatenate([[0], ends, [len(chunk)]]))
    kept = ~is_blank(chunk, edges[:-1], dialect)
    return edges[:-1][kept], edges[1:][kept]


def iter_chunks(stream: Readable, size: int | None, dialect: Dialect, batch_bytes: int) -> Iterator[bytes]:
    """Yield the next `size` bytes, or all bytes up to the end if None, in chunks of whole records.

    The stream must be at the start of a record. A chunk has about `batch_bytes`; only the last one may end without a
    line break. Raises TooLong, and EOFError if there are fewer than `size` bytes.
    """
    rest, left = b"", size
    while left is None or left:
        wanted = max(batch_bytes, len(rest))
        read = stream.read(wanted if left is None else min(wanted, left))
        if not read:
            if left is None:
                break
            raise EOFError
        left = None if left is None else left - len(read)
        rest = rest + read if rest else read
        cut = _last_record_end(rest, dialect)
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
        if len(rest) > dialect.max_record_bytes:
            raise TooLong
    if rest:
        yield rest


def _last_record_end(data: bytes, dialect: Dialect) -> int:
    """Return the end of the last complete record, or 0 if there is none. The bytes after `data` are not known yet."""
    cut = last_safe_cut(data, dialect)
    if not dialect.escape and (dialect.quote_byte is None or data.find(dialect.quote_byte) < 0):
        return max(data.rfind(b"\n", 0, cut), data.rfind(b"\r", 0, cut)) + 1
    ends = RecordScan(data, dialect, 0, cut).record_ends(OUTSIDE)
    return int(ends[-1]) if len(ends) else 0


def cut_chunks(start: int, ends: Positions, size: int) -> Iterator[tuple[int, int]]:
    """Yield consecutive ranges of about `size` bytes, each up to one of `ends`, that cover `start` to the last one."""
    while len(ends):
        last = int(np.searchsorted(ends, start + size, side="right")) - 1
        end = int(ends[max(last, 0)])
        yield start, end
        start, ends = end, ends[max(last, 0) + 1 :]


def sift(
    chunk: bytes, fields: Sequence[str], dialect: Dialect, declared: Mapping[str, Kind], redacted: Collection[str] = ()
) -> tuple[bytes, Cells, list[BadRecord]]:
    """Return the good records of a chunk, as bytes and as text cells, and its bad records."""
    bad: list[BadRecord] = []
    kept: tuple[Positions, Positions] | None = None
    rest = chunk
    while True:
        try:
            cells = parse_text(rest, fields, dialect, declared, redacted)
            return rest, cells, sorted(bad, key=lambda record: record.start)
        except BadRecords as found:
            starts, ends = kept or record_bounds(chunk, dialect)
            numbers = np.fromiter(found.faults, np.int64)
            bad += [
                BadRecord(int(starts[number]), int(ends[number]), code, reason)
                for number, (code, reason) in found.faults.items()
            ]
            kept = np.delete(starts, numbers), np.delete(ends, numbers)
            rest = b"".join(chunk[start:end] for start, end in zip(*kept, strict=True))


@dataclass(frozen=True)
class Cells:
    """The cells of whole records as text, and the evidence of the columns that were examined."""

    table: pa.Table
    evidence: Mapping[str, Evidence]


def parse_text(
    chunk: bytes, fields: Sequence[str], dialect: Dialect, declared: Mapping[str, Kind], redacted: Collection[str] = ()
) -> Cells:
    """Return the cells of whole records as text; missing cells are null. Raises BadRecords.

    Cells of a column in `declared` must be of its kind, and those of a field without a name must be missing. Those of a
    column in `redacted` are not shown in the reasons of bad records.
    """
    columns = [name for name in fields if is_column(name)]
    unnamed = [name for name in fields if is_unnamed(name)]
    table = _read(_utf8(chunk, dialect), fields, dialect, dict.fromkeys([*columns, *unnamed], pa.string()))
    faults: dict[int, tuple[str, str]] = {}
    for name in unnamed:
        for row in np.flatnonzero(table[name].is_valid().to_numpy()):
            faults.setdefault(int(row), ("fields", f"has {table[name][row].as_py()!r} in a column without a name"))
    table = with_plain_numbers(
        table.select(columns), dialect, [name for name in columns if declared.get(name) is not Kind.STRING]
    )
    limit = dialect.max_field_bytes
    for name in columns if len(chunk) > limit else ():
        lengths = pc.binary_length(table[name]).fill_null(0).to_numpy()
        for row in np.flatnonzero(lengths > limit):
            reason = f"column {name!r} has {lengths[row]} bytes, which exceeds the limit, --max_field_bytes {limit}"
            faults.setdefault(int(row), ("field_size", reason))
    evidence: dict[str, Evidence] = {}
    for name in columns:
        kind = declared.get(name, Kind.STRING)
        if kind is Kind.STRING:
            continue
        cells = one_array(table[name])
        evidence[name] = examine(cells)
        for row in misfits(cells, kind) if evidence[name].kind > kind else ():
            shown = "a value" if name in redacted else repr(cells[int(row)].as_py())
            reason = f"column {name!r}: {shown} is not {kind.name}"
            faults.setdefault(int(row), ("type", reason))
    if faults:
        raise BadRecords(faults)
    return Cells(table, evidence)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def parse_typed(chunk: bytes, fields: Sequence[str], dialect: Dialect, kinds: Mapping[str, Kind]) -> pa.RecordBatch:
    """Return whole records as one flat column per feature, in the order of `kinds`; missing cells are null.

    The chunk must have been parsed as text before, without faults.
    """
    text = chunk if dialect.is_utf8 else _utf8(chunk, dialect)
    types = {name: ARROW_TYPES[kind] for name, kind in kinds.items()}
    if dialect.trim or dialect.has_notation:
        table = _read(text, fields, dialect, dict.fromkeys(kinds, pa.string()))
        numeric = [name for name, kind in kinds.items() if kind in (Kind.INT, Kind.FLOAT)]
        table = with_plain_numbers(table, dialect, numeric).cast(pa.schema(list(types.items())))
    else:
        table = _read(text, fields, dialect, types)
    batches = table.combine_chunks().to_batches()
    if batches:
        return batches[0]
    return pa.RecordBatch.from_arrays([pa.array([], ARROW_TYPES[kind]) for kind in kinds.values()], names=list(kinds))


def _utf8(chunk: bytes, dialect: Dialect) -> bytes:
    """Return the chunk as UTF-8. Raises BadRecords with every record that cannot be decoded."""
    if chunk.isascii():
        return chunk
    try:
        text = chunk.decode(dialect.encoding)
        return chunk if dialect.is_utf8 else text.encode()
    except UnicodeDecodeError:
        faults = {}
        for number, (start, end) in enumerate(zip(*record_bounds(chunk, dialect), strict=True)):
            try:
                chunk[start:end].decode(dialect.encoding)
            except UnicodeDecodeError as error:
                told = f"byte 0x{chunk[start + error.start]:02x} is not {dialect.encoding.upper()}; see --encoding"
                faults[number] = ("encoding", told)
        raise BadRecords(faults) from None


def _read(chunk: bytes, fields: Sequence[str], dialect: Dialect, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Return the fields that have a type, in that order. Raises BadRecords."""
    faults: dict[int, tuple[str, str]] = {}

    def set_aside(row: pa_csv.InvalidRow) -> str:
        faults[row.number - 1] = ("fields", f"has {row.actual_columns} fields, the header has {len(fields)}")
        return "skip"

    text = plain_text(chunk, dialect)
    if not text.strip(b"\r\n"):
        return pa.table({name: pa.array([], type_) for name, type_ in types.items()})
    table = pa_csv.read_csv(
        pa.BufferReader(text),
        pa_csv.ReadOptions(column_names=list(fields), block_size=len(text) + 1, use_threads=False),
        pa_csv.ParseOptions(
            delimiter=dialect.delimiter_character,
            quote_char=dialect.quote or False,
            escape_char=dialect.escape or False,
            newlines_in_values=_may_have_line_breaks(text, dialect),
            invalid_row_handler=set_aside,
        ),
        pa_csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=["", *dialect.null_values],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )
    if faults:
        raise BadRecords(faults)
    return trimmed(table, dialect)


def _may_have_line_breaks(text: bytes, dialect: Dialect) -> bool:
    """Return whether a field may have a line break."""
    return any(byte is not None and byte in text for byte in (dialect.quote_byte, dialect.escape_byte))
