"""Engines and clusters in a network of their own, and the runs on this machine that theirs must equal."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_taxi.main import main
from tests.engines.cluster import ROOT, Cluster

_NEEDS = {"spark": "mvn", "flink": "mvn", "prism": "go"}


SCHEMA = """
feature { name: "id" type: INT int_domain { max: 59990 } }
feature { name: "note" type: BYTES }
feature { name: "x" type: FLOAT presence { min_fraction: 1 } }
"""
CHECKS = """
version: 1
rows:
  - rule: id % 1000 != 7
unique:
  - columns: [id]
  - columns: [note, x]
row_count:
  - min: 60000
"""


def fetch(engine: str) -> str:
    """Fetch an engine; skip where that needs what is not here, but fail on CI."""
    missing = [tool for tool in (_NEEDS[engine], "unshare", "nsenter", "ip") if shutil.which(tool) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{engine} needs {', '.join(missing)}: see scripts/engines/fetch.sh and loopback.sh")
    subprocess.run(["bash", "scripts/engines/fetch.sh", engine], cwd=ROOT, check=True)
    return engine


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """Return the name of an engine that run.sh can start."""
    return fetch(request.param)


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Yield a new cluster with two executors or task managers: the tests kill them."""
    cluster = Cluster(fetch(request.param))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return arguments: three files with three types of columns, missing cells and quoted line breaks, all judged."""
    folder = tmp_path_factory.mktemp("files")
    for number in range(3):
        rows = "".join(f'{i},"two\nlines, ""{i % 13}""",{i / 8 if i % 5 else ""}\n' for i in range(number, 60000, 3))
        (folder / f"{number}.csv").write_text("id,note,x\n" + rows)
    (folder / "schema.pbtxt").write_text(SCHEMA)
    (folder / "checks.yaml").write_text(CHECKS)
    judged = ["--schema", str(folder / "schema.pbtxt"), "--checks", str(folder / "checks.yaml"), "--fail_on", "none"]
    return ["--input", str(folder / "*.csv"), *judged, "--num_shards", "12", "--metadata_store", "none"]


@pytest.fixture(scope="session")
def taxi(shared_data: Path) -> list[str]:
    """Return arguments: the real taxi file."""
    path = str(shared_data / "data" / "chicago_taxi.csv")
    return ["--input", path, "--num_shards", "5", "--metadata_store", "none"]


@pytest.fixture(scope="session")
def local_files(files: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a local run on the three files."""
    return local_run(files, tmp_path_factory.mktemp("local"))


@pytest.fixture(scope="session")
def local_taxi(taxi: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a local run on the taxi file."""
    return local_run(taxi, tmp_path_factory.mktemp("local"))


def local_run(args: list[str], folder: Path) -> Path:
    assert main([*args, "--output", str(folder), "--run_id", "run"]) == 0
    return folder / "run"
