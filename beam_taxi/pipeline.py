"""The graph.

CSV files -> units -> Examples (sharded TFRecords, by split) --+
              +-----> ExampleStatistics (TFDV, by split) ------+--> manifest.json (last)
                           +-> Schema -------------------------+
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from beam_taxi.settings import Settings
from beam_taxi.sources.plan import InputPlan
from beam_taxi.transforms.read import PlanInput
from beam_taxi.transforms.statistics import CloseRun, ComputeStatistics
from beam_taxi.transforms.write import WriteExamples


def build(
    pipeline: beam.Pipeline,
    plan: InputPlan,
    settings: Settings,
    started: str,
    versions: Mapping[str, str] | None = None,
) -> PCollection[dict[str, Any]]:
    """Add the whole job to `pipeline`; returns the one manifest. Workers must have `versions`, by name."""
    planned = pipeline | "PlanInput" >> PlanInput(plan, settings, versions)
    examples = planned.tasks | "WriteExamples" >> WriteExamples(plan, planned.plan, settings, versions)
    statistics = examples.batches | "ComputeStatistics" >> ComputeStatistics(settings.statistics)
    return pipeline | "CloseRun" >> CloseRun(plan, settings, started, planned.plan, examples.receipts, statistics)
