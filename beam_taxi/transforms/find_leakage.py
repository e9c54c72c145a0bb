"""Find keys that are in more than one split."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import apache_beam as beam
from apache_beam.pvalue import PCollection

from beam_taxi.run.leakage import Leakage
from beam_taxi.settings import Settings
from beam_taxi.sources.plan import TablePlan
from beam_taxi.splits.leakage import SplitKeys
from beam_taxi.transforms.combining import combine_globally


class MergeKeys(beam.CombineFn):
    """Merges the keys of units in any order."""

    def create_accumulator(self) -> SplitKeys:
        return SplitKeys()

    def add_input(self, merged: SplitKeys, keys: SplitKeys) -> SplitKeys:
        merged.merge(keys)
        return merged

    def merge_accumulators(self, accumulators: Iterable[SplitKeys]) -> SplitKeys:
        merged = SplitKeys()
        for one in accumulators:
            merged.merge(one)
        return merged

    def compact(self, keys: SplitKeys) -> SplitKeys:
        keys.compact()
        return keys

    def extract_output(self, keys: SplitKeys) -> SplitKeys:
        return keys


class FindLeakage(beam.PTransform):
    """Return the one `Leakage` of a run in which a key may be in several splits.

    leakage = examples.split_keys | FindLeakage(plan, settings)
    """

    def __init__(self, plan: TablePlan, settings: Settings) -> None:
        super().__init__()
        self._plan = plan
        self._settings = settings

    def expand(self, keys: PCollection[SplitKeys]) -> PCollection[Leakage]:
        return (
            keys
            | "MergeKeys" >> combine_globally(MergeKeys(), self._plan.n_units)
            | "Tell" >> beam.Map(_leakage, self._plan, self._settings).with_output_types(Leakage)
        )


def _leakage(keys: SplitKeys, plan: TablePlan, settings: Settings) -> Leakage:
    files = [source.info.uri for source in plan.sources]
    splitting = settings.splitting
    found = keys.leakage(splitting.key, [split.name for split in settings.splits], files)
    return found if splitting.key else replace(found, without=splitting.column or "")
