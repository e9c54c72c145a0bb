"""`Run.torch` in a DataLoader of PyTorch, which is fetched for this test."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import beam_taxi
from tests.readers.conftest import ROOT, ROWS, TABLE, fetched, python

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["tfrecord_gzip", "parquet"])
def found(request: pytest.FixtureRequest, run_in: Callable[[str], Path]) -> dict[str, Any]:
    """Return what `torch_rows.py` prints, with the order of the rows in the run."""
    environment = fetched("torch")
    version = f"{sys.version_info[0]}{sys.version_info[1]}"
    if not list((ROOT / ".readers" / "torch" / "python" / "torch").glob(f"_C.cpython-{version}-*")):
        pytest.skip(f"Debian's PyTorch is not for Python {sys.version_info[0]}.{sys.version_info[1]}")
    folder = str(run_in(request.param))
    printed: dict[str, Any] = json.loads(python(environment, Path(__file__).with_name("torch_rows.py"), folder))
    rows = beam_taxi.open_run(folder).arrow("train", binary=["data"]).read_all()
    return {**printed, "order": rows.column("id").to_pylist()}


def same(value: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return len(value) == len(expected) and all(map(same, value, expected))
    if isinstance(expected, bytes):
        return bool(value == expected.hex())
    return bool(value == expected) or (math.isnan(value) and math.isnan(expected))


def test_rows(found: dict[str, Any]):
    rows = {row["id"]: row for row in found["rows"]}
    assert len(found["rows"]) == len(rows) == ROWS
    for expected in TABLE:
        for name, value in expected.items():
            # A missing feature has no values.
            several = [] if value is None else [value] if name.startswith("maybe") else value
            assert same(rows[expected["id"]][name], several), name


def test_workers_and_ranks_share_the_rows(found: dict[str, Any]):
    assert found["workers"]["0"] == found["order"]
    assert all(sorted(rows) == sorted(found["order"]) for rows in found["workers"].values())
    assert all(rows == found["order"] for rows in found["ranks"].values())


@pytest.mark.parametrize("workers", [0, 2, 5])
def test_shuffled_rows_depend_on_seed_and_epoch(found: dict[str, Any], workers: int):
    first, second, again = found[f"epochs {workers}"]
    assert first == again != second
    assert sorted(first) == sorted(second) == sorted(found["order"]) != first


def test_batches(found: dict[str, Any]):
    assert found["shapes"] == {"id": [4], "number": [4], "float": [4], "maybe": [4], "vector": [4, 3]}
    assert set(found["types"].values()) == {"torch.int64", "torch.float32"}
    batch = found["batch"]
    for number, maybe, text, several in zip(
        *(batch[name] for name in ("id", "maybe", "maybe_text", "numbers")), strict=True
    ):
        assert maybe == (-1 if number % 3 else number)
        assert text == ("none" if number % 4 else f"t{number}")
        assert several == (TABLE[number]["numbers"] or [])
