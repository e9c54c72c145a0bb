"""Whole records to Arrow: text cells to look at, or typed columns to use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from beam_taxi.ingest.grammar import ARROW_TYPES, Kind
from beam_taxi.ingest.records import CR, LF, OUTSIDE, QUOTE, Positions, RecordScan


class BadRecord(Exception):
    """A record that cannot be read; `offset` is where it starts in the bytes that were parsed."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(offset, reason)
        self.offset = offset
        self.reason = reason


def record_starts(chunk: bytes, delimiter: int) -> Positions:
    """Return the start of each record of whole records, blank lines left out."""
    ends = RecordScan(chunk, delimiter, 0, len(chunk)).record_ends(OUTSIDE)
    starts = np.unique(np.concatenate([[0], ends]))
    starts = starts[starts < len(chunk)]
    kept: Positions = starts[~is_blank(chunk, starts)]
    return kept


def is_blank(data: bytes, starts: Positions) -> npt.NDArray[np.bool_]:
    """Tell for each record start whether nothing but a line break is there."""
    first = np.frombuffer(data, np.uint8)[starts]
    blank: npt.NDArray[np.bool_] = (first == LF) | (first == CR)
    return blank


def iter_chunks(file: BinaryIO, start: int, end: int, delimiter: int, size: int) -> Iterator[bytes]:
    """Yield `file[start:end]`, whole records from the first byte on, in chunks of whole records, about `size` bytes."""
    file.seek(start)
    rest, left = b"", end - start
    while left:
        read = file.read(min(max(size, len(rest)), left))
        if not read:
            raise EOFError
        left -= len(read)
        rest += read
        cut = len(rest)
        if left:
            while cut and rest[cut - 1] in (QUOTE, CR):
                cut -= 1
            ends = RecordScan(rest, delimiter, 0, cut).record_ends(OUTSIDE)
            cut = int(ends[-1]) if len(ends) else 0
        if cut:
            yield rest[:cut]
            rest = rest[cut:]


def cut_chunks(start: int, ends: Positions, size: int) -> Iterator[tuple[int, int]]:
    """Yield consecutive ranges of about `size` bytes that cover `start` to the last of `ends`, each ending at one."""
    while len(ends):
        last = int(np.searchsorted(ends, start + size, side="right")) - 1
        end = int(ends[max(last, 0)])
        yield start, end
        start, ends = end, ends[max(last, 0) + 1 :]


def parse_text(chunk: bytes, columns: Sequence[str], delimiter: str) -> pa.Table:
    """Return the cells of whole records as text, null where empty; raises BadRecord."""
    if not chunk.isascii():
        try:
            chunk.decode("utf-8")
        except UnicodeDecodeError as error:
            starts = record_starts(chunk, ord(delimiter))
            start = int(starts[np.searchsorted(starts, error.start, side="right") - 1])
            raise BadRecord(start, f"byte 0x{chunk[error.start]:02x} is not UTF-8; convert the file to UTF-8") from None
    return _read(chunk, columns, delimiter, dict.fromkeys(columns, pa.string()))


def parse_typed(chunk: bytes, columns: Sequence[str], delimiter: str, kinds: Mapping[str, Kind]) -> pa.RecordBatch:
    """Return whole records as one flat column a feature, in the order of `kinds`; null where a cell is empty."""
    table = _read(chunk, columns, delimiter, {name: ARROW_TYPES[kind] for name, kind in kinds.items()})
    batches = table.select(list(kinds)).combine_chunks().to_batches()
    if batches:
        return batches[0]
    return pa.RecordBatch.from_arrays([pa.array([], ARROW_TYPES[kind]) for kind in kinds.values()], names=list(kinds))


def _read(chunk: bytes, columns: Sequence[str], delimiter: str, types: Mapping[str, pa.DataType]) -> pa.Table:
    bad: list[tuple[int, int]] = []

    def refuse(row: pa_csv.InvalidRow) -> str:
        bad.append((row.number, row.actual_columns))
        return "error"

    if not chunk.strip(b"\r\n"):
        return pa.table({name: pa.array([], types[name]) for name in columns})
    try:
        return pa_csv.read_csv(
            pa.BufferReader(chunk),
            pa_csv.ReadOptions(column_names=list(columns), block_size=len(chunk) + 1, use_threads=False),
            pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in chunk, invalid_row_handler=refuse),
            pa_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True, check_utf8=False),
        )
    except pa.ArrowInvalid:
        if not bad:
            raise
        number, found = bad[0]
        start = int(record_starts(chunk, ord(delimiter))[number - 1])
        raise BadRecord(start, f"has {found} fields, the header has {len(columns)}") from None
