"""Every number of a report, compared with what is counted in the Examples."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from beam_taxi import main

pytestmark = pytest.mark.slow

ROWS = 3000
WORDS = ["cab", "Blue Line", "blue line", " padded", "Łódź", "a,b", 'quo"te', "-"]


def table(rows: int) -> str:
    """Return a CSV of columns of many kinds; NaN and infinities are text that is read as such."""
    random = np.random.default_rng(11)
    columns = {
        "flag": (random.random(rows) < 0.02).astype(int),
        "hour": [str(n) if n else "" for n in random.integers(0, 24, rows)],
        "id": random.permutation(rows) + 10**15,
        "beyond": random.integers(0, 500, rows) + 2**60,
        "huge": random.integers(-(2**63), 2**63 - 1, rows),
        "fare": [f"{x:.2f}" for x in random.lognormal(2, 1, rows)],
        "tail": [f"{x:.4g}" for x in random.lognormal(0, 4, rows)],
        "spike": [f"{x:.3f}" if x > 0 else "0" for x in random.normal(-1, 1, rows)],
        "odd": random.choice(["nan", "inf", "-inf", "1.5", "", "-0.0"], rows),
        "company": random.choice(WORDS, rows, p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.03, 0.015, 0.005]),
        "user": [f"user-{n:07d}" for n in random.integers(0, 10**7, rows)],
        "empty": [""] * rows,
        "constant": ["same"] * rows,
    }
    lines = zip(*([_quoted(str(x)) for x in values] for values in columns.values()), strict=True)
    return ",".join(columns) + "\n" + "".join(",".join(line) + "\n" for line in lines)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if {",", '"'} & set(cell) else cell


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    (folder / "table.csv").write_text(table(ROWS))
    words = ["--input", str(folder / "table.csv"), "--output", str(folder), "--run_id", "run", "--num_shards", "3"]
    assert main.main([*words, "--metadata_store", "none", "--slice_features", "company"]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def told(run: Path) -> Any:
    command = [sys.executable, "-m", "beam_taxi", "report", "--json", str(run)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


Example = dict[str, list[Any]]


@pytest.fixture(scope="module")
def examples(run: Path) -> dict[str, list[Example]]:
    """Return the Examples of each split, as values by feature."""
    return {split: [*_read(run, split)] for split in ("train", "eval")}


def _read(run: Path, split: str) -> Iterator[Example]:
    shards = sorted(str(path) for path in (run / "examples" / f"Split-{split}").iterdir())
    for record in tf.data.TFRecordDataset(shards, "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        yield {name: [*getattr(one, one.WhichOneof("kind")).value] for name, one in features.items()}


def check(name: str, told: dict[str, Any], rows: Sequence[Example]) -> None:
    """Check all that is told of a feature in some rows."""
    lists = [row[name] for row in rows if row.get(name)]
    values = [value for one in lists for value in one]
    assert (told["rows"], told["present"], told["missing"]) == (len(rows), len(lists), len(rows) - len(lists))
    if values and isinstance(values[0], bytes):
        words = [value.decode() for value in values]
        assert told["length"] == {
            "min": min(map(len, values)),
            "mean": pytest.approx(sum(map(len, values)) / len(values)),
            "max": max(map(len, values)),
        }
        check_values(told, words)
        return
    if not values:
        return
    finite = [value for value in values if math.isfinite(value)]
    assert told["zeros"] == sum(value == 0 for value in values)
    assert told["nan"] == sum(math.isnan(value) for value in values)
    assert told["infinite"] == sum(math.isinf(value) for value in values)
    assert (told["min"], told["max"]) == (min(finite, default=None), max(finite, default=None))
    if finite:
        numbers = [Fraction(value) for value in finite]
        mean = sum(numbers) / len(numbers)
        variance = sum((value - mean) ** 2 for value in numbers) / len(numbers)
        assert told["mean"] == pytest.approx(float(mean), rel=1e-9, abs=1e-9)
        assert told["std"] == pytest.approx(math.sqrt(variance), rel=1e-6, abs=1e-9)
        check_percentiles(told, sorted(finite))
        check_histogram(told, numbers)
    check_values(told, finite)


def check_values(told: dict[str, Any], values: Sequence[Any]) -> None:
    counts = Counter(values)
    distinct = told["distinct"]
    assert distinct["value"] == len(counts) or (
        not distinct["exact"] and distinct["value"] == pytest.approx(len(counts), rel=0.07)
    )
    listed = told["values"]
    if not listed["exact"]:
        assert not listed["complete"]
        return
    assert all(counts[one["value"]] == one["count"] for one in listed["counts"])
    keys = [(-one["count"], one["value"]) for one in listed["counts"]]
    assert keys == sorted(keys)
    assert not listed["complete"] or len(keys) == len(counts)


def check_percentiles(told: dict[str, Any], in_order: Sequence[float]) -> None:
    assert list(told["percentiles"]) == ["1", "5", "25", "50", "75", "95", "99"]
    for percent, one in told["percentiles"].items():
        rank = max(1, -(-int(percent) * len(in_order) // 100))
        first = 1 + sum(value < one["value"] for value in in_order)
        last = sum(value <= one["value"] for value in in_order)
        assert max(first - rank, rank - last, 0) <= one["rank_error"] * len(in_order) + 1e-6


def check_histogram(told: dict[str, Any], values: Sequence[Fraction]) -> None:
    histogram = told["histogram"]
    assert histogram["exact"]
    bins = histogram["bins"]
    for one in bins:
        low, high = Fraction(one["low"]), Fraction(one["high"])
        is_last = one is bins[-1]
        assert one["count"] == sum(low <= value < high or (is_last and value == high) for value in values)
    for side, beyond, extreme in (
        ("below", [value for value in values if value < bins[0]["low"]], min),
        ("above", [value for value in values if value > bins[-1]["high"]], max),
    ):
        found = histogram[side]
        assert (found["count"] if found else 0) == len(beyond)
        if beyond:
            assert Fraction(found[extreme.__name__]) == extreme(beyond)
    assert sum(one["count"] for one in bins) + sum(
        (histogram[s] or {"count": 0})["count"] for s in ("below", "above")
    ) == len(values)


@pytest.mark.parametrize("name", table(1).splitlines()[0].split(","))
def test_numbers_and_bars_are_those_of_the_examples(
    told: dict[str, Any], examples: dict[str, list[Example]], name: str
):
    (feature,) = [one for one in told["features"] if one["name"] == name]
    assert set(feature["splits"]) == set(examples)
    for split, rows in examples.items():
        check(name, feature["splits"][split], rows)


def test_slices_have_the_numbers_of_their_rows(told: dict[str, Any], examples: dict[str, list[Example]]):
    for feature in told["features"]:
        assert set(feature["slices"]) == {f"company_{word}" for word in WORDS}
        for key, splits in feature["slices"].items():
            for split, found in splits.items():
                rows = [row for row in examples[split] if key == f"company_{row['company'][0].decode()}"]
                check(feature["name"], found, rows)
