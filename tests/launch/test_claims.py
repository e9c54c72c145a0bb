"""Two launches with one run id: the second is refused, and harms nothing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from beam_taxi.metadata.queries import list_runs
from beam_taxi.run.folder import read_manifest


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "data.csv"
    path.write_text("id,note,x\n" + "".join(f"{i},note {i % 97},{i / 8}\n" for i in range(20_000)))
    return path


@pytest.mark.parametrize("store", ["none", "sqlite"])
def test_twins(data: Path, tmp_path: Path, store: str):
    uri = "none" if store == "none" else f"sqlite:///{tmp_path}/m.sqlite"
    words = [sys.executable, "-m", "beam_taxi.main", "--input", str(data), "--output", str(tmp_path / "out")]
    words += ["--run_id", "r", "--metadata_store", uri]
    pipe = subprocess.PIPE
    twins = [subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    ends = [(*twin.communicate(), twin.returncode) for twin in twins]
    assert sorted(status for *_, status in ends) == [0, 2, 2]
    for _, err, status in ends:
        refusal = f"beam_taxi: error: --run_id r: {tmp_path}/out/r exists; choose another --run_id\n"
        assert err == (refusal if status else "")
    for path, file in read_manifest(f"{tmp_path}/out/r").named_files().items():
        assert hashlib.sha256((tmp_path / "out" / "r" / path).read_bytes()).hexdigest() == file.sha256
    if store != "none":
        assert [run.state for run in list_runs(uri)] == ["COMPLETE"]
