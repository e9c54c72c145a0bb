"""The examples of docs/reading.md, run as they stand."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from beam_taxi.example_formats import FORMATS
from beam_taxi.main import main
from beam_taxi.samples import taxi
from tests.readers.conftest import ROOT, fetched, python

PAGE = (ROOT / "docs" / "reading.md").read_text()
BLOCKS = re.findall(r"^```python ?(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
"""The library that a block needs beyond the requirements, and its code."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the runs of the page in `out`."""
    folder = tmp_path_factory.mktemp("page")
    taxi.main(["--rows", "800", "--seed", "3", "--out", str(folder / "taxi.csv")])
    runs = {"RUN": "tfrecord_gzip", "TFRECORD_RUN": "tfrecord"}
    if find_spec("array_record") is not None:
        runs["ARRAY_RECORD_RUN"] = "array_record"
    for run_id, example_format in runs.items():
        words = ["--input", str(folder / "taxi.csv"), "--output", str(folder / "out"), "--run_id", run_id]
        assert main([*words, "--example_format", example_format, "--metadata_store", "none"]) == 0
    return folder


def test_the_examples_of_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    for library, code in BLOCKS:
        if not library:
            exec(compile(code, "docs/reading.md", "exec"), names)
    assert len(names["frame"]) == names["run"].splits["train"]


@pytest.mark.parametrize("library", ["torch", "tfds", "grain"])
def test_the_examples_with_other_libraries(folder: Path, library: str, monkeypatch: pytest.MonkeyPatch):
    code = "\n".join(block for name, block in BLOCKS if name in (library, *[""] * (library == "torch")))
    assert code
    monkeypatch.chdir(folder)
    # The workers of a DataLoader may import the script.
    script = folder / f"{library}_block.py"
    script.write_text("if __name__ == '__main__':\n" + "".join(f"    {line}\n" for line in code.splitlines()))
    python(fetched(library), script)


def test_the_table_of_formats_is_whole():
    rows = dict(re.findall(r"^\| `(\w+)`[^|]*\| `([^`]+)` \|", PAGE, re.MULTILINE))
    assert rows == {name: f"{one.prefix}-00000-of-00001{one.suffix}" for name, one in FORMATS.items()}
