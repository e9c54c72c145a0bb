"""A cluster of scripts/engines/cluster.sh, jobs in its network, and what a run of a job holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.folder import JUNIT, MANIFEST, OPENLINEAGE, REPORT, VALIDATION, RunFolder, read_manifest

ROOT = Path(__file__).parents[2]
POOL = ["--environment_type", "EXTERNAL", "--environment_config", "127.0.0.1:50000"]
RUNNERS = {"spark": ["SparkRunner"], "flink": ["FlinkRunner", "--flink_master", "127.0.0.1:8081"]}


class Cluster:
    """All its processes are in a network that has the loopback alone."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        command = ["bash", "scripts/engines/loopback.sh", "bash", "scripts/engines/cluster.sh", engine]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert "is ready" in line, line
        self._network = os.readlink(f"/proc/{self._process.pid}/ns/net")

    def command(self, *command: str | Path) -> list[str]:
        """Return a command as it is run in the cluster's network."""
        inside = ["nsenter", "--target", str(self._process.pid), "--user", "--net", "--preserve-credentials"]
        return [*inside, *map(str, command)]

    def start(self, *args: str | Path) -> subprocess.Popen[str]:
        """Launch a job."""
        main = [sys.executable, "-m", "beam_taxi.main", "--job_endpoint", "127.0.0.1:18099"]
        command = self.command(*main, *POOL, "--runner", *RUNNERS[self.engine], *args)
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, *args: str | Path) -> str:
        """Run a job; return what it told."""
        job = self.start(*args)
        told, _ = job.communicate()
        assert job.returncode == 0, told
        return told

    def processes(self, words: str) -> list[int]:
        """Return the processes of the cluster whose command line has these words."""
        return processes_in(self._network, words)

    def json(self, address: str) -> dict[str, Any]:
        """Return what a page of the cluster holds."""
        code = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())"
        answer: dict[str, Any] = json.loads(subprocess.check_output(self.command(sys.executable, "-c", code, address)))
        return answer

    def respawn(self, pid: int) -> Callable[[], None]:
        """Return what starts a process of the cluster again, with its command line and environment."""
        folder = Path("/proc", str(pid))
        command = [os.fsdecode(word) for word in (folder / "cmdline").read_bytes().split(b"\0")[:-1]]
        variables = [os.fsdecode(one) for one in (folder / "environ").read_bytes().split(b"\0") if one]
        environment = dict(one.split("=", 1) for one in variables)
        log = open(os.readlink(folder / "fd" / "1"), "ab")  # noqa: SIM115

        def start() -> None:
            inside = self.command(*command)
            subprocess.Popen(inside, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)

        return start

    def stop(self) -> None:
        """End all processes of the cluster; print the ends of its logs, which pytest shows of a test that failed."""
        self._process.terminate()
        self._process.wait()
        for pid in self.processes(""):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for log in sorted(ROOT.glob(f".engines/{self.engine}-cluster/*.log")):
            print(log.name, *log.read_text(errors="replace").splitlines()[-15:], sep="\n")


def processes_in(network: str, words: str) -> list[int]:
    """Return the processes in a network namespace whose command line has these words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(folder / "ns" / "net") == network and words.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return sorted(found)


def wait_until(found: Callable[[], bool]) -> None:
    """Return when `found` is true."""
    until = time.monotonic() + 120
    while not found():
        assert time.monotonic() < until, "waited for 120 s"
        time.sleep(0.2)


def wait_for_shard(job: subprocess.Popen[str], folder: Path) -> None:
    """Return when the first shard of a run appears. Raises AssertionError where the job ends before."""
    while not list(folder.glob("examples/*/*.gz")):
        try:
            job.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        assert job.stdout is not None
        raise AssertionError(job.stdout.read())


def _counts(dataset: statistics_pb2.DatasetFeatureStatistics) -> dict[str, Any]:
    """Return the exact counts of a split: of rows, and by feature."""
    features = {}
    for feature in dataset.features:
        stats = getattr(feature, feature.WhichOneof("stats"))
        common = stats.common_stats
        figures = [common.num_non_missing, common.num_missing, common.tot_num_values]
        if feature.HasField("num_stats"):
            figures += [stats.num_zeros, stats.min, stats.max]
        else:
            figures += [stats.unique, *((top.value, top.frequency) for top in stats.top_values)]
        features[feature.path.step[0]] = figures
    return {"rows": dataset.num_examples, "features": features}


def contents(folder: Path) -> dict[str, Any]:
    """Return the shards, the schema, the counts of the statistics and the judgement of a run.

    There is no file that the manifest does not name, and none is missing.
    """
    named = read_manifest(str(folder)).named_files()
    of_validation = {JUNIT} if VALIDATION in named else set()
    found: dict[str, Any] = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert set(found) == {*named, MANIFEST, REPORT, OPENLINEAGE, *of_validation}
    held: dict[str, Any] = {n: path.read_bytes() for n, path in found.items() if path.suffix in (".gz", ".pbtxt")}
    if of_validation:
        held[VALIDATION] = RunFolder(str(folder)).read_validation().results
    for name in (name for name in found if name.endswith("FeatureStats.pb")):
        statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(found[name].read_bytes())
        held[name] = [_counts(dataset) for dataset in statistics.datasets]
    return held
