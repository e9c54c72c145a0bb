"""The same job on Spark, Flink and Prism, each embedded in a server on this machine: the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from beam_taxi import layout
from beam_taxi.main import main

ROOT = Path(__file__).parents[2]
NEEDS = {"spark": "mvn", "flink": "mvn", "prism": "go"}


@pytest.fixture(scope="module", params=NEEDS)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    missing = [tool for tool in (NEEDS[name], "unshare", "ip") if shutil.which(tool) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{name} needs {', '.join(missing)}: see scripts/engines/fetch.sh and loopback.sh")
    subprocess.run(["bash", "scripts/engines/fetch.sh", name], cwd=ROOT, check=True)
    return name


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with files of three types of columns, missing cells and quoted line breaks."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(3):
        rows = "".join(f'{i},"two\nlines, ""{i % 13}""",{i / 8 if i % 5 else ""}\n' for i in range(number, 2000, 3))
        (folder / f"{number}.csv").write_text("id,note,x\n" + rows)
    return folder


def run(engine: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "scripts/engines/loopback.sh", "bash", "scripts/engines/run.sh", engine, *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the shards and the schema of a run, after a look that there is no file that the manifest does not name."""
    manifest = json.loads((folder / "manifest.json").read_text())
    named = set(layout.named_files(manifest))
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert set(found) - {"manifest.json"} == named
    return {name: path.read_bytes() for name, path in found.items() if path.suffix in (".gz", ".pbtxt")}


def test_the_bytes_of_the_local_run(engine: str, data: Path, tmp_path: Path):
    args = ["--input", str(data / "*.csv"), "--output", str(tmp_path), "--num_shards", "4", "--metadata_store", "none"]
    assert main([*args, "--run_id", "local"]) == 0
    done = run(engine, *args, "--run_id", "there")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "there") == contents(tmp_path / "local")


def test_refused_data_are_told_as_in_a_local_run(engine: str, tmp_path: Path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n1,2,3\n")
    done = run(engine, "--input", tmp_path / "x.csv", "--output", tmp_path / "out", "--metadata_store", "none")
    assert done.returncode == 3, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("beam_taxi: error: ")]
    assert f"{tmp_path}/x.csv: line 3: has 3 fields, the header has 2" in error
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
