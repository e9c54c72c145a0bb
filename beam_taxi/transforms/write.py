"""From units to shards of Examples, and to batches for the statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from beam_taxi import storage
from beam_taxi.errors import DataError
from beam_taxi.examples.encode import encode_examples
from beam_taxi.examples.split import assign_splits, hash_column
from beam_taxi.examples.tfrecord import TFRecordGzipWriter, frame_records, record_checksums
from beam_taxi.ingest.parse import BadRecord, iter_chunks, parse_typed
from beam_taxi.ingest.plan import DataPlan, InputPlan, Piece, Unit
from beam_taxi.layout import WrittenFile, shard_path
from beam_taxi.settings import Settings


@dataclass(frozen=True)
class UnitReceipt:
    """What one unit became: its shards, and the rows of each split from each file, by file number."""

    shards: tuple[WrittenFile, ...]
    rows: Mapping[int, tuple[int, ...]]


class WrittenExamples(NamedTuple):
    """The outcome of `WriteExamples`: receipts, and typed batches of list columns for each split."""

    receipts: PCollection[UnitReceipt]
    batches: dict[str, PCollection[pa.RecordBatch]]


def to_list_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return flat columns as list<T> columns, as TFDV wants them: null stays null, a value is a list of one."""
    columns = []
    for column in batch.columns:
        present = column.is_valid().to_numpy(zero_copy_only=False)
        offsets = np.concatenate([[0], np.cumsum(present)]).astype(np.int32)
        if column.null_count:
            # A null offset makes a null list.
            masked = pa.array(offsets, mask=np.append(~present, False))
            columns.append(pa.ListArray.from_arrays(masked, column.drop_null()))
        else:
            columns.append(pa.ListArray.from_arrays(pa.array(offsets), column))
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


class _WriteUnit(beam.DoFn):
    """Holds a unit from read to write, so that a second execution writes the same bytes to the same names."""

    def __init__(self, plan: InputPlan, settings: Settings) -> None:
        self._plan = plan
        self._settings = settings

    def process(self, unit: Unit, data: DataPlan) -> Iterator[UnitReceipt | TaggedOutput]:
        settings = self._settings
        names = [split.name for split in settings.splits]
        paths = [shard_path(name, unit.index, self._plan.n_units) for name in names]
        rows: dict[int, npt.NDArray[np.int64]] = {}
        with ExitStack() as stack:
            files = [stack.enter_context(storage.publish(settings.run_uri, path)) for path in paths]
            writers = [TFRecordGzipWriter(file, settings.gzip_level) for file in files]
            for piece in unit.pieces:
                counts = rows.setdefault(piece.file, np.zeros(len(names), np.int64))
                for batch in self._batches(piece, data):
                    records = encode_examples(batch)
                    checksums = record_checksums(records)
                    frames = frame_records(records, checksums)
                    hashes = checksums if settings.split_key is None else hash_column(self._key(batch))
                    splits = assign_splits(hashes, [split.weight for split in settings.splits])
                    for index, name in enumerate(names):
                        chosen = pa.array(splits == index)
                        writers[index].write(frames.filter(chosen))
                        part = pa.Table.from_batches([batch]).filter(chosen).combine_chunks()
                        counts[index] += len(part)
                        for flat in part.to_batches():
                            yield TaggedOutput(name, to_list_columns(flat))
            for writer in writers:
                writer.close()
        shards = tuple(
            WrittenFile(path, w.bytes_written, w.sha256.hexdigest(), name, w.records)
            for path, w, name in zip(paths, writers, names, strict=True)
        )
        yield UnitReceipt(shards, {file: tuple(map(int, counts)) for file, counts in rows.items()})

    def _key(self, batch: pa.RecordBatch) -> pa.Array:
        return batch.column(batch.schema.get_field_index(self._settings.split_key))

    def _batches(self, piece: Piece, data: DataPlan) -> Iterator[pa.RecordBatch]:
        plan = self._plan
        source = plan.files[piece.file]
        try:
            with storage.open_input(source.uri) as file:
                for chunk in iter_chunks(file, piece.start, piece.end, ord(plan.delimiter), plan.batch_bytes):
                    yield parse_typed(chunk, source.columns, plan.delimiter, data.kinds)
        except (BadRecord, EOFError, pa.ArrowInvalid):
            # The first pass has read these bytes without a fault.
            raise DataError(f"{source.uri}: changed while it was read") from None
        storage.check_unchanged(source.uri, source.size, source.modified)


class WriteExamples(beam.PTransform):
    """Parse each unit with the plan's types and write it as one gzip TFRecord shard of tf.Example for each split.

    A row's split is a fixed hash of its encoded Example, or of `split_key`, so equal rows share a split.

        written = planned.units | WriteExamples(input_plan, planned.plan, settings)
    """

    def __init__(self, plan: InputPlan, data: AsSingleton, settings: Settings) -> None:
        super().__init__()
        self._plan = plan
        self._data = data
        self._settings = settings

    def expand(self, units: PCollection[Unit]) -> WrittenExamples:
        names = [split.name for split in self._settings.splits]
        outputs = units | "WriteUnits" >> beam.ParDo(_WriteUnit(self._plan, self._settings), self._data).with_outputs(
            *names, main="receipts"
        )
        return WrittenExamples(outputs.receipts, {name: outputs[name] for name in names})
