"""Runs of one table in every format of the Examples, and libraries that only these tests need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_taxi.example_formats import FORMATS
from beam_taxi.main import main
from tests.storage.conftest import bucket, cloud, cloud_storage

__all__ = ["bucket", "cloud", "cloud_storage"]

ROOT = Path(__file__).parents[2]
ROWS = 300
FLOATS = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1 / 3, 1e-45, 3.4e38], np.float32)
TEXTS = ["", "é", "日本 🚕", "line\nbreak", "x" * 3000]
TAGS = [["a", "b", ""], ["ü"], [], None]
TABLE: list[dict[str, Any]] = [
    {
        "id": i,
        "number": (-1) ** i * ((1 << 62) + i),
        "float": FLOATS[i % len(FLOATS)],
        "text": TEXTS[i % len(TEXTS)],
        "data": bytes([i % 256, 0xFF, 0]),
        "maybe": None if i % 3 else i,
        "maybe_text": None if i % 4 else f"t{i}",
        "tags": TAGS[i % len(TAGS)],
        "numbers": None if i % 5 == 0 else list(range(i % 4)),
        "vector": [i / 4, 1.5, -2.0],
    }
    for i in range(ROWS)
]
SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "number": pa.int64(),
        "float": pa.float32(),
        "text": pa.string(),
        "data": pa.binary(),
        "maybe": pa.int64(),
        "maybe_text": pa.string(),
        "tags": pa.list_(pa.string()),
        "numbers": pa.list_(pa.int64()),
        "vector": pa.list_(pa.float32()),
    }
)


def make_run(out: Path, example_format: str, source: Path | str, *options: str) -> Path:
    """Make a run with a split that gets no row, and return its folder."""
    arguments = ["--input", str(source), "--output", str(out), "--run_id", example_format, "--metadata_store", "none"]
    arguments += ["--example_format", example_format, "--num_shards", "3"]
    assert main([*arguments, "--splits", "train:9999999,eval:5000000,none:1", *options]) == 0
    return out / example_format


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "x.parquet"
    pq.write_table(pa.Table.from_pylist(TABLE, SCHEMA), path, row_group_size=70)
    return path


@pytest.fixture(scope="session")
def run_in(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that returns the folder of the run in a format."""
    out, made = tmp_path_factory.mktemp("out"), dict[str, Path]()

    def folder(example_format: str) -> Path:
        package = FORMATS[example_format].package
        if package and find_spec(package) is None:
            missing(f"{package} is not installed: pip install -r requirements-dev.txt")
        if example_format not in made:
            made[example_format] = make_run(out, example_format, table)
        return made[example_format]

    return folder


@pytest.fixture(scope="session", params=FORMATS)
def run(request: pytest.FixtureRequest, run_in: Callable[[str], Path]) -> Path:
    """Return the folder of a run, in each format."""
    return run_in(request.param)


def missing(reason: str) -> None:
    """Skip a test; on CI, where nothing may be missing, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def fetched(name: str) -> dict[str, str]:
    """Return the environment in which a fetched library can be imported, after it was fetched."""
    script = ROOT / "scripts" / "readers" / "fetch.sh"
    environment = {**os.environ, "PYTHON": sys.executable, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([script, name], capture_output=True, text=True, env=environment)
    if done.returncode:
        missing(f"scripts/readers/fetch.sh {name}: {done.stderr.strip()[-300:]}")
    folder = ROOT / ".readers" / name
    environment["PYTHONPATH"] = f"{ROOT}:{folder / 'python'}"
    libraries = folder / "libraries"
    if libraries.is_file():
        environment["LD_LIBRARY_PATH"] = ":".join(str(ROOT / line) for line in libraries.read_text().splitlines())
    return environment


def python(environment: dict[str, str], script: Path, *arguments: str) -> str:
    """Run a script, and return what it prints."""
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
