"""How rows are assigned to splits: by a hash, by a column, or by conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from beam_taxi.flags import Group, Value, flag, format_names, parse_names

# File systems allow 255 bytes in a name.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
"""The names of runs, pipelines and splits."""

NAME_RULE = "must be up to 200 letters, digits, '.', '_' and '-', the first a letter or digit"
# What `tfexample.split` can assign: 2**32 shares of all splits together.
_MOST_SPLITS = 256
_LARGEST_WEIGHT = 2**24


@dataclass(frozen=True)
class Split:
    """A named part of the rows; its share is `weight` over the sum of the weights.

    It has no weight if a column or conditions decide which rows it has.
    """

    name: str
    weight: int | None = None

    def __str__(self) -> str:
        return self.name if self.weight is None else f"{self.name}:{self.weight}"


def _parse_splits(text: str) -> tuple[Split, ...]:
    parts = [re.fullmatch(r"([^:]+)(?::(\d+))?", part) for part in text.split(",")]
    if not all(parts):
        raise ValueError("must be NAME:WEIGHT,NAME:WEIGHT with whole weights, e.g. train:2,eval:1")
    return tuple(Split(part[1], None if part[2] is None else int(part[2])) for part in parts if part)


def format_splits(splits: Iterable[Split]) -> str:
    """Return the splits as `--splits` takes them."""
    return ",".join(map(str, splits))


SPLITS = Value(_parse_splits, format_splits)


def _parse_key(text: str) -> tuple[str, ...]:
    names = parse_names(text)
    if not all(names) or not names or len(set(names)) < len(names):
        raise ValueError("must be one or more names of columns, each once, separated by commas")
    return names


_KEY = Value(_parse_key, format_names)


def default_splits(examples: bool, by_hash: bool = True) -> tuple[Split, ...]:
    """Return the splits of a run that is given none: statistics alone need only one."""
    if not by_hash:
        return (Split("train"), Split("eval"))
    return (Split("train", 2), Split("eval", 1)) if examples else (Split("all", 1),)


DEFAULTS = (
    f"{format_splits(default_splits(True))}; {format_splits(default_splits(False))} without examples; "
    f"{format_splits(default_splits(True, False))} with --split_column or --split_by"
)
"""The defaults of `--splits`, as help shows them."""


@dataclass(frozen=True)
class SplitSettings:
    """What decides the split of a row: by default a hash of the whole row, else of the columns in `key`.

    `column` has the names of the splits as values. Of N splits, the first N - 1 have the rows that satisfy one of the
    `conditions`, in their order, and the last has the rest. With either of them, a value of `key` should only be in one
    split; the run checks whether that is so. `stratify` holds the shares of the splits within each class of the label.
    """

    key: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "columns whose values together decide the split of a row: a,b,…; with --split_column or --split_by, what "
            "must not be in two splits",
            Group.EXAMPLES,
            _KEY,
            name="split_key",
            metavar="COLUMNS",
            default="the whole row",
        ),
    )
    column: str | None = field(
        default=None,
        metadata=flag(
            "column whose value is the name of the split; a row with another value, or none, is rejected",
            Group.EXAMPLES,
            name="split_column",
            metavar="COLUMN",
        ),
    )
    conditions: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "a row goes to the first split whose condition holds, else to the last split, which has none: "
            "'day < 20260101'; it is rejected if a missing value leaves that open",
            Group.EXAMPLES,
            name="split_by",
            metavar="CONDITION",
            repeats=True,
        ),
    )
    stratify: bool = field(
        default=False,
        metadata=flag(
            "hold the shares of the splits within each class of --label; reads the input once more",
            Group.EXAMPLES,
            sets=True,
        ),
    )

    @property
    def by_hash(self) -> bool:
        """Whether a hash decides the split, so that equal rows, or rows of one key, are in the same split."""
        return self.column is None and not self.conditions

    @property
    def may_leak(self) -> bool:
        """Whether a key, or a row but for `column`, may be in several splits. Of equal rows, conditions hold alike."""
        return self.column is not None or bool(self.conditions and self.key)

    @property
    def may_differ(self) -> bool:
        """Whether equal rows, or rows of one key, may be in different splits in different runs."""
        return self.may_leak or self.stratify

    def faults(self, splits: Sequence[Split], label: str | None) -> Iterator[str]:
        """Yield what is wrong with these options and `--splits`, by option."""
        yield from _faults_of_names([split.name for split in splits])
        given = {"--split_column": self.column is not None, "--split_by": self.conditions, "--stratify": self.stratify}
        ways = [option for option, value in given.items() if value]
        if len(ways) > 1:
            yield f"{' and '.join(ways)} exclude each other"
        if self.stratify and self.key:
            yield "--stratify and --split_key exclude each other: rows of one key may have several labels"
        if self.stratify and label is None:
            yield "--stratify requires --label"
        if self.stratify and len(splits) == 1:
            yield f"--stratify requires more than one split, but --splits has only {splits[0].name}"
        if self.conditions and len(splits) != len(self.conditions) + 1:
            count = len(self.conditions)
            told = "1 condition needs" if count == 1 else f"{count} conditions need"
            yield f"--split_by: {told} {count + 1} splits, but --splits has {len(splits)}"
        yield from self._faults_of_weights(splits)

    def _faults_of_weights(self, splits: Sequence[Split]) -> Iterator[str]:
        weights = [split.weight for split in splits if split.weight is not None]
        if not self.by_hash and weights:
            way = "--split_by" if self.column is None else "--split_column"
            yield f"--splits {format_splits(splits)}: weights have no meaning with {way}; give only the names"
        elif self.by_hash and len(weights) < len(splits):
            yield (
                f"--splits {format_splits(splits)!r}: must be NAME:WEIGHT,NAME:WEIGHT with whole weights, e.g. "
                "train:2,eval:1; only with --split_column or --split_by names are enough"
            )
        elif not all(1 <= weight <= _LARGEST_WEIGHT for weight in weights):
            yield f"--splits: weights must be whole numbers between 1 and {_LARGEST_WEIGHT}"

    def describe(self, splits: Sequence[Split], label: str | None) -> str:
        """Return in words what decides the split of a row."""
        if self.column is not None:
            return f"by the value of {self.column}"
        if self.conditions:
            pairs = zip(splits, self.conditions, strict=False)
            return "; ".join([*(f"{one.name} where {text}" for one, text in pairs), f"else {splits[-1].name}"])
        if len(splits) == 1:
            return "one, with all rows"
        if self.stratify:
            return f"by a hash of the row, with the same shares in each class of {label}"
        return f"by a hash of {' and '.join(self.key) or 'the row'}"


def _faults_of_names(names: Sequence[str]) -> Iterator[str]:
    if not names or len(set(names)) < len(names) or not all(NAME.fullmatch(n) for n in names):
        yield f"--splits: names {list(names)} must be unique, and each {NAME_RULE}"
    if len(names) > _MOST_SPLITS:
        yield f"--splits: {len(names)} splits; there must be no more than {_MOST_SPLITS}"


def upgraded(settings: object) -> object:
    """Return the JSON values of settings with the key of the splits, one column or none, where it is now."""
    if not isinstance(settings, Mapping) or "splitting" in settings:
        return settings
    key = settings.get("split_key")
    return {**settings, "splitting": {"key": [] if key is None else [key]}}
