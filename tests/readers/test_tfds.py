"""TensorFlow Datasets, which is fetched for this test, reads the Examples of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import beam_taxi
from tests.readers.conftest import ROWS, TABLE, fetched, python

pytestmark = pytest.mark.slow


def encoded(value: Any) -> Any:
    """Return a value as TensorFlow Datasets has it: bytes, here in hexadecimal digits, and lists."""
    if isinstance(value, list):
        return [encoded(one) for one in value]
    if isinstance(value, (str, bytes)):
        return (value.encode() if isinstance(value, str) else value).hex()
    return value


@pytest.mark.parametrize("example_format", ["tfrecord", "array_record"])
def test_rows(run_in: Callable[[str], Path], example_format: str):
    folder = run_in(example_format)
    found = json.loads(python(fetched("tfds"), Path(__file__).with_name("tfds_rows.py"), str(folder)))
    assert found["name"] == "beam_taxi"
    assert found["splits"] == beam_taxi.open_run(str(folder)).splits
    rows = {row["id"]: row for row in found["rows"]}
    assert len(rows) == len(found["rows"]) == ROWS
    for expected in TABLE:
        row = rows[expected["id"]]
        for name, value in expected.items():
            if name in ("maybe", "maybe_text", "tags", "numbers"):
                # Random access returns None for a missing feature, and for an empty list.
                assert (row[name] or []) == encoded([] if value is None else [value] if name[:5] == "maybe" else value)
            else:
                number = value.item() if hasattr(value, "item") else encoded(value)
                assert row[name] == number or (math.isnan(number) and math.isnan(row[name]))
