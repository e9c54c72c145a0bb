"""Relations of columns, by tables of columns that have one and of columns that nearly have."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from beam_taxi.run.profile import COPY, LABEL, LINEAR, MISSING_TOGETHER
from beam_taxi.statistics.relations import relations

N = 2000
RNG = np.random.default_rng(7)
FARE = RNG.lognormal(2.0, 0.7, N).astype(np.float32)
COUNT = RNG.poisson(3, N)
FLAG = (RNG.random(N) < 0.5).astype(int)
RARE = (RNG.random(N) < 0.02).astype(int)
EPOCH = 1_380_000_000 + RNG.integers(0, 90_000_000, N)
COMPANY = np.array([f"company {i}" for i in RNG.zipf(1.6, N) % 40])
NOISE = RNG.normal(size=N).astype(np.float32)
ROW = np.arange(N)


def changed(values: np.ndarray, share: float) -> np.ndarray:
    """Return the values with the first ones replaced by other values of the column."""
    count = int(share * len(values))
    return np.concatenate([np.roll(values, 5)[:count], values[count:]])


def missing(values: np.ndarray, absent: np.ndarray) -> pa.Array:
    return pa.array(values, mask=absent)


def found(columns: dict[str, object], label: str | None = None) -> list[tuple[str, tuple[str, ...]]]:
    batch = pa.RecordBatch.from_pydict(
        {name: one if isinstance(one, pa.Array) else pa.array(one) for name, one in columns.items()}
    )
    return [(one.kind, one.features) for one in relations(batch, label)]


A_FIFTH, OTHER_FIFTH = RNG.random(N) < 0.2, RNG.random(N) < 0.2

COPIES: dict[str, tuple[object, object]] = {
    "floats": (FARE, FARE),
    "floats but for a hundredth": (FARE, changed(FARE, 0.01)),
    "counts": (COUNT, COUNT),
    "counts as floats": (COUNT, COUNT.astype(np.float32)),
    "floats as counts": (COUNT.astype(np.float32), COUNT),
    "categories": (COMPANY, changed(COMPANY, 0.01)),
    "strings and the same bytes": (COMPANY, [one.encode() for one in COMPANY]),
    "flags of many rows": (FLAG, FLAG),
    "rare flags of many rows": (RARE, RARE),
    "missing in the same rows": (missing(FARE, A_FIFTH), missing(FARE, A_FIFTH)),
    "missing in few other rows": (FARE, missing(FARE, ROW < 10)),
}
NO_COPIES: dict[str, tuple[object, object]] = {
    "a twentieth differs": (FARE, changed(FARE, 0.05)),
    "independent rare flags": (RARE, np.roll(RARE, 3)),
    "constants": (np.ones(N, int), np.ones(N, int)),
    "rare flags of few rows": (RARE[:60], RARE[:60]),
    "flags of few rows": (FLAG[:15], FLAG[:15]),
    "timestamps that float32 cannot tell apart": (EPOCH, EPOCH + 1),
    "few values in common": (missing(FARE, ROW > 3), missing(FARE, ROW > 3)),
    "missing in a fifth of other rows": (missing(FARE, A_FIFTH), missing(FARE, OTHER_FIFTH)),
    "texts and numbers": (COUNT, [str(one) for one in COUNT]),
    "nothing but missing": (missing(FARE, ROW >= 0), missing(FARE, ROW >= 0)),
    "a flag that is nearly always the same": (np.r_[1, 1, np.zeros(N - 2, int)], np.r_[0, 0, 1, np.zeros(N - 3, int)]),
}


@pytest.mark.parametrize("pair", COPIES.values(), ids=COPIES)
def test_copies(pair: tuple[object, object]):
    assert [one for one in found(dict(zip("ab", pair, strict=True))) if one[0] != MISSING_TOGETHER] == [
        (COPY, ("a", "b"))
    ]


@pytest.mark.parametrize("pair", NO_COPIES.values(), ids=NO_COPIES)
def test_no_copies(pair: tuple[object, object]):
    assert COPY not in [kind for kind, _ in found(dict(zip("ab", pair, strict=True)))]


LINEARS: dict[str, tuple[object, object]] = {
    "miles and kilometres": (FARE, FARE * 1.609),
    "rounded": (FARE, np.round(FARE * 1.609, 2)),
    "falling": (FARE, 100 - FARE),
    "a flag and its opposite": (FLAG, 1 - FLAG),
    "of other types": (EPOCH, (EPOCH / 3600).astype(np.float32)),
    "of huge numbers": (FARE.astype(np.float64) * 1e30, FARE),
    "missing in other rows": (missing(FARE, A_FIFTH), missing(FARE * 2, OTHER_FIFTH)),
}
NO_LINEARS: dict[str, tuple[object, object]] = {
    "with noise": (FARE, FARE + NOISE),
    "curved": (FARE, FARE**2),
    "one extreme row": (np.r_[1e9, NOISE[1:]], np.r_[1e9, np.roll(NOISE, 7)[1:]]),
    "some sentinels in the same rows": (np.where(ROW < 9, -1e9, NOISE), np.where(ROW < 9, -1e9, FARE)),
    "few rows": (FARE[:20], FARE[:20] * 2),
    "rare flags of few rows": (RARE[:100], 1 - RARE[:100]),
    "constant": (np.ones(N), FARE),
}


@pytest.mark.parametrize("pair", LINEARS.values(), ids=LINEARS)
def test_linear(pair: tuple[object, object]):
    assert found(dict(zip("ab", pair, strict=True))) == [(LINEAR, ("a", "b"))]


@pytest.mark.parametrize("pair", NO_LINEARS.values(), ids=NO_LINEARS)
def test_not_linear(pair: tuple[object, object]):
    assert LINEAR not in [kind for kind, _ in found(dict(zip("ab", pair, strict=True)))]


TIPPED = (np.quantile(FARE, 0.98) < FARE).astype(int)
KINDS = np.array(["bus", "cab", "train"])[RNG.integers(0, 3, N)]
WORDS = {"bus": "B", "cab": "C", "train": "T"}

GIVE_AWAY: dict[str, tuple[object, object]] = {
    "a copy": (FLAG, FLAG),
    "a threshold of a number": (FARE, TIPPED),
    "a code of each class": ([WORDS[one] for one in KINDS], KINDS),
    "with two wrong in a hundred": (changed(FLAG, 0.04), FLAG),
    "missing where the label is 1": (missing(NOISE, FLAG == 1), FLAG),
    "a range of a number": (NOISE, (np.abs(NOISE) < 0.5).astype(int)),
    "the square of a number": (FARE.astype(np.float64), FARE.astype(np.float64) ** 2),
    "NaN where the label is 1": (np.where(FLAG == 1, np.nan, NOISE), FLAG),
}
GIVE_NOTHING_AWAY: dict[str, tuple[object, object]] = {
    "independent": (COMPANY, FLAG),
    "most frequent": (np.zeros(N, int), RARE),
    "a good feature": (np.where(RNG.random(N) < 0.85, FLAG, 1 - FLAG), FLAG),
    "a good number": (NOISE, (NOISE + RNG.normal(size=N) > 0).astype(int)),
    "an id": ([f"id {i}" for i in range(N)], FLAG),
    "a number that is an id": (RNG.permutation(N), FLAG),
    "the id of another label": (RNG.permutation(N), [f"id {i}" for i in RNG.permutation(N)]),
    "a good number of a number": (FARE + NOISE / 10, FARE),
    "few rows": (FLAG[:20], FLAG[:20]),
    "two of a class": (np.r_[1, 1, np.zeros(98, int)], np.r_[1, 1, np.zeros(98, int)]),
}


@pytest.mark.parametrize("pair", GIVE_AWAY.values(), ids=GIVE_AWAY)
def test_gives_the_label_away(pair: tuple[object, object]):
    assert (LABEL, ("x", "y")) in found({"noise": NOISE, "x": pair[0], "y": pair[1]}, "y")


@pytest.mark.parametrize("pair", GIVE_NOTHING_AWAY.values(), ids=GIVE_NOTHING_AWAY)
def test_does_not_give_the_label_away(pair: tuple[object, object]):
    assert LABEL not in [kind for kind, _ in found({"x": pair[0], "y": pair[1]}, "y")]


def test_prediction_is_compared_with_the_most_frequent_label():
    (one,) = (one for one in relations(pa.RecordBatch.from_pydict({"x": FARE, "y": TIPPED}), "y") if one.kind == LABEL)
    assert one.chance == pytest.approx(0.98, abs=0.001)
    assert one.share >= 0.998
    assert one.rows == N


def test_missing_together():
    columns = {
        "a": missing(FARE, A_FIFTH),
        "b": missing(COUNT, OTHER_FIFTH),
        "c": missing(COMPANY, A_FIFTH),
        "never": NOISE,
        "never either": FARE * NOISE,
        "always": missing(FARE, ROW >= 0),
        "always too": missing(COUNT, ROW >= 0),
        "four rows": missing(np.roll(NOISE, 9), ROW < 4),
        "the same four rows": missing(np.roll(COMPANY, 1), ROW < 4),
    }
    assert found(columns) == [(MISSING_TOGETHER, ("a", "c"))]


def test_relations_are_those_to_the_first_of_several_copies():
    columns = {"d": NOISE, "c": FARE, "b": FARE, "a": FARE, "z": FARE * 2}
    assert found(columns) == [(COPY, ("c", "b")), (COPY, ("c", "a")), (LINEAR, ("c", "z"))]


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows(rows: int):
    columns = {"a": FARE[:rows], "b": FARE[:rows], "c": COMPANY[:rows].tolist(), "d": FLAG[:rows]}
    for label in (None, "a", "c", "d", "none"):
        assert found(columns, label) == []


@pytest.mark.parametrize("seed", range(5))
def test_independent_columns_have_no_relations(seed: int):
    rng = np.random.default_rng(seed)
    for rows, columns in ((4000, 12), (100, 400)):
        makers: list[Callable[[], object]] = [
            lambda n=rows: rng.lognormal(size=n).astype(np.float32),
            lambda n=rows: rng.poisson(0.1, n),
            lambda n=rows: (rng.random(n) < 0.02).astype(int),
            lambda n=rows: pa.array(rng.poisson(2, n), mask=rng.random(n) < 0.05),
            lambda n=rows: [f"v{i}" for i in rng.zipf(2, n)],
        ]
        table = {f"c{i}": makers[i % len(makers)]() for i in range(columns)}
        for label in ("c2", "c3", "c4"):
            assert found(table, label) == []


def test_two_thousand_columns_take_no_more_than_seconds():
    rng = np.random.default_rng(0)
    table = {f"c{i}": rng.normal(size=100).astype(np.float32) if i % 2 else rng.poisson(3, 100) for i in range(2000)}
    table["copy"] = table["c7"]
    began = time.process_time()
    assert found(table, "c0") == [(COPY, ("c7", "copy"))]
    assert time.process_time() - began < 10
