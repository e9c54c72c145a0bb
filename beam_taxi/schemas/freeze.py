"""Freeze a schema for version control, with bounds that another sample of the same data stays within."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from google.protobuf import text_format
from tensorflow_metadata.proto.v0.schema_pb2 import INT, Feature, Schema
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    DatasetFeatureStatistics,
    DatasetFeatureStatisticsList,
    FeatureNameStatistics,
    NumericStatistics,
)

from beam_taxi.schemas.infer import infer_schema
from beam_taxi.schemas.update import round_down
from beam_taxi.statistics.merge import common_stats_of, count_nans, path_of

CHANCE = 0.001
"""The probability that another sample of the same size violates any bound of a frozen schema by chance."""

_MOST_VALUES = 100
"""The largest closed domain, as in TFDV's inference."""


@dataclass(frozen=True)
class Freezing:
    """How to freeze a schema.

    `chance` is the probability that another sample of the same size violates the schema by chance; all features share
    it (Bonferroni). `ranges` limits numbers to the smallest and largest ones seen. `chance` does not cover ranges: the
    largest number of another sample is larger with a probability of one half. `required` makes features without missing
    values required and gives them a fixed shape, so that a single missing value is an anomaly.
    """

    chance: float = CHANCE
    ranges: bool = False
    required: bool = False


def freeze(rows: DatasetFeatureStatistics, freezing: Freezing) -> Schema:
    """Return a schema with the types of the features, and bounds that allow for chance, sorted by name.

    `rows` are the statistics of all splits, merged. `min_fraction` is `least_fraction`. A feature that may be missing
    from all of another sample is optional. A string has a closed domain, and a column of 0 and 1 a `bool_domain`, if
    each of its at most 100 values is frequent enough: see `often_enough`. Formats of strings, such as integers, are not
    frozen.

        text_format.MessageToString(freeze(merge(statistics), Freezing()))
    """
    schema = infer_schema([DatasetFeatureStatisticsList(datasets=[rows])])
    frozen = Schema()
    statistics = {path_of(feature): feature for feature in rows.features}
    chance = freezing.chance / max(1, len(schema.feature))
    for inferred in schema.feature:
        feature = frozen.feature.add(name=inferred.name, type=inferred.type)
        of_rows = statistics[(inferred.name,)]
        _set_presence(feature, inferred, _least_fraction_of(of_rows, rows, chance), rows, freezing.required)
        values = _closed_domain(of_rows, chance)
        if values and inferred.HasField("bool_domain"):
            feature.bool_domain.CopyFrom(inferred.bool_domain)
        elif values:
            feature.domain = inferred.name
            frozen.string_domain.add(name=inferred.name, value=values)
        if freezing.ranges and of_rows.HasField("num_stats") and not feature.WhichOneof("domain_info"):
            _set_range(feature, of_rows.num_stats)
    return frozen


def frozen_text(schema: Schema, header: Sequence[str]) -> str:
    """Return a schema as text below a comment."""
    comment = "".join(f"# {line}\n" for line in header)
    return f"{comment}\n{text_format.MessageToString(schema, as_utf8=True)}"


def header(name: str, rows: int, freezing: Freezing) -> list[str]:
    """Return the lines of a comment about the origin and the guarantees of a frozen schema."""
    another = "Apart from ranges, another" if freezing.ranges else "Another"
    ranges = "Ranges of numbers are those of these rows; another sample often exceeds them."
    numbers = ranges if freezing.ranges else "Numbers have no range."
    missing = "Features without missing values are required." if freezing.required else ""
    return [
        f"Frozen from {rows:,} rows of {name}.",
        f"{another} sample of the same size violates it by chance with a probability of at most {freezing.chance:g}:",
        "min_fraction is the limit of a binomial interval, and a domain is closed only if all its values are frequent.",
        f"{numbers} {missing}".rstrip(),
    ]


def least_fraction(present: float, rows: float, chance: float) -> float:
    """Return the fraction that another sample of the same size falls below with probability `chance`.

    It is the smallest fraction g of the other sample that does not differ significantly from the fraction f of this one
    by the score test of two proportions, z = (f - g) / sqrt(2/n · m·(1 - m)) with their mean m. That is Wilson's
    interval (JASA 22, 1927) for two samples. Enumerated for n of 1,000 and 5,000 and chances from 5e-5 to 0.01, the
    probability is at most 1.1 times `chance`.
    """
    fraction = present / rows
    c = 2 * NormalDist().inv_cdf(1 - chance) ** 2 / rows
    # (f - g)² = c·m·(1 - m) is a quadratic equation in g.
    square, linear = 1 + c / 4, 2 * fraction + c / 2 - c * fraction / 2
    constant = fraction**2 - c * fraction / 2 + c * fraction**2 / 4
    root = math.sqrt(max(0.0, linear**2 - 4 * square * constant))
    return min(fraction, max(0.0, (linear - root) / (2 * square)))


def often_enough(counts: Sequence[float], chance: float) -> bool:
    """Return whether even the rarest value is too frequent to be missing from a sample by chance.

    A value expected `c` times is missing from a sample with the probability exp(-c) (Poisson).
    """
    return bool(counts) and min(counts) >= math.log(1 / chance)


def _least_fraction_of(feature: FeatureNameStatistics, rows: DatasetFeatureStatistics, chance: float) -> float:
    """Return the least fraction of a feature; with weights, the smaller of the fractions by rows and by weight."""
    common = common_stats_of(feature)
    present = common.num_non_missing
    if rows.weighted_num_examples:
        by_weight = common.weighted_common_stats.num_non_missing / rows.weighted_num_examples
        present = min(present, by_weight * rows.num_examples)
    return least_fraction(present, rows.num_examples, chance)


def _set_presence(
    feature: Feature, inferred: Feature, fraction: float, rows: DatasetFeatureStatistics, required: bool
) -> None:
    if required and inferred.presence.min_fraction == 1:
        feature.presence.CopyFrom(inferred.presence)
    elif fraction * rows.num_examples >= 1 and round_down(fraction):
        feature.presence.min_fraction = round_down(fraction)
        feature.presence.min_count = 1
    if required and inferred.HasField("shape"):
        feature.shape.CopyFrom(inferred.shape)
    elif inferred.HasField("shape"):
        count = math.prod(dim.size for dim in inferred.shape.dim)
        feature.value_count.min = feature.value_count.max = count
    elif inferred.WhichOneof("shape_type"):
        kind = inferred.WhichOneof("shape_type")
        getattr(feature, kind).CopyFrom(getattr(inferred, kind))


def _closed_domain(feature: FeatureNameStatistics, chance: float) -> list[str]:
    """Return the values of a feature if all are known and frequent, those of integers only if they are 0 and 1."""
    if feature.HasField("num_stats"):
        numbers = feature.num_stats
        is_bool = feature.type == FeatureNameStatistics.INT and (numbers.min, numbers.max) == (0, 1)
        counts = [numbers.num_zeros, numbers.common_stats.tot_num_values - numbers.num_zeros]
        return ["0", "1"] if is_bool and often_enough(counts, chance) else []
    strings = feature.string_stats
    values = {bucket.label: bucket.sample_count for bucket in strings.rank_histogram.buckets}
    is_complete = strings.unique == len(values) <= _MOST_VALUES and not strings.invalid_utf8_count
    return sorted(values) if is_complete and often_enough(list(values.values()), chance) else []


def _set_range(feature: Feature, numbers: NumericStatistics) -> None:
    """Limit a feature to its smallest and largest value, unless that is infinite or there are no numbers."""
    nans = count_nans(numbers)
    if numbers.common_stats.tot_num_values <= nans:
        return
    is_int = feature.type == INT
    domain = feature.int_domain if is_int else feature.float_domain
    for limit in ("min", "max"):
        value = getattr(numbers, limit)
        if math.isfinite(value):
            setattr(domain, limit, int(value) if is_int else value)
