"""The counts of a data set as a Parquet file, from which the counts of several runs can be merged.

`docs/merge.md` describes the columns of the file. A record is a column of the table, but for the first, which is of the
rows as wholes. Of a redacted column, the file has neither values nor hashes that values could be guessed from; then it
has no hashes and no sample of rows either.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterator, Mapping
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from beam_taxi.run.folder import RunFolder, sketches_path
from beam_taxi.run.manifest import ArtifactFile
from beam_taxi.run.profile import FLOAT, INT, STRING
from beam_taxi.statistics.profile.dataset import ColumnCounts, DatasetCounts
from beam_taxi.statistics.profile.numbers import NumberCounts
from beam_taxi.statistics.profile.texts import TextCounts

SKETCHES_VERSION = 1
"""Incremented if the meaning of a column changes, but not for a new column."""

VERSION, ROWS, COLUMNS, IS_SLICE = b"beam_taxi.sketches", b"beam_taxi.rows", b"beam_taxi.columns", b"beam_taxi.slice"
"""Keys of the file's metadata: the version, the numbers of rows and columns, and whether the rows are a slice."""

_GROUP_BYTES = 4 << 20
"""Bytes of records that are compressed, and read, at once."""

_INTS, _FLOATS, _HASHES = pa.list_(pa.int64()), pa.list_(pa.float64()), pa.list_(pa.uint64())
_BYTES = pa.list_(pa.binary())
_TOTALS = ("empty", "single", "values", "shortest", "longest", "zeros", "nan", "above", "below", "text_bytes")
_COUNTERS = ("padded", "numbers", "invalid")
_KINDS = {INT: pa.int64(), FLOAT: pa.float32(), STRING: pa.binary()}

SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("type", pa.string()),
        *((name, pa.int64()) for name in _TOTALS),
        ("longer", _INTS),
        ("longer_counts", _INTS),
        ("pivot_int", pa.int64()),
        ("pivot_float", pa.float64()),
        ("offset", pa.float64()),
        ("squares", pa.float64()),
        ("shift", pa.int64()),
        ("counts", _INTS),
        ("int_lows", _INTS),
        ("int_highs", _INTS),
        ("float_lows", _FLOATS),
        ("float_highs", _FLOATS),
        ("hashes", _HASHES),
        ("shortest_text", pa.int64()),
        ("longest_text", pa.int64()),
        ("texts", _BYTES),
        ("text_counts", _INTS),
        ("text_error", pa.int64()),
        *((name, pa.int64()) for name in _COUNTERS),
        ("padded_example", pa.binary()),
        ("numbers_example", pa.binary()),
        ("sample_ints", _INTS),
        ("sample_floats", pa.list_(pa.float32())),
        ("sample_texts", _BYTES),
        ("row_hashes", _HASHES),
        ("row_counts", _INTS),
        ("all_rows", pa.bool_()),
        ("sample_hashes", _HASHES),
    ]
)
"""The columns of the file."""

Cell: TypeAlias = "int | float | str | bytes | bool | npt.NDArray[np.generic] | pa.Array | None"
Record = Mapping[str, Cell]


def publish_counts(
    counts: DatasetCounts, folder: RunFolder, split: str, slice_key: str = "", redacted: Collection[str] = ()
) -> ArtifactFile:
    """Publish the counts of a split, or of a slice of it, in the folder of a run."""
    content, path = io.BytesIO(), sketches_path(split, slice_key)
    write_counts(counts, content, redacted)
    # With too many values to count, moments and frequent strings depend on how the rows were grouped, and a second
    # execution may differ.
    kept = folder.publish_first(path, content.getvalue())
    return ArtifactFile(path, len(kept), hashlib.sha256(kept).hexdigest(), split, counts.rows, slice=slice_key or None)


def write_counts(counts: DatasetCounts, file: BinaryIO, redacted: Collection[str] = ()) -> None:
    """Write the counts of a data set as Parquet, which the rows alone decide as long as all values are counted."""
    counts.compact()
    has_rows = counts.compares_rows and not set(redacted) & counts.columns.keys()
    about = {
        VERSION: str(SKETCHES_VERSION),
        ROWS: str(counts.rows),
        COLUMNS: str(len(counts.columns)),
        IS_SLICE: str(int(counts.is_slice)),
    }
    # Hashes are different from each other, so a dictionary would be longer than they are.
    plain = [f"{name}.list.element" for name in SCHEMA.names if not name.startswith(("hashes", "row_hashes", "sample"))]
    with pq.ParquetWriter(file, SCHEMA.with_metadata(about), compression="zstd", use_dictionary=plain) as writer:
        records: list[Record] = []
        size = 0
        for record in _records(counts, redacted, has_rows):
            records.append(record)
            size += sum(cell.nbytes for cell in record.values() if isinstance(cell, np.ndarray | pa.Array))
            if size > _GROUP_BYTES:
                writer.write_batch(_batch(records))
                records, size = [], 0
        writer.write_batch(_batch(records))


def _records(counts: DatasetCounts, redacted: Collection[str], has_rows: bool) -> Iterator[Record]:
    rows = counts.sample.rows() if has_rows and counts.sample is not None else None
    yield _record_of_rows(counts) if has_rows else {}
    for name, column in sorted(counts.columns.items()):
        sample = None if rows is None else rows.column(rows.schema.get_field_index(name))
        yield {"column": name, **_record(column, sample, name in redacted)}


def _record_of_rows(counts: DatasetCounts) -> Record:
    hashes = counts.hashes
    sample = np.zeros(0, np.uint64) if counts.sample is None else counts.sample.hashes
    return {
        "row_hashes": hashes.hashes,
        "row_counts": hashes.counts,
        "all_rows": hashes.are_all,
        "sample_hashes": sample,
    }


def _record(column: ColumnCounts, sample: pa.Array | None, is_redacted: bool) -> Record:
    rows = column.rows
    record: dict[str, Cell] = {
        "type": column.type,
        "empty": rows.empty,
        "single": rows.single,
        "values": rows.values,
        "shortest": rows.shortest,
        "longest": rows.longest,
        "longer": rows.longer.lows,
        "longer_counts": rows.longer.counts,
    }
    found = column.counts
    if isinstance(found, NumberCounts):
        record |= {"zeros": found.zeros, "nan": found.nan, "above": found.above, "below": found.below}
        record |= {} if is_redacted else _of_numbers(found)
    elif found is not None:
        record |= _of_lengths(found)
        record |= {} if is_redacted else _of_texts(found)
    if sample is not None and column.type is not None:
        place = {INT: "sample_ints", FLOAT: "sample_floats", STRING: "sample_texts"}[column.type]
        record[place] = sample.cast(_KINDS[column.type], safe=False)
    return record


def _of_numbers(found: NumberCounts) -> Record:
    bins, kind = found.bins, "int" if found.bins.lows.dtype == np.int64 else "float"
    if not bins.total:
        return {}
    pivot, offset, squares = found.moments()
    return {
        f"pivot_{'int' if isinstance(pivot, int) else 'float'}": pivot,
        "offset": offset,
        "squares": squares,
        "shift": bins.shift,
        "counts": bins.counts,
        f"{kind}_lows": bins.lows,
        f"{kind}_highs": None if bins.by_value else bins.highs,
        "hashes": None if found.distinct is None else found.distinct.hashes,
    }


def _of_lengths(found: TextCounts) -> Record:
    shortest, longest = found.lengths or (None, None)
    return {
        "text_bytes": found.bytes,
        "shortest_text": shortest,
        "longest_text": longest,
        "invalid": found.all_looks().counts["invalid"],
    }


def _of_texts(found: TextCounts) -> Record:
    looks, order = found.all_looks(), pc.sort_indices(found.values)
    return {
        "texts": found.values.take(order),
        "text_counts": found.counts[order.to_numpy()],
        "text_error": found.error,
        "hashes": None if found.distinct is None else found.distinct.hashes,
        "padded": looks.counts["padded"],
        "numbers": looks.counts["numbers"],
        "padded_example": looks.examples.get("padded"),
        "numbers_example": looks.examples.get("numbers"),
    }


def _batch(records: list[Record]) -> pa.RecordBatch:
    columns = [_column([record.get(field.name) for record in records], field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _values(cell: Cell, kind: pa.DataType) -> pa.Array:
    return cell.cast(kind) if isinstance(cell, pa.Array) else pa.array([] if cell is None else cell, kind)


def _column(cells: list[Cell], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_list(kind):
        return pa.array(cells, kind)
    parts = [_values(one, kind.value_type) for one in cells]
    ends = np.cumsum([0, *(len(part) for part in parts)]).astype(np.int32)
    # A null offset makes a null list.
    offsets = pa.array(ends, mask=np.array([*(one is None for one in cells), False]))
    return pa.ListArray.from_arrays(offsets, pa.concat_arrays(parts))
