"""The profile of the data: counts of every column by split and slice, and their files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsIter, PCollection

from beam_taxi.run.folder import PROFILE, RunFolder
from beam_taxi.run.manifest import ArtifactFile
from beam_taxi.run.profile import DatasetProfile, Profile
from beam_taxi.settings import Settings
from beam_taxi.statistics.profile.dataset import DatasetCounts
from beam_taxi.statistics.profile.doubts import doubts
from beam_taxi.statistics.profile.ranked import add_ranked_values
from beam_taxi.statistics.profile.rows import sample_of
from beam_taxi.statistics.profile.stored import publish_counts
from beam_taxi.statistics.redact import redact_profile
from beam_taxi.statistics.splits import SEPARATOR
from beam_taxi.transforms.combining import combine_per_key
from beam_taxi.transforms.compute_statistics import ComputedStatistics, StatisticsBySplit
from beam_taxi.transforms.reconcile import ProfiledFile
from beam_taxi.transforms.write_examples import SplitBatch

_Rows = tuple[str, tuple[bool, pa.RecordBatch]]
"""Some rows of a split or a slice, and whether it is a slice."""
_Profiled = tuple[DatasetProfile, ArtifactFile]
"""The profile of a data set, and the file of its counts."""


class ComputeProfile(beam.PTransform):
    """Count the columns and rows of each split and slice in the batches of the statistics.

    The profile is written to `profile.json`. The counts themselves are written beside it, so that those of several runs
    can be merged.

    The most frequent values of columns with too many values to count are those of the statistics.

        profiled = computed.batches | ComputeProfile(settings, plan.n_units, computed, examples.first)
    """

    def __init__(
        self, settings: Settings, n_units: int, computed: ComputedStatistics, first: PCollection[pa.RecordBatch]
    ) -> None:
        super().__init__()
        self._n_units = n_units
        self._settings = settings
        self._statistics = computed.statistics
        self._first = first

    def expand(self, batches: PCollection[SplitBatch]) -> PCollection[ProfiledFile]:
        profiles = (
            batches
            | "MarkSlices" >> beam.Map(_mark_slice).with_output_types(_Rows)
            | "Count" >> combine_per_key(CountRows(), self._n_units)
            | "Profile" >> beam.Map(_profile, self._settings).with_output_types(_Profiled)
        )
        write = beam.ParDo(_WriteProfile(self._settings), AsIter(profiles), AsIter(self._first))
        return self._statistics | "WriteProfile" >> write.with_output_types(ProfiledFile)


def _mark_slice(keyed: SplitBatch) -> _Rows:
    key, batch = keyed
    return key, (SEPARATOR in key, batch)


def _profile(keyed: tuple[str, DatasetCounts], settings: Settings) -> _Profiled:
    key, counts = keyed
    split, _, slice_key = key.partition(SEPARATOR)
    profile = counts.profile(split, slice_key, settings.statistics.label)
    folder, redacted = RunFolder(settings.run_uri), settings.columns.redacted
    return profile, publish_counts(counts, folder, split, slice_key, redacted)


class CountRows(beam.CombineFn):
    """Counts rows in any order."""

    def create_accumulator(self) -> DatasetCounts:
        return DatasetCounts()

    def add_input(self, counts: DatasetCounts, rows: tuple[bool, pa.RecordBatch]) -> DatasetCounts:
        is_slice, batch = rows
        counts.add(batch, is_slice)
        return counts

    def merge_accumulators(self, accumulators: Iterable[DatasetCounts]) -> DatasetCounts:
        merged = DatasetCounts()
        for one in accumulators:
            merged.merge(one)
        return merged

    def compact(self, counts: DatasetCounts) -> DatasetCounts:
        counts.compact()
        return counts

    def extract_output(self, counts: DatasetCounts) -> DatasetCounts:
        return counts


class _WriteProfile(beam.DoFn):
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = RunFolder(settings.run_uri)
        self._splits = [split.name for split in settings.splits]

    def process(
        self, statistics: StatisticsBySplit, profiled: Iterable[_Profiled], first: Iterable[pa.RecordBatch]
    ) -> Iterator[ProfiledFile]:
        known = list(profiled)
        profiles, files = [one for one, _ in known], [file for _, file in known]
        found = {(one.split, one.slice): one for one in profiles}
        for split in self._splits:
            found.setdefault((split, ""), DatasetProfile(split, 0))
        order = sorted(found, key=lambda key: (self._splits.index(key[0]), key[1]))
        datasets = tuple(add_ranked_values(found[key], statistics[key[0]]) for key in order)
        shown = next((sample_of(rows) for rows in first), None)
        profile = Profile(datasets, self._settings.statistics.label, shown)
        profile = redact_profile(profile, self._settings.columns.redacted)
        # With too many values to count, moments depend on the order in which they are merged: a second execution may
        # differ in a digit.
        kept = self._folder.publish_first(PROFILE, profile.to_json_text().encode())
        file = ArtifactFile(PROFILE, len(kept), hashlib.sha256(kept).hexdigest())
        yield file, tuple(sorted(files, key=lambda one: one.path)), tuple(doubts(profile, self._settings))
