"""What MLflow has of a run: a real MLflow with its store in files."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from beam_taxi.cli.terminal import TerminalConsole
from beam_taxi.launch import mlflow_log
from beam_taxi.launch.outcome import Cancelled, Outcome, Unknown
from beam_taxi.launch.record import RunRecord
from beam_taxi.lineage import mlflow_run
from beam_taxi.main import main
from beam_taxi.run.folder import RunFolder
from tests.lineage.receivers import HANGS, nobody, receiving
from tests.metadata import runs

pytestmark = pytest.mark.slow

SOUND, BAD = "a,b\n1,x\n3,y\n5,z\n", "a,b\n1,x\n3\n"
CHECKS = "version: 1\nrow_count:\n  - min: 30\n"


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client of an MLflow that is empty; without MLflow, skip, but fail on CI."""
    if find_spec("mlflow") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("MLflow is not installed")
        pytest.skip("MLflow is not installed")
    # The variables that the run sets are not those of other tests.
    for name, value in {**mlflow_run._DEFAULTS, "MLFLOW_ALLOW_FILE_STORE": "true"}.items():
        monkeypatch.setenv(name, value)
    for name in (mlflow_run.EXPERIMENT, mlflow_run.EXPERIMENT_ID):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/mlruns")
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"file://{tmp_path}/mlruns")


def launch(folder: Path, *words: str, text: str = SOUND, status: int = 0) -> Path:
    """Run a file with this text, and return the folder of the run."""
    (folder / "a.csv").write_text(text)
    (folder / "checks.yaml").write_text(CHECKS)
    given = ["--input", f"{folder}/a.csv", "--output", f"{folder}/out", "--run_id", "r", "--metadata_store", "none"]
    assert main([*given, "--pipeline_name", "trips", *words]) == status
    return folder / "out" / "r"


def the_run(client: Any, experiment: str = "trips") -> Any:
    """Return the only run of an experiment."""
    (found,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return found


def test_a_complete_run(mlflow: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = launch(tmp_path, "--label", "b", "--splits", "train:1,eval:1", "--log_format", "json")
    told = capsys.readouterr()
    assert (told.err, len(told.out.splitlines())) == ("", 1)
    found, manifest = the_run(mlflow), RunFolder(str(run)).read_manifest()
    assert (found.info.status, found.info.run_name) == ("FINISHED", "r")
    assert found.data.params == {"input": f"{tmp_path}/a.csv", "label": "b", "splits": "train:1,eval:1"}
    rows = {f"rows.{split.name}": split.rows for split in manifest.splits}
    assert found.data.metrics == {
        **{"rows": 3, "rejected_rows": 0, "input_bytes": len(SOUND), "accepted": 1},
        **rows,
    }
    tags = {name: value for name, value in found.data.tags.items() if name.startswith("beam_taxi.")}
    assert tags == {
        **{"beam_taxi.run_id": "r", "beam_taxi.manifest": f"{run}/manifest.json"},
        **{"beam_taxi.digest": manifest.digest(), "beam_taxi.verdict": "not evaluated"},
    }


def test_the_datasets_of_a_run(mlflow: Any, tmp_path: Path):
    import mlflow.data as data

    run = launch(tmp_path)
    given = {one.tags[0].value: one for one in the_run(mlflow).inputs.dataset_inputs}
    assert given.keys() == {"input", "train", "eval"}
    sources = {context: data.get_source(one).uri for context, one in given.items()}
    splits = {split: f"{run}/examples/Split-{split}" for split in ("train", "eval")}
    assert sources == {"input": f"{tmp_path}/a.csv", **splits}
    found = given["train"].dataset
    assert found.name == "trips/train"
    columns = json.loads(found.schema)["mlflow_colspec"]
    assert [(one["name"], one["type"]) for one in columns] == [("a", "long"), ("b", "string")]
    (split,) = (one for one in RunFolder(str(run)).read_manifest().splits if one.name == "train")
    assert json.loads(found.profile)["num_rows"] == split.rows


def test_the_same_data_have_the_same_digests(mlflow: Any, tmp_path: Path):
    launch(tmp_path)
    launch(tmp_path, "--run_id", "again")
    launch(tmp_path, "--run_id", "other", text=SOUND.replace("5", "6"))
    found = {
        one.info.run_name: one for one in mlflow.search_runs([mlflow.get_experiment_by_name("trips").experiment_id])
    }
    digests = {name: sorted(given.dataset.digest for given in one.inputs.dataset_inputs) for name, one in found.items()}
    assert digests["r"] == digests["again"]
    assert digests["r"] != digests["other"]
    assert all(len(one) <= 36 for one in digests["r"])


OUTCOMES: dict[str, tuple[str, tuple[str, ...], int, str]] = {
    "not accepted": (SOUND, ("--checks", "CHECKS"), 4, "FINISHED"),
    "refused": (BAD, (), 3, "FAILED"),
    "statistics alone": (SOUND, ("--no_examples",), 0, "FINISHED"),
    "recorded by a worker": (SOUND, ("--record_on", "worker"), 0, "FINISHED"),
}


@pytest.mark.parametrize(("text", "words", "exit_status", "status"), OUTCOMES.values(), ids=OUTCOMES)
def test_each_outcome(mlflow: Any, tmp_path: Path, text: str, words: tuple[str, ...], exit_status: int, status: str):
    words = tuple(str(tmp_path / "checks.yaml") if one == "CHECKS" else one for one in words)
    launch(tmp_path, *words, text=text, status=exit_status)
    found = the_run(mlflow)
    assert found.info.status == status
    assert found.data.metrics.get("accepted") == {0: 1, 3: None, 4: 0}[exit_status]
    assert ("beam_taxi.error" in found.data.tags) == (status == "FAILED")
    contexts = {one.tags[0].value for one in found.inputs.dataset_inputs}
    assert contexts == (
        set() if status == "FAILED" else {"input"} if "--no_examples" in words else {"input", "train", "eval"}
    )


def test_a_cached_run_has_the_datasets_of_the_earlier_one(mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    with monkeypatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI")
        run = launch(tmp_path, "--metadata_store", store)
    launch(tmp_path, "--metadata_store", store, "--run_id", "second", "--cache")
    found = the_run(mlflow)
    assert (found.info.run_name, found.info.status) == ("second", "FINISHED")
    assert found.data.tags["beam_taxi.manifest"] == f"{run}/manifest.json"


ENDS = {"unknown": (Unknown("the connection was lost"), None), "cancelled": (Cancelled("interrupted"), "KILLED")}


@pytest.mark.parametrize(("outcome", "status"), ENDS.values(), ids=ENDS)
def test_a_run_without_a_result(mlflow: Any, outcome: Outcome, status: str | None):
    record = RunRecord(None, "r", TerminalConsole(as_json=False))
    record.start(replace(runs.planned("r"), started="2026-01-02T03:04:05+00:00"), "DataflowRunner", False, "token")
    record.end(outcome, on_worker=False)
    if status is None:
        assert mlflow.get_experiment_by_name("taxi") is None
    else:
        found = the_run(mlflow, "taxi")
        assert (found.info.status, found.data.tags["beam_taxi.error"]) == (status, "interrupted")


def test_the_experiment_that_is_named(mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "taxis")
    launch(tmp_path)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    assert the_run(mlflow, "taxis").info.status == "FINISHED"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", mlflow.get_experiment_by_name("taxis").experiment_id)
    launch(tmp_path, "--run_id", "again")
    assert mlflow.get_experiment_by_name("trips") is None


SERVERS = {
    "away": (None, "API request to "),
    "broken": (500, "API request to "),
    "hanging": (HANGS, "no answer within 0 s"),
    "a database": ("sqlite:///x.db", "unsupported URI"),
}


@pytest.mark.parametrize(("server", "told"), SERVERS.values(), ids=SERVERS)
def test_a_server_never_fails_a_run(
    mlflow: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    server: int | str | None,
    told: str,
):
    monkeypatch.setattr(mlflow_log, "LIMIT_SECONDS", 0.4 if server == HANGS else 60)
    with receiving(server if isinstance(server, int) else 0) as log:
        uri = log.url if isinstance(server, int) else server or nobody()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        launch(tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("beam_taxi: warning: the run was not logged in MLflow: MLFLOW_TRACKING_URI: ")
    assert told in line


def test_without_mlflow_there_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    launch(tmp_path)
    assert capsys.readouterr().err == (
        "beam_taxi: warning: the run is not logged in MLflow: MLFLOW_TRACKING_URI needs another package: "
        f"pip install 'mlflow-skinny>=3,<4' 'protobuf=={version('protobuf')}'\n"
    )
