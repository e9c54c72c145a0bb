"""Jobs on engines that are embedded in a server on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from beam_taxi.cli.runs import main as runs
from tests.engines.cluster import ROOT, contents, processes_in, wait_for_shard

pytestmark = pytest.mark.alone


def run(engine: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "scripts/engines/loopback.sh", "bash", "scripts/engines/run.sh", engine, *map(str, args)]
    # A proxy that does not answer: nothing that stays on this machine may go there.
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("engine", ["prism", "flink"], indirect=True)
def test_several_files_give_the_bytes_of_the_local_run(
    engine: str, files: list[str], local_files: Path, tmp_path: Path
):
    done = run(engine, *files, "--output", tmp_path, "--run_id", "there")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "there") == contents(local_files)


@pytest.mark.parametrize("engine", ["prism"], indirect=True)
def test_the_taxi_file_gives_the_bytes_of_the_local_run(engine: str, taxi: list[str], local_taxi: Path, tmp_path: Path):
    done = run(engine, *taxi, "--output", tmp_path, "--run_id", "there")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "there") == contents(local_taxi)


@pytest.mark.parametrize("engine", ["prism", "flink", "spark"], indirect=True)
def test_refused_data_are_told_as_in_a_local_run(engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n1,2,3\n")
    store = f"sqlite:///{tmp_path}/m.sqlite"
    done = run(engine, "--input", tmp_path / "x.csv", "--output", tmp_path / "out", "--metadata_store", store)
    assert done.returncode == 3, done.stderr
    told = [line for line in done.stderr.splitlines() if not line.startswith("engines: ")]
    assert len(told) == 1, done.stderr
    assert f"{tmp_path}/x.csv: line 3: has 3 fields, the header has 2" in told[0]
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert runs(["list", "--metadata_store", store]) == 0
    assert "  FAILED  " in capsys.readouterr().out


SIGNALS = {
    "SIGTERM": ([signal.SIGTERM], [], 143, "ended by SIGTERM"),
    "SIGHUP as PID 1": ([signal.SIGHUP], ["unshare", "--fork", "--pid", "--mount-proc"], 129, "ended by SIGHUP"),
    "Ctrl-C, twice": ([signal.SIGINT, signal.SIGINT], [], 1, "interrupted"),
}


@pytest.mark.parametrize(("signals", "inside", "status", "message"), SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("engine", ["flink"], indirect=True)
def test_a_signal_ends_the_job_and_its_job_server(
    engine: str,
    signals: list[int],
    inside: list[str],
    status: int,
    message: str,
    files: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    main = [sys.executable, "-m", "beam_taxi.main", "--runner", "FlinkRunner", *files[:-1], store, "--run_id", "there"]
    main += ["--flink_job_server_jar", ".engines/flink/job-server.jar", "--output", str(tmp_path / "out")]
    command = ["bash", "scripts/engines/loopback.sh", *inside, *main]
    job = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for_shard(job, tmp_path / "out" / "there")
    network = os.readlink(f"/proc/{job.pid}/ns/net")
    launcher = processes_in(network, "beam_taxi.main")[-1]
    for number in signals:
        os.kill(launcher, number)
    told, _ = job.communicate()
    assert (job.returncode, told) == (status, f"beam_taxi: error: {message}\n")
    assert processes_in(network, "") == []
    assert not (tmp_path / "out").exists()
    assert runs(["list", "--metadata_store", store]) == 0
    assert "  CANCELED  " in capsys.readouterr().out
