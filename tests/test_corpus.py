"""The conformance corpus beside the repository: every case through main in this process, a few as a user runs them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from beam_taxi.main import main
from tests.conftest import SHARED

pytestmark = pytest.mark.slow

CORPUS = SHARED / "csv-corpus"


def load_conform() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conform", CORPUS / "conform.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


conform = load_conform() if (CORPUS / "conform.py").is_file() else None
CASES: dict[str, dict[str, Any]] = {case["id"]: case for case in conform.load_cases()} if conform else {}
BY_COMMAND = ("plain", "glob_other_header", "gzip_truncated", "ragged_long", "delim_tab_set", "float32_precision")


def arguments(case: dict[str, Any], out: Path) -> list[str]:
    options = [word for name, value in case["options"].items() for word in (f"--{name}", value)]
    return ["--input", os.path.join(case["dir"], case["input"]), "--output", str(out), *options]


def judge(case: dict[str, Any], out: Path, status: int, text: str) -> None:
    assert conform is not None
    assert "Traceback" not in text
    files = sorted(out.rglob("FeatureStats.pb"))
    if status:
        assert not files
        assert len(text.splitlines()) == 1
        observed = {"status": "error", "error": text}
    else:
        observed = conform.observe([conform.parse_stats(file) for file in files])
        for column in observed["columns"].values():
            column["n_missing_eff"] = None
        observed |= {"warnings": text, "dead_letter": 0}
    assert conform.judge(case, observed)[0] == "correct", (conform.judge(case, observed), text)


def test_the_corpus_is_there(shared_data: Path):
    assert len(CASES) >= 64


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_case(case: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    status = main([*arguments(case, tmp_path), "--metadata_store", "none"])
    judge(case, tmp_path, status, "".join(capfd.readouterr()))


@pytest.mark.parametrize("case", [CASES[name] for name in BY_COMMAND if name in CASES], ids=lambda case: case["id"])
def test_case_by_command(case: dict[str, Any], tmp_path: Path):
    command = [sys.executable, "-m", "beam_taxi.main", *arguments(case, tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    judge(case, tmp_path, done.returncode, done.stdout + done.stderr)
