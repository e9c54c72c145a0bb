"""The graph's steps on a TestPipeline."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, permutations
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from beam_taxi.errors import DataError, RowConservationError, StorageError
from beam_taxi.pipeline import build
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import Artifact, ArtifactFile, InputEntry, RunManifest, SplitEntry
from beam_taxi.settings import Settings, Split, SplitSettings, StatisticsSettings, ValidationSettings
from beam_taxi.sources.content import Content, TableContent
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.losses import Losses
from beam_taxi.sources.plan import TablePlan, plan_input
from beam_taxi.sources.spelling import Spelling
from beam_taxi.sources.units import DataPlan, Totals
from beam_taxi.sources.weights import Weights
from beam_taxi.tfexample.batches import to_list_columns
from beam_taxi.transforms.compute_statistics import ComputeStatistics
from beam_taxi.transforms.inform_reader import InformReader
from beam_taxi.transforms.read_table import ReadTable
from beam_taxi.transforms.reconcile import UnitCounts, reconcile
from beam_taxi.transforms.write_examples import WriteExamples, _WriteUnits

LABELS = [
    "ReadTable/Impulse",
    "ReadTable/Parts",
    "ReadTable/SpreadParts",
    "ReadTable/ScanParts",
    "ReadTable/GroupJoints",
    "ReadTable/JoinParts",
    "ReadTable/SpreadPartsAgain",
    "ReadTable/ScanAgain",
    "ReadTable/KeepSound",
    "ReadTable/AllParts",
    "ReadTable/MergeContent",
    "ReadTable/PlanUnits",
    "ReadTable/SpreadTasks",
    "WriteExamples/WriteUnits",
    "ComputeStatistics/Generate",
    "ComputeStatistics/Gather",
    "ComputeStatistics/WriteStatistics",
    "InferSchema/Infer",
    "ComputeProfile/MarkSlices",
    "ComputeProfile/Count",
    "ComputeProfile/Profile",
    "ComputeProfile/WriteProfile",
    "Reconcile/Check",
    "WriteManifest/Write",
]

LABELS_OF_VALIDATION = [
    "ValidateStatistics/GroupKeys",
    "ValidateStatistics/FindDuplicates",
    "ValidateStatistics/AllFindings",
    "ValidateStatistics/MergeFindings",
    "ValidateStatistics/Judge",
]
"""Those of a run with a check of uniqueness, after those of `InferSchema`."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for part in range(3):
        rows = "".join(f'{i},"line\n{i % 7}",{i / 4}\n' for i in range(part * 100, part * 100 + 100))
        (tmp_path / f"{part}.csv").write_text("id,note,x\n" + rows)
    RunFolder(str(tmp_path / "run")).claim()
    return Settings((str(tmp_path / "*.csv"),), str(tmp_path / "run"), "run", num_shards=5)


@pytest.fixture
def plan(settings: Settings) -> TablePlan:
    return plan_input(settings, {})


@pytest.fixture
def planned(settings: Settings, plan: TablePlan) -> RunManifest:
    return planned_run(settings, plan)


def planned_run(settings: Settings, plan: TablePlan) -> RunManifest:
    return RunManifest(
        settings.run_id,
        settings.pipeline_name,
        settings.run_uri,
        settings,
        settings.sha256(),
        {},
        tuple(InputEntry(one.info.uri, one.info.format, one.info.size) for one in plan.sources),
        tuple(SplitEntry(split.name, split.weight) for split in settings.splits),
    )


def labels_of(planned: RunManifest, plan: TablePlan) -> list[str]:
    """Return the labels of the steps in the top-level transforms."""
    pipeline = beam.Pipeline(runner="FnApiRunner")
    build(pipeline, plan, planned)
    labels: list[str] = []

    class Collect(beam.pipeline.PipelineVisitor):
        def enter_composite_transform(self, node: Any) -> None:
            labels.append(node.full_label)

        def visit_transform(self, node: Any) -> None:
            labels.append(node.full_label)

    pipeline.visit(Collect())
    return [label for label in labels if label.count("/") == 1]


def test_step_labels_are_stable(planned: RunManifest, plan: TablePlan):
    assert labels_of(planned, plan) == LABELS


def test_step_labels_of_examples_that_are_described_are_stable(planned: RunManifest, plan: TablePlan):
    place = LABELS.index("ComputeProfile/MarkSlices")
    for example_format, expected in (("tfrecord", ["DescribeExamples/Describe"]), ("parquet", [])):
        settings = replace(planned.settings, example_format=example_format)
        found = labels_of(replace(planned, settings=settings), plan)
        assert found == [*LABELS[:place], *expected, *LABELS[place:]]


CHECKS = "version: 1\nrow_count: [{min: 1}]\n"
LABELS_WITHOUT_KEYS = ["ValidateStatistics/MergeFindings", "ValidateStatistics/Judge"]
VALIDATIONS = {
    "a schema": ({"schema": ""}, LABELS_WITHOUT_KEYS),
    "a baseline": ({"validation": ValidationSettings(baseline="/before")}, LABELS_WITHOUT_KEYS),
    "checks": ({"validation": ValidationSettings(checks=CHECKS)}, LABELS_WITHOUT_KEYS),
    "unique keys": (
        {"validation": ValidationSettings(checks=CHECKS + "unique: [{columns: [id]}]\n")},
        LABELS_OF_VALIDATION,
    ),
}


@pytest.mark.parametrize(("given", "expected"), VALIDATIONS.values(), ids=VALIDATIONS)
def test_step_labels_of_a_validation_are_stable(
    planned: RunManifest, plan: TablePlan, given: dict[str, Any], expected: list[str]
):
    place = LABELS.index("Reconcile/Check")
    found = labels_of(replace(planned, settings=replace(planned.settings, **given)), plan)
    assert found == [*LABELS[:place], *expected, *LABELS[place:]]


LABELS_OF_STRATA = ["CountClasses/CountUnits", "CountClasses/MergeClasses", "CountClasses/EndSplits"]
LABELS_OF_LEAKAGE = ["FindLeakage/MergeKeys", "FindLeakage/Tell"]


def test_step_labels_of_splits_are_stable(planned: RunManifest, plan: TablePlan):
    place = LABELS.index("WriteExamples/WriteUnits")
    settings = replace(
        planned.settings, splitting=SplitSettings(stratify=True), statistics=StatisticsSettings(label="x")
    )
    found = labels_of(replace(planned, settings=settings), plan)
    assert found == [*LABELS[:place], *LABELS_OF_STRATA, *LABELS[place:]]
    names = (Split("train"), Split("eval"))
    settings = replace(planned.settings, splits=names, splitting=SplitSettings(column="note"))
    found = labels_of(replace(planned, settings=settings), plan)
    assert found == [*LABELS[: place + 1], *LABELS_OF_LEAKAGE, *LABELS[place + 1 :]]


def test_read_table(plan: TablePlan, settings: Settings):
    with TestPipeline(runner="FnApiRunner") as pipeline:
        table = pipeline | ReadTable(plan, settings)
        indexes = table.tasks | beam.FlatMapTuple(lambda _, tasks: [[unit.index for unit in task] for task in tasks])
        assert_that(indexes, equal_to([[i] for i in range(5)]))


def test_parts_that_begin_inside_quotes_are_scanned_again(tmp_path: Path):
    # Each line in quotes looks like a record, so that the guess is wrong.
    text = "id,note\n" + "".join(f'{i},"a\n{i},b\n{i},b\n{i},b"\n' for i in range(300))
    (tmp_path / "x.csv").write_text(text)
    settings = Settings((str(tmp_path / "x.csv"),), str(tmp_path / "run"), "run", num_shards=3)
    plan = replace(plan_input(settings, {}), part_bytes=7)
    assert any(source.join([source.scan(part).joint for part in plan.parts(0)]).again for source in plan.sources)
    with TestPipeline(runner="FnApiRunner") as pipeline:
        table = pipeline | ReadTable(plan, settings)
        assert_that(
            table.data | beam.Map(lambda data: (data.totals[0].rows, data.kinds)),
            equal_to([(300, {"id": Kind.INT, "note": Kind.STRING})]),
        )


def test_write_examples(settings: Settings, plan: TablePlan):
    with TestPipeline(runner="FnApiRunner") as pipeline:
        table = pipeline | ReadTable(plan, settings)
        written = table.tasks | WriteExamples(plan, table.data, settings)
        rows = written.batches | beam.Map(lambda keyed: len(keyed[1])) | beam.CombineGlobally(sum)
        assert_that(rows, equal_to([300]), label="rows")
        shards = written.artifacts | beam.Map(lambda artifact: (artifact.key, len(artifact.files)))
        assert_that(shards, equal_to([("examples", 2)] * 5), label="shards")
        assert_that(written.counts | beam.Map(lambda one: one.unit), equal_to(range(5)), label="counts")


def test_compute_statistics_by_slice(tmp_path: Path):
    batch = pa.RecordBatch.from_arrays([pa.array([[1], [2], None]), pa.array([["a"], ["b"], ["a"]])], names=["n", "s"])
    RunFolder(str(tmp_path / "run")).claim()
    settings = Settings(
        ("x",),
        str(tmp_path / "run"),
        "run",
        splits=(Split("x", 1), Split("y", 1), Split("z", 1)),
        statistics=StatisticsSettings(slice_features=("s",)),
    )
    with TestPipeline(runner="FnApiRunner") as pipeline:
        batches = pipeline | beam.Create([("x", batch), ("x", batch), ("y", batch.slice(1))])
        computed = batches | ComputeStatistics(settings)
        counts = computed.statistics | beam.Map(
            lambda by_split: {
                split: [(data.name, data.num_examples) for data in one.datasets] for split, one in by_split.items()
            }
        )
        x, y = [("All Examples", 6), ("s_a", 4), ("s_b", 2)], [("All Examples", 2), ("s_a", 1), ("s_b", 1)]
        assert_that(counts, equal_to([{"x": x, "y": y, "z": [("", 0)]}]))
        rows = computed.artifacts | beam.Map(lambda one: [(file.split, file.rows) for file in one.files])
        assert_that(rows, equal_to([[("x", 6)], [("y", 2)], [("z", 0)]]), label="rows")


def test_the_whole_graph_gives_one_manifest(planned: RunManifest, plan: TablePlan):
    with TestPipeline(runner="FnApiRunner") as pipeline:
        manifest = build(pipeline, plan, planned)
        assert_that(manifest | beam.Map(lambda one: sum(split.rows for split in one.splits)), equal_to([300]))


def fail(manifest: RunManifest) -> None:
    raise ValueError("no template")


def test_a_reader_that_fails_does_not_fail_the_job(
    planned: RunManifest, plan: TablePlan, caplog: pytest.LogCaptureFixture
):
    with TestPipeline(runner="FnApiRunner") as pipeline:
        informed = build(pipeline, plan, planned) | InformReader(fail)
        assert_that(informed | beam.Map(lambda one: one.run_id), equal_to(["run"]))
    assert (Path(planned.run_uri) / "manifest.json").is_file()
    assert "run run is complete, but no template" in caplog.text


def counted(plan: TablePlan, planned: RunManifest) -> tuple[DataPlan, list[UnitCounts], list[Artifact]]:
    """Return what a graph without a fault gives to Reconcile."""
    data = DataPlan({"id": Kind.INT}, tuple(Totals("sha256:0", 100, 0, {}) for _ in plan.sources), ())
    counts = [UnitCounts(index) for index in range(plan.n_units)]
    for number in range(len(plan.sources)):
        counts[number].add_rows(number, [60, 40])
    files = [ArtifactFile(f"{name}", 1, "00", name, rows) for name, rows in (("train", 180), ("eval", 120))]
    return data, counts, [Artifact("examples", "Examples", (file,)) for file in files]


def test_reconcile(plan: TablePlan, planned: RunManifest):
    manifest = reconcile(plan, planned, *counted(plan, planned))
    assert [(split.name, split.rows) for split in manifest.splits] == [("train", 180), ("eval", 120)]
    assert [entry.split_rows for entry in manifest.inputs] == [{"train": 60, "eval": 40}] * 3
    assert [file.path for file in manifest.artifacts["examples"].files] == ["eval", "train"]


def test_rows_that_are_lost_or_counted_twice_fail_the_run(plan: TablePlan, planned: RunManifest):
    data, counts, parts = counted(plan, planned)
    lost = Artifact("examples", "Examples", (replace(parts[0].files[0], rows=179),))
    counts_more = [*counts[1:], UnitCounts(0)]
    for faulty, message in (
        ((data, counts[1:], parts), "units: 5 expected, 4 found"),
        ((data, counts_more, parts), "0.csv: 100 expected, 0 found"),
        ((data, counts, [lost, *parts[1:]]), "examples of split train: 180 expected, 179 found"),
    ):
        with pytest.raises(RowConservationError, match=message):
            reconcile(plan, planned, *faulty)


def test_content_merges_in_any_order():
    parts = [
        Content(
            b"a",
            rows=3,
            blank_lines=1,
            kinds={"x": Kind.INT},
            spellings={"x": Spelling(3)},
            notes={("x", "odd"): (1, 2)},
            rejects=Counter(type=1),
            first_reject=(2, "second"),
        ),
        Content(
            b"b",
            rows=2,
            kinds={"x": Kind.FLOAT},
            overflows={"x": 1},
            losses={"x": Losses(1, 2, 3.0)},
            weights=Weights((1, "is missing")),
            notes={("x", "odd"): (2, 0)},
            fault=(0, "fault"),
        ),
        Content(
            b"c",
            rows=4,
            kinds={"x": Kind.STRING, "y": Kind.INT},
            overflows={"x": 0},
            losses={"x": Losses(0, 1, 4.0)},
            spellings={"x": Spelling(1, 0, 3, (2, "cell"))},
            weights=Weights((0, "is nan"), {("", ""): (0, True)}),
            rejects=Counter(type=1),
            first_reject=(0, "first"),
        ),
    ]
    found = []
    for order in permutations([(0, 1), (0, 2), (1, 0)]):
        merged = TableContent()
        for place in order:
            merged.merge(TableContent.of_part(*place, parts[[(0, 1), (0, 2), (1, 0)].index(place)]))
        found.append(merged)
    assert all(one == found[0] for one in found)
    assert found[0].totals[0].digests == {1: b"a", 2: b"b"}
    assert found[0].first_reject == ((0, 1, 2), "second")
    assert found[0].overflows == {"x": (0, 2, 1)}
    assert found[0].losses == {"x": Losses(1, 3, 4.0)}
    assert found[0].spellings == {"x": Spelling(4, 0, 3, ((1, 0, 2), "cell"))}
    assert found[0].weights == Weights(((0, 2, 1), "is missing"), {("", ""): ((1, 0, 0), True)})
    assert found[0].notes == {("x", "odd"): (3, (0, 1, 2))}


def files(run: Path) -> dict[str, bytes]:
    """Return the content of all files of a run that are not in its staging folder."""
    found = (path for path in run.rglob("*") if path.is_file() and "_staging" not in path.parts)
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


def test_units_run_twice_out_of_order_and_killed_give_the_same_files(settings: Settings, plan: TablePlan):
    data, units = plan_table(plan, settings)
    step = _WriteUnits(plan, settings)
    for unit in units:
        list(step.process((0, [(unit,)]), data))
    run = Path(settings.run_uri)
    first = files(run)
    assert len(first) == 10
    for unit in reversed(units):
        killed = step.process((0, [(unit,)]), data)
        next(killed)
        killed.close()
        assert files(run) == first
        list(step.process((0, [(unit,)]), data))
    assert files(run) == first


def test_a_shard_that_another_processor_has_compressed_is_kept(settings: Settings, plan: TablePlan):
    data, units = plan_table(plan, settings)
    step = _WriteUnits(plan, settings)

    def execute() -> list[ArtifactFile]:
        outputs = step.process((0, [(units[0],)]), data)
        return [file for one in outputs if isinstance(one, Artifact) for file in one.files]

    first = execute()
    shard = Path(settings.run_uri, "examples", first[0].path)
    shard.write_bytes(gzip.compress(gzip.decompress(shard.read_bytes()), mtime=0))
    again = execute()
    assert again[0] == replace(
        first[0], bytes=shard.stat().st_size, sha256=hashlib.sha256(shard.read_bytes()).hexdigest()
    )
    assert again[1:] == first[1:]
    shard.write_bytes(gzip.compress(b"other records"))
    with pytest.raises(StorageError, match=r"00000-of-00005\.gz: exists already with other content"):
        execute()


@pytest.mark.parametrize("change", [lambda text: text + "9,y,0.5\n", lambda text: text[:200]], ids=["grown", "shrunk"])
def test_a_file_that_changes_between_the_passes_is_refused(
    settings: Settings, plan: TablePlan, change: Callable[[str], str]
):
    source = Path(plan.sources[1].info.uri)
    data, units = plan_table(plan, settings)
    source.write_text(change(source.read_text()))
    outputs = chain.from_iterable(_WriteUnits(plan, settings).process((0, [(unit,)]), data) for unit in units)
    with pytest.raises(DataError, match=r"1.csv: changed while it was (being )?read"):
        deque(outputs, 0)


def test_a_file_that_is_shorter_than_it_was_is_refused(settings: Settings, plan: TablePlan):
    Path(plan.sources[2].info.uri).write_text("id,note,x\n1,a,0.5\n")
    with pytest.raises(DataError, match="2.csv: changed while it was being read: shorter than"):
        plan_table(plan, settings)


def test_to_list_columns():
    flat = pa.RecordBatch.from_arrays([pa.array([1, None, 3]), pa.array(["a", "", None])], names=["i", "s"])
    listed = to_list_columns(flat)
    assert listed.column(0).to_pylist() == [[1], None, [3]]
    assert listed.column(1).to_pylist() == [["a"], [""], None]
