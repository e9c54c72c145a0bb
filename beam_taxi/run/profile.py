"""The profile of a run's data: counts of every column by split and slice, exact wherever they say so.

It is written to `profile.json` in the run folder. TFDV's statistics are sketches, which other tools read; reports show
these counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from beam_taxi.errors import UsageError
from beam_taxi.run.typed_json import InvalidJsonError, from_json

PROFILE_VERSION = 1
"""Incremented if the meaning of a key changes, but not for a new key."""

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)

INT, FLOAT, STRING = "INT", "FLOAT", "STRING"

Number = int | float
Value = str | int | float


@dataclass(frozen=True)
class ValueCount:
    """A value, and the number of times it occurs."""

    value: Value
    count: int


@dataclass(frozen=True)
class Values:
    """The most frequent values, the most frequent first, equal counts by value.

    `complete` means that no value is left out. If it is False and `exact` is True, the counts of the listed values are
    exact, but a value that is not listed may be as frequent as they are. Unless it is None, a count that is not exact
    is too small by at most `error`, and a value that is not listed is no more frequent than the last one with it.
    """

    counts: tuple[ValueCount, ...] = ()
    complete: bool = False
    exact: bool = True
    error: int | None = None


@dataclass(frozen=True)
class Distinct:
    """The number of distinct values; `error` is the relative standard error of an estimate."""

    value: int
    exact: bool = True
    error: float = 0.0


@dataclass(frozen=True)
class Percentile:
    """The value of nearest rank; its rank differs from the wanted one by at most `rank_error` of the values."""

    value: Number
    rank_error: float = 0.0


@dataclass(frozen=True)
class Tail:
    """The values beyond one end of a histogram: how many there are, and the extreme one."""

    count: int
    extreme: Number


@dataclass(frozen=True)
class Histogram:
    """Finite values in bins of equal width: `low + i * width <= value < low + (i + 1) * width`.

    The last bin includes its upper end unless there are values `above`. Width and edges are exact: the width is a power
    of two, and `low` a multiple of it, so bins of two histograms can be merged until they agree.
    """

    low: float
    width: float
    counts: tuple[int, ...]
    below: Tail | None = None
    above: Tail | None = None
    exact: bool = True

    @property
    def high(self) -> float:
        """The upper end of the last bin."""
        return self.low + self.width * len(self.counts)


@dataclass(frozen=True)
class Lengths:
    """Lengths of strings in bytes, or the numbers of values of lists of numbers that are not empty."""

    min: int
    mean: float
    max: int


@dataclass(frozen=True)
class Text:
    """What strings look like; each counts values.

    `padded` have white space or invisible characters at an end, or invisible ones inside. `numbers` would be read as
    numbers once white space, thousands separators, currency signs, percent signs and units are taken off. `examples`
    has one of the values for each of them that is not 0.
    """

    padded: int = 0
    numbers: int = 0
    examples: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FeatureProfile:
    """A column of a data set. `present` counts rows with at least one value, `values` the values themselves.

    NaN and infinite values are present, and outside of everything below them. `mean` and `std` (of the population) are
    None without finite values, and so are `min` and `max`; those of strings are None.
    """

    type: str
    present: int
    values: int
    zeros: int = 0
    nan: int = 0
    infinite: int = 0
    mean: float | None = None
    std: float | None = None
    min: Number | None = None
    max: Number | None = None
    distinct: Distinct = Distinct(0)
    percentiles: Mapping[str, Percentile] = field(default_factory=dict)
    histogram: Histogram | None = None
    counts: Values = Values()
    length: Lengths | None = None
    text: Text | None = None

    @property
    def finite(self) -> int:
        """The number of finite values of a number column."""
        return self.values - self.nan - self.infinite


@dataclass(frozen=True)
class Duplicates:
    """How many rows repeat another row in all columns: the rows less the distinct rows."""

    rows: int
    exact: bool = True


COPY, LINEAR, LABEL, MISSING_TOGETHER = "copy", "linear", "label", "missing together"
"""Kinds of relations."""


@dataclass(frozen=True)
class Relation:
    """What some rows show about several columns.

    `copy`: the two columns are equal in `share` of the sampled rows in which one has a value. `linear`: `share` is the
    absolute Pearson correlation. `label`: the first column predicts the second, the label, rightly in `share` of the
    sampled rows, where the most frequent label alone is right in `chance` of them. `missing together`: the columns are
    missing in the same rows, which are `share` of the sampled ones. `rows` is the number of rows that were looked at.
    """

    kind: str
    features: tuple[str, ...]
    share: float
    rows: int
    chance: float = 0.0


@dataclass(frozen=True)
class Sample:
    """Some rows: `cells` has the values of each, None where one is missing. Lists have their first value alone."""

    columns: tuple[str, ...]
    cells: tuple[tuple[Value | None, ...], ...]


@dataclass(frozen=True)
class DatasetProfile:
    """The rows of a split, or of a slice of it, whose key is `FEATURE_VALUE`.

    `sample` has rows chosen by a hash of the row. Slices have neither rows nor what is known of them.
    """

    split: str
    rows: int
    features: Mapping[str, FeatureProfile] = field(default_factory=dict)
    slice: str = ""
    duplicates: Duplicates | None = None
    relations: tuple[Relation, ...] = ()
    sample: Sample | None = None


@dataclass(frozen=True)
class Profile:
    """All data sets of a run: the splits in order, each followed by its slices.

    `label` is the column to predict, and `first` has the first rows of the input.
    """

    datasets: tuple[DatasetProfile, ...]
    label: str | None = None
    first: Sample | None = None
    profile_version: int = PROFILE_VERSION

    def splits(self) -> dict[str, DatasetProfile]:
        """Return the data sets of all rows, by split."""
        return {one.split: one for one in self.datasets if not one.slice}

    def to_json_text(self) -> str:
        """Return the content of profile.json."""
        # `asdict` would copy the million values of a wide table.
        return json.dumps(self, default=vars, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"

    @staticmethod
    def from_json(values: object) -> Profile:
        """Return the profile that `to_json_text` wrote. Raises UsageError, which says what is wrong."""
        if not isinstance(values, dict) or values.get("profile_version") != PROFILE_VERSION:
            raise UsageError(f"not a profile.json of version {PROFILE_VERSION}")
        try:
            return from_json(Profile, values)
        except InvalidJsonError as error:
            raise UsageError(f"not a valid profile.json: {error}") from error
