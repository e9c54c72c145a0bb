"""The events of real runs, against OpenLineage's own schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from beam_taxi.cli import main as cli
from beam_taxi.lineage.openlineage import RunEvents
from beam_taxi.lineage.write import WriteEvents
from beam_taxi.main import main
from beam_taxi.run.folder import OPENLINEAGE, RunFolder
from beam_taxi.run.manifest import RunManifest
from tests.lineage.specification import Json, check, events_of

SOUND = "fare,zone,extra\n1.5,7,x\n2.5,7,y\n3,8,x\n4,,z\n"
SCHEMA = """
feature { name: "fare" type: FLOAT float_domain { min: 0 } }
feature { name: "zone" type: INT }
feature { name: "extra" type: BYTES }
"""
CHECKS = "version: 1\nrow_count:\n  - min: 3\nrows: [{name: low, rule: fare < 3.5, severity: warning}]\n"
RUNS = {
    "plain": ["--input", "a.csv"],
    "other": ["--input", "b.csv"],
    "renamed": ["--input", "a.csv", "--rename", "fare:price", "--drop_columns", "extra"],
    "folder": ["--input", "*.csv", "--no_examples", "--max_rejects", "1"],
    "two": ["--input", "a.csv", "--input", "b.csv", "--checks", "checks.yaml"],
    "rejects": ["--input", "short.csv", "--max_rejects", "1"],
    "judged": ["--input", "b.csv", "--schema", "schema.pbtxt", "--checks", "checks.yaml", "--baseline", "out/plain"],
    "dated": ["--input", "days/{YYYY}-{MM}-{DD}.csv", "--date", "2026-02-28", "--window", "2"],
    "hidden": ["--input", "b.csv", "--checks", "checks.yaml", "--redact_columns", "fare"],
}


class Ran(NamedTuple):
    """The START and the COMPLETE event of a run, with its manifest."""

    start: Json
    complete: Json
    manifest: RunManifest


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    folder = tmp_path_factory.mktemp("my data")
    (folder / "a.csv").write_text(SOUND)
    (folder / "b.csv").write_text(SOUND.replace("2.5", "-2.5"))
    (folder / "days").mkdir()
    for day in (27, 28):
        (folder / f"days/2026-02-{day}.csv").write_text(SOUND)
    (folder / "short.csv").write_text(SOUND + "5\n")
    (folder / "schema.pbtxt").write_text(SCHEMA)
    (folder / "checks.yaml").write_text(CHECKS)
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("OPENLINEAGE_NAMESPACE", "trips")
        for run_id, words in RUNS.items():
            status = main([*words, "--output", "out", "--run_id", run_id, "--metadata_store", "none"])
            assert status == (4 if run_id == "judged" else 0)
            run = folder / "out" / run_id
            start, complete = events_of((run / OPENLINEAGE).read_text())
            found[run_id] = Ran(start, complete, RunFolder(str(run)).read_manifest())
    return found


@pytest.fixture(scope="module")
def merged(ran: dict[str, Ran]) -> Ran:
    parts = [ran[name].manifest.run_uri for name in ("plain", "other")]
    output = parts[0].rpartition("/")[0]
    assert cli(["merge", *parts, "--output", output, "--run_id", "merged", "--metadata_store", "none"]) == 0
    start, complete = events_of((Path(output) / "merged" / OPENLINEAGE).read_text())
    return Ran(start, complete, RunFolder(f"{output}/merged").read_manifest())


def test_a_merge_is_made_of_the_statistics_of_its_parts(ran: dict[str, Ran], merged: Ran):
    for event in (merged.start, merged.complete):
        check(event)
        written = [ran[name].complete["outputs"] for name in ("plain", "other")]
        names = {one["name"] for outputs in written for one in outputs if one["name"].endswith("/statistics")}
        assert {one["name"] for one in event["inputs"]} == names
        assert len(names) == 2
        assert "processing_engine" not in event["run"].get("facets", {})
    assert [one["name"].rpartition("/")[2] for one in merged.complete["outputs"]] == ["statistics", "schema"]
    assert merged.start["run"]["runId"] == merged.complete["run"]["runId"]


def inputs(event: Json) -> dict[str, Json]:
    """Return the inputs of an event by the last part of their names."""
    return {one["name"].rpartition("/")[2]: one for one in event["inputs"]}


def outputs(event: Json) -> dict[str, Json]:
    """Return the outputs of an event by their paths in the folder of the run."""
    return {one["name"].partition("/out/")[2].partition("/")[2]: one for one in event["outputs"]}


@pytest.mark.parametrize("run_id", RUNS)
def test_both_events_are_of_one_run(ran: dict[str, Ran], run_id: str):
    start, complete, manifest = ran[run_id]
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["eventTime"] == manifest.started <= complete["eventTime"]
    assert start["run"]["runId"] == complete["run"]["runId"] == RunEvents(manifest).run_id
    assert start["job"] == complete["job"]
    assert (start["job"]["namespace"], start["job"]["name"]) == ("trips", "beam_taxi")
    names = [(one["namespace"], one["name"]) for one in start["inputs"]]
    assert names == [(one["namespace"], one["name"]) for one in complete["inputs"]]
    engine = complete["run"]["facets"]["processing_engine"]
    assert (engine["name"], engine["version"]) == ("Beam", manifest.versions["apache-beam"])
    assert all(one["facets"]["version"]["datasetVersion"] for one in [*complete["inputs"], *complete["outputs"]])
    artifacts = {key for key in manifest.artifacts if key != "examples"}
    splits = {f"examples/Split-{one.name}" for one in manifest.splits} if "examples" in manifest.artifacts else set()
    assert outputs(complete).keys() == artifacts | splits


def test_runs_have_ids_of_their_own(ran: dict[str, Ran]):
    assert len({one.start["run"]["runId"] for one in ran.values()}) == len(RUNS)


def test_another_attempt_has_an_id_of_its_own(ran: dict[str, Ran]):
    _, _, manifest = ran["plain"]
    later = replace(manifest, started="2036-01-02T03:04:05+00:00")
    assert RunEvents(later).run_id != RunEvents(manifest).run_id


def test_the_days_of_a_run(ran: dict[str, Ran]):
    days = {"nominalStartTime": "2026-02-27T00:00:00Z", "nominalEndTime": "2026-03-01T00:00:00Z"}
    for event in ran["dated"][:2]:
        assert event["run"]["facets"]["nominalTime"].items() >= days.items()
    assert "nominalTime" not in ran["plain"].complete["run"]["facets"]


def test_an_input(ran: dict[str, Ran]):
    (source,) = ran["folder"].complete["inputs"]
    facets, read = source["facets"], source["inputFacets"]
    assert source["namespace"] == "file"
    assert facets["dataSource"]["uri"].endswith("my%20data0")
    assert [(one["name"], one["type"]) for one in facets["schema"]["fields"]] == [
        *(("fare", "float"), ("zone", "long"), ("extra", "string"))
    ]
    assert (read["inputStatistics"]["rowCount"], read["inputStatistics"]["fileCount"]) == (13, 3)


def test_what_is_known_of_a_column(ran: dict[str, Ran]):
    (source,) = ran["folder"].complete["inputs"]
    metrics = source["inputFacets"]["dataQualityMetrics"]
    assert (metrics["rowCount"], metrics["fileCount"]) == (12, 3)
    assert metrics["columnMetrics"]["zone"] == {
        **{"nullCount": 3, "count": 9, "distinctCount": 2, "min": 7, "max": 8},
        "quantiles": {"0.01": 7, "0.05": 7, "0.25": 7, "0.5": 7, "0.75": 8, "0.95": 8, "0.99": 8},
    }
    assert metrics["columnMetrics"]["extra"] == {"nullCount": 0, "count": 12, "distinctCount": 3}


def test_the_metrics_of_splits_add_up_where_that_is_exact(ran: dict[str, Ran]):
    (source,) = ran["plain"].complete["inputs"]
    whole = source["inputFacets"]["dataQualityMetrics"]["columnMetrics"]["fare"]
    assert whole == {"nullCount": 0, "count": 4, "min": 1.5, "max": 4.0}
    found = outputs(ran["plain"].complete)
    parts = [found[f"examples/Split-{split}"] for split in ("train", "eval")]
    assert sum(one["outputFacets"]["outputStatistics"]["rowCount"] for one in parts) == 4
    assert sum(one["facets"]["dataQualityMetrics"]["columnMetrics"]["fare"]["count"] for one in parts) == 4


def test_a_renamed_column_is_known_by_both_names(ran: dict[str, Ran]):
    (source,) = ran["renamed"].complete["inputs"]
    assert [one["name"] for one in source["facets"]["schema"]["fields"]] == ["fare", "zone", "extra"]
    assert source["inputFacets"]["dataQualityMetrics"]["columnMetrics"].keys() == {"fare", "zone"}
    examples = outputs(ran["renamed"].complete)["examples/Split-train"]["facets"]
    assert {one["name"] for one in examples["schema"]["fields"]} == {"price", "zone"}
    lineage = examples["columnLineage"]["fields"]
    assert {feature: [one["field"] for one in made["inputFields"]] for feature, made in lineage.items()} == {
        **{"price": ["fare"], "zone": ["zone"]}
    }
    made = lineage["price"]["inputFields"][0]
    assert (made["namespace"], made["name"]) == (source["namespace"], source["name"])


def test_several_inputs_are_judged_together(ran: dict[str, Ran]):
    event = ran["two"].complete
    assert inputs(event).keys() == {"a.csv", "b.csv"}
    assert all(one["inputFacets"].keys() == {"inputStatistics"} for one in event["inputs"])
    lineage = outputs(event)["examples/Split-train"]["facets"]["columnLineage"]["fields"]
    assert [one["name"] for one in lineage["fare"]["inputFields"]] == [one["name"] for one in event["inputs"]]
    tests = event["run"]["facets"]["test"]["tests"]
    assert {(one["name"], one["status"], one["severity"]) for one in tests} >= {("low fare", "fail", "warn")}


def test_the_judgement(ran: dict[str, Ran]):
    event = ran["judged"].complete
    tests = event["run"]["facets"]["test"]["tests"]
    assert {one["status"] for one in tests} == {"pass", "fail"}
    assert {one["type"] for one in tests} == {"anomalies", "checks", "drift"}
    (source,) = event["inputs"]
    assertions = source["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert len(assertions) == sum(one["status"] != "skip" for one in tests)
    failed = [one for one in assertions if not one["success"]]
    below = next(one for one in failed if one["assertion"] == "anomalies")
    assert (below["column"], below["severity"], below["params"]) == (
        "fare",
        "error",
        {"split": below["params"]["split"]},
    )
    assert all(one["severity"] == "warn" for one in assertions if one["assertion"] == "drift")
    assert event["run"]["runId"] == RunEvents(ran["judged"].manifest).run_id


def test_a_redacted_column_shows_no_value(ran: dict[str, Ran]):
    event = ran["hidden"].complete
    (source,) = event["inputs"]
    metrics = source["inputFacets"]["dataQualityMetrics"]["columnMetrics"]
    assert metrics["fare"] == {"nullCount": 0, "count": 4}
    assert metrics["zone"].keys() >= {"min", "max"}
    tests = {one["name"]: one for one in event["run"]["facets"]["test"]["tests"]}
    assert "description" not in tests["low fare"]
    assert [key for key in tests if "description" in tests[key]] == [key for key in tests if "fare" not in key]


def test_the_rejects_are_an_output(ran: dict[str, Ran]):
    rejects = outputs(ran["rejects"].complete)["rejects"]
    assert rejects["outputFacets"]["outputStatistics"]["fileCount"] == 1
    (source,) = ran["rejects"].complete["inputs"]
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 5
    assert source["inputFacets"]["dataQualityMetrics"]["rowCount"] == 4


def test_the_same_run_has_the_same_events(ran: dict[str, Ran], tmp_path: Path):
    """Those of another run differ in its names and times alone; a file that is there is kept."""
    _, complete, manifest = ran["judged"]
    run = Path(manifest.run_uri)
    before = (run / OPENLINEAGE).read_bytes()
    WriteEvents("trips")(manifest)
    assert (run / OPENLINEAGE).read_bytes() == before
    again = json.loads(RunEvents(manifest, "trips").completed(complete["eventTime"]).to_json_line())
    assert json.dumps(again) == json.dumps(complete)


ENDS: dict[str, tuple[Callable[[RunEvents], object], str, str]] = {
    "failed": (
        lambda made: made.ended_without_result("FAIL", "2026-01-02T03:04:05+00:00", "no disk"),
        "FAIL",
        "no disk",
    ),
    "aborted": (
        lambda made: made.ended_without_result("ABORT", "2026-01-02T03:04:05Z", "interrupted"),
        "ABORT",
        "interrupted",
    ),
}


@pytest.mark.parametrize(("make", "event_type", "message"), ENDS.values(), ids=ENDS)
def test_a_run_that_has_no_result(
    ran: dict[str, Ran], make: Callable[[RunEvents], object], event_type: str, message: str
):
    start, _, manifest = ran["plain"]
    event = json.loads(make(RunEvents(manifest)).to_json_line())  # type: ignore[attr-defined]
    check(event)
    assert (event["eventType"], event["run"]["facets"]["errorMessage"]["message"]) == (event_type, message)
    assert event["run"]["runId"] == start["run"]["runId"]
    assert "outputs" not in event
