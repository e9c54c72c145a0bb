"""From units to shards of Examples, and to batches for the statistics."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, TypeVar

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from beam_taxi import counters, layout, storage
from beam_taxi.layout import WrittenFile, rejects_path, shard_path
from beam_taxi.settings import Settings
from beam_taxi.sources.memory import keep_freed_memory
from beam_taxi.sources.pieces import PieceReader, Reject
from beam_taxi.sources.plan import InputPlan
from beam_taxi.sources.units import DataPlan, Unit
from beam_taxi.statistics import histograms
from beam_taxi.tfexample.encode import encode_examples
from beam_taxi.tfexample.split import assign_splits, hash_column
from beam_taxi.tfexample.tfrecord import TFRecordGzipWriter, frame_records, record_checksums

_ENOUGH_ROWS = 4096
_ROWS = Metrics.counter(counters.NAMESPACE, counters.ROWS)
_REJECTS = Metrics.counter(counters.NAMESPACE, counters.REJECTS)
_Rows = TypeVar("_Rows", pa.Array, pa.RecordBatch)


@dataclass(frozen=True)
class UnitReceipt:
    """What one unit became: its shards, and its file of rejects if it has any.

    `rows` are those of each split by number of the file, `rejects` those by reason code by its URI.
    """

    shards: tuple[WrittenFile, ...]
    reject_file: WrittenFile | None
    rows: Mapping[int, tuple[int, ...]]
    rejects: Mapping[str, Mapping[str, int]]


class WrittenExamples(NamedTuple):
    """The outcome of `WriteExamples`: receipts, and split and list columns of the batches that statistics are of."""

    receipts: PCollection[UnitReceipt]
    batches: PCollection[tuple[str, pa.RecordBatch]]


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


def _joined(unit: Unit, reader: PieceReader) -> Iterator[tuple[pa.RecordBatch, list[tuple[int, int]], list[Reject]]]:
    """Yield the rows of a unit, small batches joined, with how many come from which file, and the rejects of these."""
    batches, lengths, rejects = list[pa.RecordBatch](), list[tuple[int, int]](), list[Reject]()
    for piece in unit.pieces:
        for batch, bad in reader.read(piece):
            if batches and (sum(map(len, batches)) >= _ENOUGH_ROWS or batch.schema != batches[0].schema):
                yield _concatenated(batches), lengths, rejects
                batches, lengths, rejects = [], [], []
            batches.append(batch)
            lengths.append((piece.file, len(batch)))
            rejects += bad
    if batches:
        yield _concatenated(batches), lengths, rejects


def _filtered(rows: _Rows, chosen: npt.NDArray[np.bool_]) -> _Rows:
    """Return the chosen rows of an array or a batch."""
    return rows if chosen.all() else rows.filter(pa.array(chosen))


def _concatenated(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).combine_chunks()
    return next(iter(table.to_batches()), batches[0])


class _WriteUnits(beam.DoFn):
    """Holds a unit from read to write, so that a second execution writes the same bytes to the same names."""

    def __init__(self, plan: InputPlan, settings: Settings, versions: Mapping[str, str] | None = None) -> None:
        self._plan = plan
        self._settings = settings
        self._versions = versions or {}

    def setup(self) -> None:
        layout.check_versions(self._versions)
        keep_freed_memory()
        histograms.replace_those_of_tfdv()

    def process(self, task: tuple[Unit, ...], data: DataPlan) -> Iterator[UnitReceipt | TaggedOutput]:
        with closing(PieceReader(self._plan, data)) as reader:
            for unit in task:
                yield from self._write(unit, reader)

    def _write(self, unit: Unit, reader: PieceReader) -> Iterator[UnitReceipt | TaggedOutput]:
        settings = self._settings
        names = [split.name for split in settings.splits]
        paths = [shard_path(name, unit.index, self._plan.n_units) for name in names if settings.examples]
        rows: dict[int, npt.NDArray[np.int64]] = {}
        codes: dict[str, Counter[str]] = {}
        with ExitStack() as stack:
            files = [stack.enter_context(storage.publish(settings.run_uri, path)) for path in paths]
            writers = [TFRecordGzipWriter(file, settings.gzip_level) for file in files]
            rejects = stack.enter_context(_RejectFile(settings, rejects_path(unit.index, self._plan.n_units)))
            for batch, lengths, bad in _joined(unit, reader):
                rejects.write(bad)
                _ROWS.inc(len(batch))
                _REJECTS.inc(len(bad))
                for reject in bad:
                    codes.setdefault(reject.file, Counter())[reject.code] += 1
                frames, splits = self._encode(batch)
                start = 0
                for file, length in lengths:
                    counts = np.bincount(splits[start : start + length], minlength=len(names))
                    rows[file] = rows.get(file, 0) + counts
                    start += length
                described = self._described(batch)
                for index, name in enumerate(names):
                    chosen = splits == index
                    if frames is not None:
                        writers[index].write(_filtered(frames, chosen))
                    if chosen.any():
                        yield TaggedOutput("batches", (name, to_list_columns(_filtered(described, chosen))))
            for writer in writers:
                writer.close()
        shards = tuple(
            WrittenFile(path, w.bytes_written, w.sha256.hexdigest(), name, w.records)
            for path, w, name in zip(paths, writers, names, strict=False)
        )
        by_file = {file: tuple(map(int, counts)) for file, counts in rows.items()}
        yield UnitReceipt(shards, rejects.written, by_file, {file: dict(count) for file, count in codes.items()})

    def _encode(self, batch: pa.RecordBatch) -> tuple[pa.BinaryArray | None, npt.NDArray[np.uint8]]:
        """Return the TFRecord frame of each row, where there are to be Examples, and the index of its split."""
        settings = self._settings
        key, weights = settings.split_key, [split.weight for split in settings.splits]
        hashes = None if key is None else hash_column(batch.column(batch.schema.get_field_index(key)))
        frames = None
        if settings.examples or (hashes is None and len(weights) > 1):
            records = encode_examples(batch)
            checksums = record_checksums(records)
            frames = frame_records(records, checksums) if settings.examples else None
            hashes = checksums if hashes is None else hashes
        splits = np.zeros(len(batch), np.uint8) if hashes is None else assign_splits(hashes, weights)
        return frames, splits

    def _described(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the columns that statistics are of, and those that slice or weigh."""
        chosen = self._settings.statistics
        if not chosen.features:
            return batch
        names = sorted({*chosen.features, *chosen.slice_features, *filter(None, [chosen.weight_feature])})
        return pa.RecordBatch.from_arrays([batch.column(batch.schema.get_field_index(n)) for n in names], names)


class _RejectFile:
    """The rejects of a unit, published at the end of the block if there are any."""

    def __init__(self, settings: Settings, path: str) -> None:
        self._settings = settings
        self._path = path
        self._stack = ExitStack()
        self._file: BinaryIO | None = None
        self._sha256 = hashlib.sha256()
        self._bytes = self._rows = 0

    def __enter__(self) -> _RejectFile:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def write(self, rejects: Sequence[Reject]) -> None:
        """Append rejects as JSON lines."""
        if rejects and self._file is None:
            self._file = self._stack.enter_context(storage.publish(self._settings.run_uri, self._path))
        for line in (reject.to_json_line() for reject in rejects):
            assert self._file is not None
            self._file.write(line)
            self._sha256.update(line)
            self._bytes += len(line)
            self._rows += 1

    @property
    def written(self) -> WrittenFile | None:
        """The file, None where there was no reject."""
        if self._file is None:
            return None
        return WrittenFile(self._path, self._bytes, self._sha256.hexdigest(), rows=self._rows)


class WriteExamples(beam.PTransform):
    """Parse each unit with the plan's types and write it as one gzip TFRecord shard of tf.Example for each split.

    With `settings.examples` False no shard is written, and only the batches come out.

    A row's split is a fixed hash of its encoded Example, or of `split_key`, so equal rows share a split.

        written = planned.tasks | WriteExamples(input_plan, planned.plan, settings)
    """

    def __init__(
        self, plan: InputPlan, data: AsSingleton, settings: Settings, versions: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._versions = versions
        self._plan = plan
        self._data = data
        self._settings = settings

    def expand(self, tasks: PCollection[tuple[Unit, ...]]) -> WrittenExamples:
        write = _WriteUnits(self._plan, self._settings, self._versions)
        outputs = tasks | "WriteUnits" >> beam.ParDo(write, self._data).with_outputs("batches", main="receipts")
        return WrittenExamples(outputs.receipts, outputs.batches)
