"""The graph's steps on a TestPipeline."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from beam_taxi.errors import DataError
from beam_taxi.pipeline import build
from beam_taxi.settings import Settings, StatisticsSettings
from beam_taxi.sources.plan import InputPlan, iter_blocks, plan_input, scan
from beam_taxi.sources.units import DataPlan, Unit, plan_units
from beam_taxi.transforms.read import PlanInput
from beam_taxi.transforms.statistics import ComputeStatistics, by_split
from beam_taxi.transforms.write import WriteExamples, _WriteUnits, to_list_columns

LABELS = [
    "PlanInput/Files",
    "PlanInput/Blocks",
    "PlanInput/SpreadBlocks",
    "PlanInput/ScanBlocks",
    "PlanInput/KeyScans",
    "PlanInput/GroupScans",
    "PlanInput/PlanUnits",
    "PlanInput/SpreadTasks",
    "WriteExamples/WriteUnits",
    "ComputeStatistics/Generate",
    "CloseRun/Once",
    "CloseRun/Close",
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for part in range(3):
        rows = "".join(f'{i},"line\n{i % 7}",{i / 4}\n' for i in range(part * 100, part * 100 + 100))
        (tmp_path / f"{part}.csv").write_text("id,note,x\n" + rows)
    return Settings((str(tmp_path / "*.csv"),), str(tmp_path / "run"), "run", num_shards=5)


@pytest.fixture
def plan(settings: Settings) -> InputPlan:
    return plan_input(settings, {})


def planned(plan: InputPlan, settings: Settings) -> tuple[DataPlan, list[Unit]]:
    return plan_units(plan, settings, [scan(plan, block) for f in range(3) for block in iter_blocks(plan, f)])


def test_step_labels_are_stable(settings: Settings, plan: InputPlan):
    pipeline = beam.Pipeline(runner="FnApiRunner")
    build(pipeline, plan, settings, "now")
    labels: list[str] = []

    class Collect(beam.pipeline.PipelineVisitor):
        def enter_composite_transform(self, node: Any) -> None:
            labels.append(node.full_label)

        def visit_transform(self, node: Any) -> None:
            labels.append(node.full_label)

    pipeline.visit(Collect())
    assert [label for label in labels if label.count("/") == 1] == LABELS


def test_plan_csv(plan: InputPlan, settings: Settings):
    with TestPipeline(runner="FnApiRunner") as pipeline:
        plan_made = pipeline | PlanInput(plan, settings)
        assert_that(
            plan_made.tasks | beam.Map(lambda task: [unit.index for unit in task]), equal_to([[i] for i in range(5)])
        )


def test_write_examples(settings: Settings, plan: InputPlan):
    with TestPipeline(runner="FnApiRunner") as pipeline:
        plan_made = pipeline | PlanInput(plan, settings)
        written = plan_made.tasks | WriteExamples(plan, plan_made.plan, settings)
        rows = written.batches | beam.Map(lambda keyed: len(keyed[1])) | beam.CombineGlobally(sum)
        assert_that(rows, equal_to([300]), label="rows")
        shards = written.receipts | beam.Map(lambda receipt: len(receipt.shards))
        assert_that(shards, equal_to([2] * 5), label="shards")


def test_compute_statistics_by_slice():
    batch = pa.RecordBatch.from_arrays([pa.array([[1], [2], None]), pa.array([["a"], ["b"], ["a"]])], names=["n", "s"])
    with TestPipeline(runner="FnApiRunner") as pipeline:
        batches = pipeline | beam.Create([("x", batch), ("x", batch), ("y", batch.slice(1))])
        statistics = batches | ComputeStatistics(StatisticsSettings(slice_features=("s",)))
        counts = statistics | beam.Map(
            lambda all_: {
                split: [(data.name, data.num_examples) for data in one.datasets]
                for split, one in by_split(all_, ["x", "y", "z"]).items()
            }
        )
        x, y = [("All Examples", 6), ("s_a", 4), ("s_b", 2)], [("All Examples", 2), ("s_a", 1), ("s_b", 1)]
        assert_that(counts, equal_to([{"x": x, "y": y, "z": [("", 0)]}]))


def test_the_whole_graph_gives_one_manifest(settings: Settings, plan: InputPlan):
    with TestPipeline(runner="FnApiRunner") as pipeline:
        manifest = build(pipeline, plan, settings, "now")
        assert_that(manifest | beam.Map(lambda m: sum(s["rows"] for s in m["splits"])), equal_to([300]))


def test_units_run_twice_out_of_order_and_killed_give_the_same_files(settings: Settings, plan: InputPlan):
    data, units = planned(plan, settings)
    step = _WriteUnits(plan, settings)
    for unit in units:
        list(step.process((unit,), data))
    run = Path(settings.run_uri)
    first = {p.relative_to(run): p.read_bytes() for p in run.rglob("*.gz")}
    assert len(first) == 10
    for unit in reversed(units):
        killed = step.process((unit,), data)
        next(killed)
        killed.close()
        assert {p.relative_to(run): p.read_bytes() for p in run.rglob("*") if p.is_file()} == first
        list(step.process((unit,), data))
    assert {p.relative_to(run): p.read_bytes() for p in run.rglob("*") if p.is_file()} == first


@pytest.mark.parametrize("change", [lambda text: text + "9,y,0.5\n", lambda text: text[:200]], ids=["grown", "shrunk"])
def test_a_file_that_changes_between_the_passes_is_refused(
    settings: Settings, plan: InputPlan, change: Callable[[str], str]
):
    source = Path(plan.files[1].uri)
    data, units = planned(plan, settings)
    source.write_text(change(source.read_text()))
    outputs = chain.from_iterable(_WriteUnits(plan, settings).process((unit,), data) for unit in units)
    with pytest.raises(DataError, match=r"1.csv: changed while it was read"):
        deque(outputs, 0)


def test_a_file_that_is_shorter_than_it_was_is_refused(settings: Settings, plan: InputPlan):
    Path(plan.files[2].uri).write_text("id,note,x\n1,a,0.5\n")
    with pytest.raises(DataError, match="2.csv: changed while it was read: shorter than"):
        planned(plan, settings)


def test_to_list_columns():
    flat = pa.RecordBatch.from_arrays([pa.array([1, None, 3]), pa.array(["a", "", None])], names=["i", "s"])
    listed = to_list_columns(flat)
    assert listed.column(0).to_pylist() == [[1], None, [3]]
    assert listed.column(1).to_pylist() == [["a"], [""], None]
