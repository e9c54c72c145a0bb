"""Jobs on clusters of Spark and Flink, with processes of the cluster killed in mid-run: the bytes of the local run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from beam_taxi.cli.runs import main as runs
from tests.engines.cluster import ROOT, Cluster, contents, wait_for_shard, wait_until

pytestmark = pytest.mark.alone

SPARK = pytest.mark.parametrize("cluster", ["spark"], indirect=True)
FLINK = pytest.mark.parametrize("cluster", ["flink"], indirect=True)


def run_with_a_kill(cluster: Cluster, words: str, *args: str | Path) -> subprocess.Popen[str]:
    """Run a job into `there` of the folder `--output`, and kill a process when the first shard is written."""
    job = cluster.start(*args, "--run_id", "there")
    wait_for_shard(job, Path(args[-1], "there"))
    os.kill(cluster.processes(words)[-1], signal.SIGKILL)
    return job


def without_status(told: str) -> str:
    """Return what a launch has said, without the signs of life that a slow machine shows."""
    return "".join(line for line in told.splitlines(keepends=True) if not line.startswith("the job is waiting"))


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
    assert (job.returncode, without_status(told)) == (1, "beam_taxi: error: interrupted; the job was cancelled\n")
    overview = cluster.json("http://127.0.0.1:8081/jobs/overview")
    assert [one["state"] for one in overview["jobs"]] == ["CANCELED"]
    assert not (tmp_path / "there" / "manifest.json").exists()
    assert runs(["list", "--metadata_store", store]) == 0
    assert "  CANCELED  " in capsys.readouterr().out


@FLINK
def test_a_worker_of_python_is_killed(cluster: Cluster, files: list[str], local_files: Path, tmp_path: Path):
    job = run_with_a_kill(cluster, "SdkHarness", *files, "--output", tmp_path)
    told = without_status(job.communicate()[0])
    if job.returncode != 0:
        assert told.startswith("beam_taxi: error: the job failed: a Python worker died")
        assert told.count("\n") == 1
        assert not (tmp_path / "there").exists()
        cluster.run(*files, "--output", tmp_path, "--run_id", "there")
    assert contents(tmp_path / "there") == contents(local_files)


@FLINK
def test_a_task_manager_is_killed_at_any_moment(cluster: Cluster, taxi: list[str], local_taxi: Path, tmp_path: Path):
    # The slots of the task manager that is left. scripts/engines/chaos.py kills more.
    job = cluster.start(*taxi, "--parallelism", "2", "--output", tmp_path, "--run_id", "there")
    wait_for_job(cluster, job)
    with suppress(subprocess.TimeoutExpired):
        job.wait(timeout=random.uniform(0, 20))
    os.kill(cluster.processes("TaskManagerRunner")[-1], signal.SIGKILL)
    told, _ = job.communicate()
    assert job.returncode == 0, told
    assert contents(tmp_path / "there") == contents(local_taxi)


@FLINK
def test_a_job_outlives_its_launcher_and_its_job_server(
    cluster: Cluster, taxi: list[str], local_taxi: Path, tmp_path: Path
):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    args = [*taxi, "--output", tmp_path, "--metadata_store", store, "--run_id"]
    job = cluster.start(*args, "left")
    wait_for_job(cluster, job)
    job.send_signal(signal.SIGTERM)
    told = without_status(job.communicate()[0])
    assert job.returncode == 143, told
    assert told.startswith(
        "beam_taxi: error: ended by SIGTERM; the job beam-taxi-left is still running: watch it at http://127."
    )
    assert "cancel it with: curl -X PATCH http://127.0.0.1:8081/jobs/" in told
    assert f"python -m beam_taxi runs reap left --metadata_store '{store}'" in told
    assert told.count("\n") == 1
    assert reap(cluster, store) == {"left": "RUNNING"}

    job = cluster.start(*args, "alone")
    wait_for_job(cluster, job, 2)
    os.kill(cluster.processes("job-server.jar")[-1], signal.SIGKILL)
    told, _ = job.communicate()
    assert job.returncode == 0, told
    assert reap(cluster, store) == {"left": "COMPLETE"}
    assert contents(tmp_path / "left") == contents(tmp_path / "alone") == contents(local_taxi)
    # Python workers do not pile up.
    wait_until(lambda: not cluster.processes("SdkHarness"))


@FLINK
def test_a_pool_that_is_gone_is_reported(cluster: Cluster, taxi: list[str], tmp_path: Path):
    job = cluster.start(*taxi, "--output", tmp_path / "out", "--run_id", "there")
    wait_until((tmp_path / "out" / "there").exists)
    for pid in [*cluster.processes("launch.worker_pool"), *cluster.processes("SdkHarness")]:
        os.kill(pid, signal.SIGKILL)
    told = without_status(job.communicate()[0])
    assert (job.returncode, told.count("\n")) == (1, 1), told
    assert (
        "the pool of workers is gone: no answer at 127.0.0.1:50000 (Connection refused): start the pool first" in told
    )
    assert not (tmp_path / "out").exists()


@SPARK
def test_a_second_job_is_refused_and_an_interrupt_cancels_the_first(cluster: Cluster, taxi: list[str], tmp_path: Path):
    job = cluster.start(*taxi, "--output", tmp_path, "--run_id", "first")
    wait_until(lambda: bool(cluster.processes("SdkHarness")))
    second = cluster.start(*taxi, "--output", tmp_path, "--run_id", "second")
    told = without_status(second.communicate()[0])
    assert (second.returncode, told.count("\n")) == (1, 1), told
    assert "the job server at 127.0.0.1:18099 already runs a job, and Spark allows one: wait for it to end" in told
    assert job.poll() is None
    job.send_signal(signal.SIGINT)
    told, _ = job.communicate()
    assert (job.returncode, without_status(told)) == (1, "beam_taxi: error: interrupted; the job was cancelled\n")
    wait_until(lambda: cluster.json("http://127.0.0.1:8080/json/")["activeapps"] == [])
    assert not list(tmp_path.iterdir())


def wait_for_job(cluster: Cluster, launcher: subprocess.Popen[str], number: int = 1) -> None:
    """Return when Flink has so many jobs, the last of which is running."""

    def is_running() -> bool:
        assert launcher.poll() is None, launcher.communicate()
        jobs = cluster.json("http://127.0.0.1:8081/jobs/overview")["jobs"]
        return len(jobs) == number and "RUNNING" in {job["state"] for job in jobs}

    wait_until(is_running)


def reap(cluster: Cluster, store: str) -> dict[str, str]:
    """Return the states that `runs reap` gives to the runs."""
    command = [sys.executable, "-m", "beam_taxi", "runs", "reap", "--json", "--metadata_store", store]
    told = subprocess.check_output(cluster.command(*command), cwd=ROOT)
    return {run["run_id"]: run["state"] for run in json.loads(told)}
