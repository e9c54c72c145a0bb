"""What is told about splits and slices."""

from __future__ import annotations

import pytest

from beam_taxi.run.profile import DatasetProfile, Distinct, Duplicates, FeatureProfile, Profile
from beam_taxi.settings import Settings, StatisticsSettings
from beam_taxi.statistics.profile.doubts import doubts

EQUAL = (
    "only 256 of 20,000 rows are distinct, and equal rows go to the same split; --split_key splits by a column instead"
)
KEY = "--split_key g has only 3 distinct values, and rows of one value go to the same split"
SPLITS: dict[str, tuple[int, int, int, str | None, list[str]]] = {
    "even": (13_300, 6_700, 0, None, []),
    "uneven by chance": (13_500, 6_500, 100, None, []),
    "equal rows": (
        16_400,
        3_600,
        19_744,
        None,
        [f"the splits have 82% and 18% of the rows instead of 67% and 33%: {EQUAL}"],
    ),
    "a key": (20_000, 0, 19_997, "g", [f"the splits have 100% and 0% of the rows instead of 67% and 33%: {KEY}"]),
    "no rows": (0, 0, 0, None, []),
}


@pytest.mark.parametrize(("train", "held", "repeated", "key", "expected"), SPLITS.values(), ids=SPLITS)
def test_uneven_splits(train: int, held: int, repeated: int, key: str | None, expected: list[str]):
    feature = FeatureProfile("INT", train, train, distinct=Distinct(3))
    profile = Profile(
        (
            DatasetProfile("train", train, {"g": feature}, duplicates=Duplicates(repeated)),
            DatasetProfile("eval", held, duplicates=Duplicates(0)),
        )
    )
    assert list(doubts(profile, Settings(("a.csv",), "/out/r", "r", split_key=key))) == expected


def test_many_slices():
    settings = Settings(("a.csv",), "/out/r", "r", statistics=StatisticsSettings(slice_features=("a", "b")))
    splits = (DatasetProfile("train", 0), DatasetProfile("eval", 0))
    few = tuple(DatasetProfile("train", 1, slice=f"a_{n}") for n in range(100))
    assert list(doubts(Profile(splits + few), settings)) == []
    many = (*few, DatasetProfile("eval", 1, slice="b_1"))
    told = "--slice_features a,b makes 101 slices, each with statistics of its own in memory"
    assert list(doubts(Profile(splits + many), settings)) == [told]
