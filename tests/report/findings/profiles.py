"""Profiles with exact counts, from arrays and lists."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beam_taxi.run.profile import (
    FLOAT,
    INT,
    PERCENTILES,
    STRING,
    DatasetProfile,
    Distinct,
    Duplicates,
    FeatureProfile,
    Histogram,
    Lengths,
    Percentile,
    Profile,
    Relation,
    Tail,
    Text,
    ValueCount,
    Values,
)

LISTED = 1000
"""Distinct values up to which all are listed."""

FEW_LISTED = 20
MOST_BARS = 128

_NUMBER = re.compile(r"\s*[$€]?[-+]?[\d,]*\.?\d+\s?(?:%|USD|km|mi)?\s*")

Cells = Sequence[Any] | np.ndarray


def feature(cells: Cells) -> FeatureProfile:
    """Return the profile of a column; None is missing. Integers make INT, floating-point numbers FLOAT."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "iuf":
        return _numbers(cells)
    present = [cell for cell in cells if cell is not None]
    if present and all(isinstance(cell, int | np.integer) for cell in present):
        return _numbers(np.array(present, np.int64))
    if present and all(isinstance(cell, int | float | np.number) for cell in present):
        return _numbers(np.array(present, np.float64))
    return _strings([str(cell) for cell in present])


def split(name: str, rows: int | None = None, **columns: Cells) -> DatasetProfile:
    """Return the profile of a split with these columns."""
    count = max((len(cells) for cells in columns.values()), default=0) if rows is None else rows
    return DatasetProfile(name, count, {key: feature(cells) for key, cells in columns.items()})


def profile(label: str | None = None, **splits: Mapping[str, Cells]) -> Profile:
    """Return a profile of splits, each given by its columns."""
    return Profile(tuple(split(name, **columns) for name, columns in splits.items()), label)


def of_one(*cells: Cells, label: bool = False, name: str = "x") -> Profile:
    """Return a profile of one column, in one split or in several."""
    names = ["train", "eval", "test"] if len(cells) > 1 else ["all"]
    return Profile(
        tuple(split(one, **{name: each}) for one, each in zip(names, cells, strict=False)), name if label else None
    )


def dataset(
    rows: int, features: Mapping[str, FeatureProfile], duplicates: int | None = None, *relations: Relation
) -> DatasetProfile:
    """Return the profile of a split named train."""
    repeated = None if duplicates is None else Duplicates(duplicates)
    return DatasetProfile("train", rows, features, duplicates=repeated, relations=relations)


def _numbers(cells: np.ndarray) -> FeatureProfile:
    kind = INT if cells.dtype.kind in "iu" else FLOAT
    finite = np.sort(cells[np.isfinite(cells)])
    nan = int(np.isnan(cells).sum()) if kind == FLOAT else 0
    base = {
        "type": kind,
        "present": len(cells),
        "values": len(cells),
        "zeros": int((finite == 0).sum()),
        "nan": nan,
        "infinite": len(cells) - len(finite) - nan,
    }
    if not len(finite):
        return FeatureProfile(**base, counts=Values((), True))
    values, counts = np.unique(finite, return_counts=True)
    return FeatureProfile(
        **base,
        mean=float(finite.mean()),
        std=float(finite.std()),
        min=finite[0].item(),
        max=finite[-1].item(),
        distinct=Distinct(len(values)),
        percentiles={str(q): Percentile(_percentile(finite, q)) for q in PERCENTILES},
        histogram=_histogram(finite, kind == INT),
        counts=_values(dict(zip(values.tolist(), counts.tolist(), strict=True)), FEW_LISTED),
    )


def _percentile(ordered: np.ndarray, q: int) -> Any:
    return ordered[max(1, -(-q * len(ordered) // 100)) - 1].item()


def _histogram(ordered: np.ndarray, is_whole: bool) -> Histogram:
    """Return bars up to a quarter of their distance beyond the 1st and 99th percentiles, if the rest is far longer."""
    low, high = float(ordered[0]), float(ordered[-1])
    inner_low, inner_high = float(_percentile(ordered, 1)), float(_percentile(ordered, 99))
    margin = (inner_high - inner_low) / 4
    if margin > 0:
        low = inner_low - margin if inner_low - low > 2 * margin else low
        high = inner_high + margin if high - inner_high > 2 * margin else high
    width = 2.0 ** math.floor(math.log2((high - low) / MOST_BARS)) if high > low else 1.0
    width = max(width, 1.0) if is_whole else width
    while math.floor(high / width) - math.floor(low / width) >= MOST_BARS:
        width *= 2
    first, last = math.floor(low / width), math.floor(high / width)
    bars = np.floor(ordered / width)
    inside = bars[(bars >= first) & (bars <= last)] - first
    counts = np.bincount(inside.astype(int), minlength=last - first + 1)
    below, above = int((bars < first).sum()), int((bars > last).sum())
    return Histogram(
        first * width,
        width,
        tuple(counts.tolist()),
        Tail(below, ordered[0].item()) if below else None,
        Tail(above, ordered[-1].item()) if above else None,
    )


def _values(counts: Mapping[Any, int], listed: int) -> Values:
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    is_complete = len(ranked) <= LISTED
    return Values(tuple(ValueCount(*one) for one in (ranked if is_complete else ranked[:listed])), is_complete)


def _strings(cells: Sequence[str]) -> FeatureProfile:
    counts = Counter(cells)
    padded = {one: n for one, n in counts.items() if one != one.strip() or re.search("[\u00a0\u200b]", one)}
    numbers = {one: n for one, n in counts.items() if _NUMBER.fullmatch(one)}
    lengths = [len(one.encode()) for one in cells]
    named = {"padded": padded, "numbers": numbers}
    return FeatureProfile(
        STRING,
        len(cells),
        len(cells),
        distinct=Distinct(len(counts)),
        counts=_values(counts, LISTED),
        length=Lengths(min(lengths), sum(lengths) / len(lengths), max(lengths)) if cells else None,
        text=Text(
            sum(padded.values()),
            sum(numbers.values()),
            {name: max(each, key=lambda one: (each[one], one)) for name, each in named.items() if each},
        ),
    )
