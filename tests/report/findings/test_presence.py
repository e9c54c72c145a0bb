"""Findings about empty and constant columns, missing values, ids, and the label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from beam_taxi.report.findings.find import find
from tests.report.findings.profiles import of_one

RNG = np.random.default_rng(3)
N = 1000
WORDS = [f"word {i % 7}" for i in range(N)]
FLAGS = (np.arange(N) % 2).tolist()
NOTHING = [None] * N


def some(values: list[Any], share: float) -> list[Any]:
    """Return the values with the last ones missing."""
    kept = int(len(values) * (1 - share))
    return values[:kept] + [None] * (len(values) - kept)


def classes(*counts: int) -> list[str]:
    return [f"class {i}" for i, count in enumerate(counts) for _ in range(count)]


FOUND: dict[str, tuple[list[Any], dict[str, Any], list[tuple[str, str]]]] = {
    "empty": ([NOTHING], {}, [("empty", "warning")]),
    "empty label": ([NOTHING], {"label": True}, [("empty", "error")]),
    "empty in a split": ([WORDS, NOTHING], {}, [("empty", "warning")]),
    "empty in a small split": ([some(WORDS, 0.9), [None] * 5], {}, [("many_missing", "warning")]),
    "constant string": ([["a"] * N], {}, [("constant", "warning")]),
    "constant number": ([np.full(N, 7)], {}, [("constant", "warning")]),
    "constant, or missing": ([some([0.0] * N, 0.3)], {}, [("constant", "warning"), ("many_missing", "info")]),
    "constant in each split": ([np.full(N, 7), np.full(N, 8)], {}, [("split_difference", "warning")]),
    "constant label": ([np.full(N, 1)], {"label": True}, [("constant", "error")]),
    "few constant rows": ([np.full(5, 7)], {}, []),
    "half missing": ([some(WORDS, 0.5)], {}, [("many_missing", "warning")]),
    "a third missing": ([some(WORDS, 0.33)], {}, [("many_missing", "info")]),
    "a tenth missing": ([some(WORDS, 0.1)], {}, []),
    "a label missing": ([some(FLAGS, 0.01)], {"label": True}, [("many_missing", "warning")]),
    "rare class": ([classes(980, 20)], {"label": True}, [("imbalance", "warning")]),
    "rare class of numbers": ([[0] * 980 + [1] * 20], {"label": True}, [("imbalance", "warning")]),
    "uneven classes": ([classes(500, 400, 100)], {"label": True}, [("imbalance", "info")]),
    "even classes": ([classes(300, 400, 300)], {"label": True}, []),
    "uneven classes of another column": ([classes(980, 20)], {}, []),
    "label of many numbers": ([RNG.normal(size=N)], {"label": True}, []),
    "numbered rows": ([np.arange(N)], {}, [("unique", "warning")]),
    "numbered rows of splits": ([np.arange(0, N, 2), np.arange(1, N, 2)], {}, [("unique", "warning")]),
    "different numbers": ([RNG.permutation(10**6)[:N]], {}, [("unique", "info")]),
    "different times": ([1_400_000_000 + RNG.permutation(10**6)[:N]], {}, []),
    "a number named id": ([RNG.choice(10**7, N, replace=False)], {"name": "trip_id"}, [("unique", "warning")]),
    "different measurements": ([RNG.normal(size=N)], {}, []),
    "different in one split": (
        [[f"id{i}" for i in range(600)], [f"id{i % 40}" for i in range(600)]], {}, [("many_values", "info")]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "options", "expected"), FOUND.values(), ids=FOUND)
def test_found(cells: list[Any], options: dict[str, Any], expected: list[tuple[str, str]]):
    found = [(one.kind, one.severity) for one in find(of_one(*cells, **options))]
    assert sorted(found) == sorted(expected)


TEXTS: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "empty": ([NOTHING], {}, "x: no row has a value"),
    "empty in a split": ([WORDS, NOTHING], {}, "x: no row has a value (in eval)"),
    "constant": ([np.full(N, 7), np.full(20, 7)], {}, "x: every value is 7"),
    "constant, or missing": ([some(["a "] * N, 0.1)], {}, "x: every value is 'a ', and 10.0% are missing"),
    "missing": (
        [some(WORDS, 0.5), some(WORDS, 0.6)],
        {},
        "x: 60.0% of the 1,000 rows have no value (in eval; 50.0% in train)",
    ),
    "label": ([some(FLAGS, 0.001)], {"label": True}, "x: 1 row (0.1%) has no label"),
    "imbalance": ([classes(950, 50)], {"label": True}, "x: 5.0% of the labels are 'class 1', and 95.0% are 'class 0'"),
    "unique": ([[f"trip {i:04}" for i in range(N)]], {}, "x: all 1,000 values are different, as in an id"),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "options", "text"), TEXTS.values(), ids=TEXTS)
def test_texts(cells: list[Any], options: dict[str, Any], text: str):
    assert text in [one.text for one in find(of_one(*cells, **options))]
