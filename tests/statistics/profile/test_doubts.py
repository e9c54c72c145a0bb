"""What is told about splits and slices."""

from __future__ import annotations

import pytest

from beam_taxi.run.profile import DatasetProfile, Distinct, Duplicates, FeatureProfile, Profile
from beam_taxi.settings import Settings, Split, SplitSettings, StatisticsSettings
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
    "several keys": (
        20_000,
        0,
        0,
        "g,h",
        [
            "the splits have 100% and 0% of the rows instead of 67% and 33%: "
            "rows with the same values of --split_key g,h go to the same split"
        ],
    ),
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
    splitting = SplitSettings(() if key is None else tuple(key.split(",")))
    assert list(doubts(profile, Settings(("a.csv",), "/out/r", "r", splitting=splitting))) == expected


RULES = {
    "a column": SplitSettings(column="part"),
    "conditions": SplitSettings(conditions=("x < 1",)),
    "strata": SplitSettings(stratify=True),
}


@pytest.mark.parametrize("splitting", RULES.values(), ids=RULES)
def test_only_the_shares_of_a_hash_are_expected(splitting: SplitSettings):
    profile = Profile((DatasetProfile("train", 20_000), DatasetProfile("eval", 0)))
    splits = (Split("train", 2), Split("eval", 1)) if splitting.by_hash else (Split("train"), Split("eval"))
    statistics = StatisticsSettings(label="y")
    settings = Settings(("a.csv",), "/out/r", "r", splits=splits, splitting=splitting, statistics=statistics)
    assert list(doubts(profile, settings)) == []


def test_many_slices():
    settings = Settings(("a.csv",), "/out/r", "r", statistics=StatisticsSettings(slice_features=("a", "b")))
    splits = (DatasetProfile("train", 0), DatasetProfile("eval", 0))
    few = tuple(DatasetProfile("train", 1, slice=f"a_{n}") for n in range(100))
    assert list(doubts(Profile(splits + few), settings)) == []
    many = (*few, DatasetProfile("eval", 1, slice="b_1"))
    told = "--slice_features a,b makes 101 slices, each with statistics of its own in memory"
    assert list(doubts(Profile(splits + many), settings)) == [told]
