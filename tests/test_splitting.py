"""The options of splits: what they are in words, and what is wrong with them."""

from __future__ import annotations

import pytest

from beam_taxi.errors import UsageError
from beam_taxi.launch.command import parse
from beam_taxi.splitting import Split, SplitSettings

TRAIN_EVAL = (Split("train", 2), Split("eval", 1))
NAMES = (Split("train"), Split("eval"))
REFUSED: dict[str, tuple[list[str], list[str]]] = {
    "no weights": (
        ["--splits", "train,eval"],
        [
            "--splits 'train,eval': must be NAME:WEIGHT,NAME:WEIGHT with whole weights, e.g. train:2,eval:1; only with "
            "--split_column or --split_by names are enough"
        ],
    ),
    "some weights": (["--splits", "train:1,eval"], ["--splits 'train:1,eval': must be NAME:WEIGHT,NAME:WEIGHT"]),
    "half a weight": (["--splits", "train:0.5,eval:1"], ["--splits 'train:0.5,eval:1': must be NAME:WEIGHT"]),
    "weights with a column": (
        ["--splits", "train:2,eval:1", "--split_column", "x"],
        ["--splits train:2,eval:1: weights have no meaning with --split_column; give only the names"],
    ),
    "weights with conditions": (
        ["--splits", "train:2,eval", "--split_by", "x < 1"],
        ["--splits train:2,eval: weights have no meaning with --split_by; give only the names"],
    ),
    "a condition too few": (
        ["--splits", "a,b,c", "--split_by", "x < 1"],
        ["--split_by: 1 condition needs 2 splits, but --splits has 3"],
    ),
    "a condition too many": (
        ["--split_by", "x < 1", "x < 2"],
        ["--split_by: 2 conditions need 3 splits, but --splits has 2"],
    ),
    "names": (
        ["--splits", "a,a,b/c", "--split_column", "x"],
        ["--splits: names ['a', 'a', 'b/c'] must be unique, and each must be up to 200"],
    ),
    "no key": (["--split_key", ""], ["--split_key '': must be one or more names of columns, each once"]),
    "half a key": (["--split_key", "a,"], ["--split_key 'a,': must be one or more names of columns, each once"]),
    "a column twice": (["--split_key", "a,a"], ["--split_key 'a,a': must be one or more names of columns, each once"]),
    "two ways": (
        ["--split_column", "x", "--split_by", "x < 1"],
        ["--split_column and --split_by exclude each other"],
    ),
    "strata without a label": (["--stratify"], ["--stratify requires --label"]),
    "strata of keys": (
        ["--stratify", "--label", "y", "--split_key", "k"],
        ["--stratify and --split_key exclude each other: rows of one key may have several labels"],
    ),
    "strata of one split": (
        ["--stratify", "--label", "y", "--no_examples"],
        ["--stratify requires more than one split, but --splits has only all"],
    ),
    "all at once": (
        ["--stratify", "--split_key", "k", "--split_by", "x < 1", "--splits", "a:1,b:1,c:0"],
        [
            "--split_by and --stratify exclude each other",
            "--stratify and --split_key exclude each other",
            "--stratify requires --label",
            "--split_by: 1 condition needs 2 splits, but --splits has 3",
            "weights have no meaning with --split_by",
        ],
    ),
}


@pytest.mark.parametrize(("words", "faults"), REFUSED.values(), ids=REFUSED)
def test_refused_options(words: list[str], faults: list[str]):
    with pytest.raises(UsageError) as error:
        parse(["--input", "a.csv", "--output", "/out", *words])
    assert all(fault in str(error.value) for fault in faults)
    assert str(error.value).count("; --") == len(faults) - 1


DEFAULTS: dict[str, tuple[list[str], tuple[Split, ...]]] = {
    "none": ([], TRAIN_EVAL),
    "a key": (["--split_key", "x"], TRAIN_EVAL),
    "statistics alone": (["--no_examples"], (Split("all", 1),)),
    "a column": (["--split_column", "x"], NAMES),
    "a condition": (["--split_by", "x < 1", "--no_examples"], NAMES),
}


@pytest.mark.parametrize(("words", "splits"), DEFAULTS.values(), ids=DEFAULTS)
def test_the_splits_of_a_run_that_is_given_none(words: list[str], splits: tuple[Split, ...]):
    assert parse(["--input", "a.csv", "--output", "/out", *words]).settings.splits == splits


WORDS: dict[str, tuple[SplitSettings, tuple[Split, ...], str]] = {
    "row": (SplitSettings(), TRAIN_EVAL, "by a hash of the row"),
    "one split": (SplitSettings(("k",)), (Split("all", 1),), "one, with all rows"),
    "keys": (SplitSettings(("a", "b")), TRAIN_EVAL, "by a hash of a and b"),
    "strata": (
        SplitSettings(stratify=True),
        TRAIN_EVAL,
        "by a hash of the row, with the same shares in each class of y",
    ),
    "column": (SplitSettings(("k",), "part"), NAMES, "by the value of part"),
    "conditions": (
        SplitSettings(conditions=("x < 1", "x < 2")),
        (Split("a"), Split("b"), Split("c")),
        "a where x < 1; b where x < 2; else c",
    ),
}


@pytest.mark.parametrize(("splitting", "splits", "expected"), WORDS.values(), ids=WORDS)
def test_in_words(splitting: SplitSettings, splits: tuple[Split, ...], expected: str):
    assert splitting.describe(splits, "y") == expected
