"""The second pass: from units to shards of Examples, and to batches for the statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from beam_taxi import counters, example_formats
from beam_taxi.progress import tick
from beam_taxi.run.manifest import Artifact
from beam_taxi.run.versions import check_versions
from beam_taxi.settings import Settings
from beam_taxi.sources.kinds import ARROW_TYPES
from beam_taxi.sources.memory import keep_freed_memory
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.reading import TableReader, UnitBatch
from beam_taxi.sources.source import Reject
from beam_taxi.sources.units import DataPlan, Unit
from beam_taxi.splits.leakage import SplitKeys
from beam_taxi.splits.rules import SplitRule, split_rule
from beam_taxi.splits.strata import Strata
from beam_taxi.statistics import histograms
from beam_taxi.storage import credentials
from beam_taxi.tfexample.batches import EncodedRows, encode_rows, filter_rows, select_columns, to_list_columns
from beam_taxi.tfexample.encode import encode_examples
from beam_taxi.tfexample.formats import format_of
from beam_taxi.tfexample.split import encode_key
from beam_taxi.tfexample.tfrecord import frame_records
from beam_taxi.transforms.quarantine import rejects_of, rejects_without_split
from beam_taxi.transforms.read_table import Task
from beam_taxi.transforms.reconcile import UnitCounts
from beam_taxi.transforms.unit_files import UnitFiles
from beam_taxi.validation.findings import RowFindings
from beam_taxi.validation.keys import KeysOfUnit
from beam_taxi.validation.rules import Rules, rules_of

_ROWS = Metrics.counter(counters.NAMESPACE, counters.ROWS)
_REJECTS = Metrics.counter(counters.NAMESPACE, counters.REJECTS)

SplitBatch = tuple[str, pa.RecordBatch]
"""The name of a split, and some of its rows as list<T> columns."""
KeyedKeys = tuple[tuple[int, int], pa.RecordBatch]
"""The numbers of a `unique` check and of a partition, and keys with their places; see `KeysOfUnit`."""

_MOST_PARTITIONS = 1024

FIRST_ROWS = 10
"""The number of the first rows of the input."""


class WrittenExamples(NamedTuple):
    """The output of `WriteExamples`: parts of its artifacts, the counts of each unit, and the rows by split.

    `findings` are what the rows of each unit show about the rules of the schema and the checks. `keys` are those of the
    `unique` checks, by the numbers of the check and of the partition. `split_keys` are those that should only be in one
    split, if they may be in several. `first` are the first rows of the input.
    """

    artifacts: PCollection[Artifact]
    counts: PCollection[UnitCounts]
    batches: PCollection[SplitBatch]
    findings: PCollection[RowFindings]
    keys: PCollection[KeyedKeys]
    split_keys: PCollection[SplitKeys]
    first: PCollection[pa.RecordBatch]


@dataclass(frozen=True)
class _Judging:
    """The rules that the rows of a unit are split and judged by, and what they show."""

    split_rule: SplitRule
    rules: Rules
    counts: UnitCounts
    findings: RowFindings
    keys: Sequence[KeysOfUnit]
    split_keys: SplitKeys | None


class _WriteUnits(beam.DoFn):
    """Reads and writes a unit in one call, so that a second execution writes the same bytes to the same names."""

    def __init__(self, plan: TablePlan, settings: Settings, versions: Mapping[str, str] | None = None) -> None:
        self._plan = plan
        self._settings = settings
        self._versions = versions or {}
        self._takes_frames = settings.examples and format_of(settings.example_format).takes_frames

    def setup(self) -> None:
        check_versions(self._versions)
        example_formats.check_installed(self._settings.example_format)
        credentials.bill(self._settings.project)
        keep_freed_memory()
        histograms.replace_those_of_tfdv()

    def process(
        self, keyed: tuple[int, Iterable[Task]], data: DataPlan, strata: Strata | None = None
    ) -> Iterator[Artifact | TaggedOutput]:
        rules = rules_of(self._settings, data.kinds)
        split = split_rule(self._settings, data.kinds, strata)
        needs_places = rules.need_places or not self._settings.splitting.by_hash
        for task in keyed[1]:
            columns = _columns_of(data)
            with closing(TableReader(self._plan, data, _progress, needs_places)) as reader:
                for unit in task:
                    files = UnitFiles(self._settings, unit.index, self._plan.n_units, columns)
                    yield from self._write_unit(unit, reader, rules, split, files)

    def _write_unit(
        self, unit: Unit, reader: TableReader, rules: Rules, split: SplitRule, files: UnitFiles
    ) -> Iterator[Artifact | TaggedOutput]:
        counts, findings = UnitCounts(unit.index), RowFindings(self._settings.validation.offenders)
        keys = [KeysOfUnit(check) for check in rules.checks.unique]
        split_keys = SplitKeys() if self._settings.splitting.may_leak else None
        judging = _Judging(split, rules, counts, findings, keys, split_keys)
        wants_first = unit.index == 0
        with files:
            for batch in reader.read(unit):
                if wants_first and len(batch.rows):
                    yield TaggedOutput("first", to_list_columns(self._described(batch.rows[:FIRST_ROWS])))
                    wants_first = False
                for split_batch in self._write(batch, files, judging):
                    yield TaggedOutput("batches", split_batch)
        yield from files.artifacts()
        yield TaggedOutput("counts", counts)
        if not findings.are_empty:
            yield TaggedOutput("findings", findings)
        for number, one in enumerate(keys):
            for partition, batch_of_keys in one.partitions(min(self._plan.n_units, _MOST_PARTITIONS)):
                yield TaggedOutput("keys", ((number, partition), batch_of_keys))
        if split_keys is not None:
            split_keys.compact()
            yield TaggedOutput("split_keys", split_keys)

    def _write(self, batch: UnitBatch, files: UnitFiles, judging: _Judging) -> Iterator[SplitBatch]:
        rules, counts = judging.rules, judging.counts
        settings = self._settings
        for source, rejects in batch.rejects:
            self._reject(source, rejects, files, counts)
        _ROWS.inc(len(batch.rows))
        batch, splits, encoded = self._assign(batch, files, judging)
        if not len(batch.rows):
            return
        kept = np.ones(len(splits), np.bool_)
        violated = judging.findings.add_batch(rules.by_row, batch.rows, splits, batch.places_of)
        if settings.validation.quarantine and violated is not None:
            for source, reject in rejects_of(self._plan, batch, violated, rules.by_row, settings.columns.redacted):
                self._reject(source, [reject], files, counts)
                counts.set_aside(source, reject)
            kept = violated < 0
            judging.findings.set_aside.update(splits[~kept].tolist())
        judging.findings.add_times(rules.checks.freshness, filter_rows(batch.rows, kept))
        for keys in judging.keys:
            keys.add(batch, splits, kept)
        if judging.split_keys is not None:
            records, has_key = self._keys_of(batch.rows)
            chosen = kept & has_key
            places = batch.numbers_of(np.flatnonzero(chosen))
            judging.split_keys.add(filter_rows(records, chosen), splits[chosen], places)
        if settings.examples:
            stored = batch.rows if encoded is None or not self._takes_frames else frame_records(*encoded)
            files.write_rows(filter_rows(stored, kept), splits[kept])
        start = 0
        for source, length in batch.lengths:
            mine = slice(start, start + length)
            by_split = np.bincount(splits[mine][kept[mine]], minlength=len(settings.splits))
            counts.add_rows(source, [int(count) for count in by_split])
            start += length
        described = self._described(batch.rows)
        for index, split in enumerate(settings.splits):
            chosen = (splits == index) & kept
            if chosen.any():
                yield split.name, to_list_columns(filter_rows(described, chosen))

    def _assign(
        self, batch: UnitBatch, files: UnitFiles, judging: _Judging
    ) -> tuple[UnitBatch, npt.NDArray[np.uint8], EncodedRows | None]:
        """Return the rows that have a split, its number, and the tf.Examples if they are needed; reject the others."""
        rule = judging.split_rule
        encoded = encode_rows(batch.rows) if self._takes_frames or rule.needs_checksums else None
        numbers = rule.assign(batch.rows, None if encoded is None else encoded.checksums)
        has_split = numbers >= 0
        if not has_split.all():
            for source, reject in rejects_without_split(self._plan, batch, numbers, rule):
                self._reject(source, [reject], files, judging.counts)
                judging.counts.set_aside(source, reject)
            batch, numbers = batch.filtered(has_split), numbers[has_split]
            encoded = encoded and EncodedRows(filter_rows(encoded.records, has_split), encoded.checksums[has_split])
        return batch, numbers.astype(np.uint8), encoded

    def _keys_of(self, rows: pa.RecordBatch) -> tuple[pa.BinaryArray, npt.NDArray[np.bool_]]:
        """Return what should only be in one split, and which rows have it.

        That are the columns of `--split_key`, none of them missing, or else the row without the name of its split.
        """
        splitting, has_key = self._settings.splitting, np.ones(len(rows), np.bool_)
        if not splitting.key:
            others = [name for name in rows.schema.names if name != splitting.column]
            return encode_examples(select_columns(rows, others or rows.schema.names)), has_key
        columns = select_columns(rows, splitting.key).columns
        for column in columns:
            has_key &= column.is_valid().to_numpy(zero_copy_only=False)
        return encode_key(columns), has_key

    def _described(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return the columns that the statistics are of."""
        names = self._settings.statistics.described_columns()
        return select_columns(rows, names) if names else rows

    def _reject(self, source: int, rejects: Sequence[Reject], files: UnitFiles, counts: UnitCounts) -> None:
        if self._settings.columns.redacted:
            rejects = [replace(reject, raw=None) for reject in rejects]
        files.write_rejects(rejects)
        counts.add_rejects(source, Counter(reject.code for reject in rejects))
        _REJECTS.inc(len(rejects))


def _columns_of(data: DataPlan) -> pa.Schema:
    """Return names and types of the columns of the Examples."""
    types = {name: ARROW_TYPES[kind] for name, kind in data.kinds.items()}
    return pa.schema({name: pa.list_(one) if name in data.with_lists else one for name, one in types.items()})


def _progress(stored_bytes: int, rows: int) -> None:
    tick("write", stored_bytes, rows)


class WriteExamples(beam.PTransform):
    """Parse each unit with the planned types, and write one shard of Examples per split.

    If `settings.examples` is False, no shard is written. The batches for the statistics come from the same pass: since
    one unit is one shard, a unit must be read and written in one call. `strata` is needed with `--stratify`.

        examples = table.tasks | WriteExamples(plan, table.for_units, settings)
    """

    def __init__(
        self,
        plan: TablePlan,
        data: PCollection[DataPlan],
        settings: Settings,
        versions: Mapping[str, str] | None = None,
        strata: PCollection[Strata] | None = None,
    ) -> None:
        super().__init__()
        self._write = _WriteUnits(plan, settings, versions)
        self._data = data
        self._strata = strata

    def expand(self, tasks: PCollection[tuple[int, Iterable[Task]]]) -> WrittenExamples:
        strata = [] if self._strata is None else [AsSingleton(self._strata)]
        write = beam.ParDo(self._write, AsSingleton(self._data), *strata)
        typed = write.with_output_types(
            Artifact,
            counts=UnitCounts,
            batches=SplitBatch,
            findings=RowFindings,
            keys=KeyedKeys,
            split_keys=SplitKeys,
            first=pa.RecordBatch,
        )
        tags = [name for name in WrittenExamples._fields if name != "artifacts"]
        outputs = tasks | "WriteUnits" >> typed.with_outputs(*tags, main="artifacts")
        return WrittenExamples(*(outputs[name] for name in WrittenExamples._fields))
