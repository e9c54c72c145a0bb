"""The plan of many files: small for the workers, and in a file instead of the graph."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from beam_taxi.errors import BeamTaxiError
from beam_taxi.pipeline import build
from beam_taxi.run.folder import RunFolder
from beam_taxi.settings import Settings
from beam_taxi.sources import plan_file
from beam_taxi.sources.plan import TablePlan, plan_input
from beam_taxi.sources.plan_file import MOST_SOURCES, PLAN, store_plan
from tests.transforms.test_graph import planned_run


def plan_of(folder: Path, count: int) -> tuple[TablePlan, Settings]:
    (folder / "in").mkdir()
    for number in range(count):
        (folder / "in" / f"{number:03}.csv").write_text(f"id,{'a_long_name_' * 20}\n{number},x\n")
    settings = Settings((str(folder / "in"),), str(folder / "run"), "run", num_shards=2)
    RunFolder(settings.run_uri).claim()
    return plan_input(settings, {}), settings


def graph_of(plan: TablePlan, settings: Settings) -> bytes:
    pipeline = beam.Pipeline()
    build(pipeline, plan, planned_run(settings, plan))
    content: bytes = pipeline.to_runner_api().SerializeToString()
    return content


def test_what_is_equal_in_files_is_pickled_once(tmp_path: Path):
    plan, _ = plan_of(tmp_path, 40)
    sizes = [len(pickle.dumps(replace(plan, sources=plan.sources[:count]))) for count in (20, 40)]
    # Without it, the names of the columns alone would take 500 bytes.
    assert (sizes[1] - sizes[0]) / 20 < 300


def test_a_plan_of_few_files_stays_in_the_graph(tmp_path: Path):
    plan, settings = plan_of(tmp_path, 3)
    assert store_plan(plan, settings.run_uri) is plan


def test_a_plan_of_many_files_is_read_again_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan, settings = plan_of(tmp_path, MOST_SOURCES + 1)
    pickled = pickle.dumps(store_plan(plan, settings.run_uri))
    assert len(pickled) < 300
    plan_file._read.cache_clear()
    first, second = pickle.loads(pickled), pickle.loads(pickled)
    assert first is second
    assert (first.sources, first.n_units, first.part_bytes) == (plan.sources, plan.n_units, plan.part_bytes)
    assert pickle.dumps(first) == pickled


def test_another_file_in_the_place_of_the_plan_is_refused(tmp_path: Path):
    plan, settings = plan_of(tmp_path, MOST_SOURCES + 1)
    pickled = pickle.dumps(store_plan(plan, settings.run_uri))
    plan_file._read.cache_clear()
    Path(settings.run_uri, PLAN).write_bytes(b"something else")
    with pytest.raises(BeamTaxiError, match="is not the plan of this run"):
        pickle.loads(pickled)


def test_the_graph_does_not_grow_with_the_files(tmp_path: Path):
    plan, settings = plan_of(tmp_path, 2 * MOST_SOURCES)
    few = replace(plan, sources=plan.sources[:1])
    assert len(graph_of(plan, settings)) < len(graph_of(few, settings)) + 2_000


def test_many_files_are_read_as_few(tmp_path: Path):
    plan, settings = plan_of(tmp_path, MOST_SOURCES + 1)
    planned = planned_run(settings, plan)
    with TestPipeline(runner="FnApiRunner") as pipeline:
        done = build(pipeline, plan, planned)
        assert_that(done | beam.Map(lambda run: [one.rows for one in run.inputs]), equal_to([[1] * len(plan.sources)]))
    manifest = RunFolder(settings.run_uri).read_manifest()
    assert [one.uri for one in manifest.inputs] == [one.info.uri for one in plan.sources]
    assert not Path(settings.run_uri, PLAN).exists()
