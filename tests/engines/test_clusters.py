"""Jobs on clusters of Spark and Flink, with processes of the cluster killed in mid-run: the bytes of the local run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from beam_taxi.cli.runs import main as runs
from tests.engines.cluster import Cluster, contents, wait_for_shard

SPARK = pytest.mark.parametrize("cluster", ["spark"], indirect=True)
FLINK = pytest.mark.parametrize("cluster", ["flink"], indirect=True)


def run_with_a_kill(cluster: Cluster, words: str, *args: str | Path) -> subprocess.Popen[str]:
    """Run a job into `there` of the folder `--output`, and kill a process when the first shard is written."""
    job = cluster.start(*args, "--run_id", "there")
    wait_for_shard(job, Path(args[-1], "there"))
    os.kill(cluster.processes(words)[-1], signal.SIGKILL)
    return job


@SPARK
def test_spark_executes_steps_again_and_again(cluster: Cluster, taxi: list[str], local_taxi: Path, tmp_path: Path):
    cluster.run(*taxi, "--output", tmp_path, "--run_id", "there", "--cache_disabled")
    assert contents(tmp_path / "there") == contents(local_taxi)


@SPARK
def test_an_executor_is_killed(cluster: Cluster, files: list[str], local_files: Path, tmp_path: Path):
    job = run_with_a_kill(cluster, "CoarseGrainedExecutorBackend", *files, "--output", tmp_path)
    told, _ = job.communicate()
    assert job.returncode == 0, told
    assert contents(tmp_path / "there") == contents(local_files)


@FLINK
def test_an_interrupt_cancels_the_job(
    cluster: Cluster, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    job = cluster.start(*files, "--output", tmp_path, "--run_id", "there", "--metadata_store", store)
    wait_for_shard(job, tmp_path / "there")
    job.send_signal(signal.SIGINT)
    told, _ = job.communicate()
    assert (job.returncode, told) == (1, "beam_taxi: error: interrupted; the job was cancelled\n")
    code = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8081/jobs/overview').read().decode())"
    overview = subprocess.check_output(cluster.command(sys.executable, "-c", code))
    assert [one["state"] for one in json.loads(overview)["jobs"]] == ["CANCELED"]
    assert not (tmp_path / "there" / "manifest.json").exists()
    assert runs(["list", "--metadata_store", store]) == 0
    assert "  CANCELED  " in capsys.readouterr().out


@FLINK
def test_a_worker_of_python_is_killed(cluster: Cluster, files: list[str], local_files: Path, tmp_path: Path):
    job = run_with_a_kill(cluster, "SdkHarness", *files, "--output", tmp_path)
    told, _ = job.communicate()
    if job.returncode != 0:
        assert told.startswith("beam_taxi: error: the run failed: ")
        assert told.count("\n") == 1
        assert not (tmp_path / "there").exists()
        cluster.run(*files, "--output", tmp_path, "--run_id", "there")
    assert contents(tmp_path / "there") == contents(local_files)


@FLINK
def test_a_task_manager_is_killed(cluster: Cluster, taxi: list[str], local_taxi: Path, tmp_path: Path):
    # The slots of the one that is left.
    job = run_with_a_kill(cluster, "TaskManagerRunner", *taxi, "--parallelism", "2", "--output", tmp_path)
    told, _ = job.communicate()
    assert job.returncode == 0, told
    assert contents(tmp_path / "there") == contents(local_taxi)
