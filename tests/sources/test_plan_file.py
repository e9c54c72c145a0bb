"""The plan of many files: small for the workers, and in a file instead of the graph."""

from __future__ import annotations

import pickle
import secrets
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError
from beam_taxi.launch.command import parse
from beam_taxi.launch.job import planned_manifest
from beam_taxi.launch.options import Launch
from beam_taxi.pipeline import build
from beam_taxi.run.folder import PLAN, RunFolder
from beam_taxi.sources import plan_file
from beam_taxi.sources.bigquery.table import BigQueryTable
from beam_taxi.sources.plan import TablePlan, plan_input
from beam_taxi.sources.plan_file import MOST_SOURCES, store_plan
from beam_taxi.sources.unit_count import MOST_UNITS


def plan_of(folder: Path, count: int) -> tuple[TablePlan, Launch]:
    (folder / "in").mkdir()
    for number in range(count):
        (folder / "in" / f"{number:03}.csv").write_text(f"id,{'a_long_name_' * 20}\n{number},x\n")
    words = ["--input", folder / "in", "--output", folder, "--run_id", "run", "--num_shards", 2]
    launch = parse([str(word) for word in words])
    RunFolder(launch.settings.run_uri).claim()
    return plan_input(launch.settings, {}), launch


def graph_of(plan: TablePlan, launch: Launch) -> bytes:
    pipeline = beam.Pipeline()
    build(pipeline, plan, planned_manifest(launch, plan))
    content: bytes = pipeline.to_runner_api().SerializeToString()
    return content


def test_what_is_equal_in_files_is_pickled_once(tmp_path: Path):
    plan, _ = plan_of(tmp_path, 40)
    sizes = [len(pickle.dumps(replace(plan, sources=plan.sources[:count]))) for count in (20, 40)]
    # Without it, the names of the columns alone would take 500 bytes.
    assert (sizes[1] - sizes[0]) / 20 < 300


def test_a_plan_of_few_files_stays_in_the_graph(tmp_path: Path):
    plan, launch = plan_of(tmp_path, 3)
    assert store_plan(plan, launch.settings.run_uri, PLAN) is plan


def test_a_plan_of_many_files_is_read_again_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan, launch = plan_of(tmp_path, MOST_SOURCES + 1)
    pickled = pickle.dumps(store_plan(plan, launch.settings.run_uri, PLAN))
    assert len(pickled) < 300
    plan_file._read.cache_clear()
    first, second = pickle.loads(pickled), pickle.loads(pickled)
    assert first is second
    assert (first.sources, first.n_units, first.part_bytes) == (plan.sources, plan.n_units, plan.part_bytes)
    assert pickle.dumps(first) == pickled


def test_another_file_in_the_place_of_the_plan_is_refused(tmp_path: Path):
    plan, launch = plan_of(tmp_path, MOST_SOURCES + 1)
    pickled = pickle.dumps(store_plan(plan, launch.settings.run_uri, PLAN))
    plan_file._read.cache_clear()
    Path(launch.settings.run_uri, PLAN).write_bytes(b"something else")
    with pytest.raises(BeamTaxiError, match="is not the plan of this run"):
        pickle.loads(pickled)


def test_the_graph_does_not_grow_with_the_files(tmp_path: Path):
    plan, launch = plan_of(tmp_path, 2 * MOST_SOURCES)
    few = replace(plan, sources=plan.sources[:1])
    assert len(graph_of(plan, launch)) < len(graph_of(few, launch)) + 2_000


def test_the_graph_does_not_grow_with_the_streams_of_a_table(tmp_path: Path):
    plan, launch = plan_of(tmp_path, 1)
    session = f"projects/p/locations/us/sessions/{secrets.token_urlsafe(60)}"
    streams = tuple(f"{session}/streams/{secrets.token_urlsafe(60)}" for _ in range(MOST_UNITS))
    table = BigQueryTable(plan.sources[0].info, streams, {}, "", {})
    graph = graph_of(replace(plan, sources=(table,)), launch)
    assert len(graph) < len(graph_of(plan, launch)) + 2_000


def test_many_files_are_read_as_few(tmp_path: Path):
    plan, launch = plan_of(tmp_path, MOST_SOURCES + 1)
    planned = planned_manifest(launch, plan)
    with TestPipeline(runner="FnApiRunner") as pipeline:
        done = build(pipeline, plan, planned)
        assert_that(done | beam.Map(lambda run: [one.rows for one in run.inputs]), equal_to([[1] * len(plan.sources)]))
    manifest = RunFolder(launch.settings.run_uri).read_manifest()
    assert [one.uri for one in manifest.inputs] == [one.info.uri for one in plan.sources]
    assert not Path(launch.settings.run_uri, storage.STAGING).exists()


def test_the_last_step_can_be_executed_again_in_a_new_process(tmp_path: Path):
    """Flink and Spark do so if a worker dies before it has reported the end."""
    plan, launch = plan_of(tmp_path, MOST_SOURCES + 1)
    pickled = pickle.dumps(store_plan(plan, launch.settings.run_uri, PLAN))
    RunFolder(launch.settings.run_uri).remove_staging()
    plan_file._read.cache_clear()
    assert pickle.loads(pickled).sources == plan.sources
