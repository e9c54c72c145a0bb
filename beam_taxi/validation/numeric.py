"""Measures of how a numeric feature differs between two samples."""

from __future__ import annotations

import math
from dataclasses import replace

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.statistics.sketches import INTERPOLATED, SKETCH, sketch_error
from beam_taxi.validation import chance, distance
from beam_taxi.validation.measure import Measure, Measurement, change, figure, percent, small
from beam_taxi.validation.sample import Sample
from beam_taxi.validation.tail import FEWEST, farthest

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles whose shift is measured."""

_NOT_ON_GRID = 0.05
"""Largest distance of a number on a grid from a whole multiple, in steps of the grid."""

_FEWEST_ENDS = 5
"""Minimum number of different bucket ends that show a grid."""

_FLOAT32 = 1.2e-7
"""Relative error of a number of 32 bits."""


def kolmogorov_smirnov(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the Kolmogorov-Smirnov distance."""
    if now.distribution is None or base.distribution is None:
        return None
    found = distance.kolmogorov_smirnov(now.distribution, base.distribution, (now.size, base.size), level)
    return Measure("ks", found.value, found.floor, f"KS {small(found.value)}")


def mean(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the difference of the means in standard deviations of the baseline.

    The floor uses the larger of the two variances, since a small sample of a heavy tail underestimates its own.
    """
    before, after = float(base.numbers.mean), float(now.numbers.mean)
    spread, spread_now = float(base.numbers.std_dev), float(now.numbers.std_dev)
    if not all(map(math.isfinite, (before, after, spread, spread_now))):
        return None
    evidence = {"mean": after, "mean_baseline": before, "std_dev": spread_now, "std_dev_baseline": spread}
    unit = spread or spread_now
    if not unit:
        return None
    floor = chance.mean(level, max(spread, spread_now) ** 2, now.size, base.size) / unit
    value = abs(after - before) / unit
    return Measure("mean", value, floor, f"mean {change(before, after)}, {small(value)} standard deviations", evidence)


def quantiles(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the largest shift of a quantile, in widths of the baseline's middle 90%.

    Chance moves the share below a quantile by its binomial error. The floor is how far that moves the quantile of
    either sample towards the other's; the level is divided by these two tests and by the number of quantiles.
    """
    if now.distribution is None or base.distribution is None:
        return None
    width = _quantile(base, QUANTILES[-1]) - _quantile(base, QUANTILES[0])
    if width <= 0:
        return None
    found: list[Measure] = []
    for q in QUANTILES:
        before, after = _quantile(base, q), _quantile(now, q)
        error = chance.bernstein(level / 2 / len(QUANTILES), q, now.size, base.size) + SKETCH
        up = error if after > before else -error
        floor = min(_wander(base, q, up), _wander(now, q, -up)) / width
        value = abs(after - before) / width
        evidence = {"quantile": q, "quantile_value": after, "quantile_value_baseline": before}
        words = f"{percent(q)} quantile {change(before, after)}, {small(value)} of the middle 90%"
        found.append(Measure("quantiles", value, floor, words, evidence))
    return max(found, key=lambda one: (one.value > one.floor, one.value))


def _quantile(sample: Sample, q: float) -> float:
    """Return a quantile; of integers, the values inside a bucket are at its upper end at most."""
    assert sample.distribution is not None
    found = sample.distribution.quantile(q)
    return float(math.ceil(found)) if sample.type == "INT" else found


def _wander(sample: Sample, q: float, error: float) -> float:
    """Return how far the quantile moves if its share is wrong by `error`: infinitely, if that leaves no share."""
    if not 0 < q + error < 1:
        return math.inf
    return abs(_quantile(sample, q + error) - _quantile(sample, q))


def outliers(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return how far values are outside of the baseline's range, in distances from its median to that end of it.

    Since a range has a short side and a long one, each side has its own unit. The floor is how far the largest of as
    many values gets at this level, if the baseline's tail continues as it is.
    """
    if now.range is None or base.range is None or base.distribution is None or base.present < FEWEST:
        return None
    (least, most), (low, high) = now.range, base.range
    if high <= low:
        return None
    found = [
        _beyond(base, level, now.present, least, upper=False),
        _beyond(base, level, now.present, most, upper=True),
    ]
    worst = max(found, key=lambda one: (one.value > one.floor, one.value))
    evidence = {"min": least, "max": most, "min_baseline": low, "max_baseline": high}
    words = f"range {figure(low)} to {figure(high)} → {figure(least)} to {figure(most)}"
    return replace(worst, words=words, evidence=evidence)


def _beyond(base: Sample, level: float, n: float, extreme: float, upper: bool) -> Measure:
    """Return how far `extreme`, one end of n values, is outside of the baseline's range."""
    assert base.range is not None
    assert base.distribution is not None
    low, high = base.range
    end = high if upper else low
    excess = max(0.0, extreme - end if upper else end - extreme)
    unit = abs(end - base.distribution.quantile(0.5)) or high - low
    limit = farthest(base.distribution, base.range, _std_dev(base), base.present, n, level / 2, upper)
    return Measure("range", excess / unit, max(0.0, limit) / unit, "")


def outside(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the unweighted share of values outside of the baseline's range, in buckets that are wholly outside.

    By chance, a few of the most extreme values may all be in one sample, but not many, however near to the range they
    are. The floor adds the error of the histogram, which TFDV interpolates between thousandths of the values.
    """
    if now.range is None or base.range is None:
        return None
    low, high = base.range
    n, m = now.present, base.present
    # Interpolated counts may add up to a little more than all values.
    value = min(1.0, max(_outside(one, low, high) for one in now.stats.num_stats.histograms) / now.total)
    error = sketch_error(n) + INTERPOLATED + 1 / n
    words = f"{percent(value)} of the values outside of {figure(low)} to {figure(high)}"
    floor = min(1.0, chance.one_sided(level / 2, n, m) / n + error)
    return Measure("outside", value, floor, words, {"outside": value})


def _outside(histogram: statistics_pb2.Histogram, low: float, high: float) -> float:
    """Return the number of finite values in the buckets outside of a range."""
    buckets = [b for b in histogram.buckets if math.isfinite(b.low_value) and math.isfinite(b.high_value)]
    below = (b.sample_count for b in buckets if b.high_value < low)
    above = (b.sample_count for b in buckets if b.low_value > high)
    return math.fsum((*below, *above))


def _std_dev(sample: Sample) -> float:
    """Return the unweighted standard deviation: minimum and maximum are unweighted, too."""
    return float(sample.stats.num_stats.std_dev)


def zeros(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the difference in the share of zeros, unweighted."""
    return _share(
        "zeros", now, base, level, float(now.stats.num_stats.num_zeros), float(base.stats.num_stats.num_zeros)
    )


def not_finite(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the difference in the share of values that are NaN or infinite, unweighted."""
    return _share("not_finite", now, base, level, now.not_finite, base.not_finite)


def _share(name: str, now: Sample, base: Sample, level: float, count: float, before: float) -> Measure:
    a, b = count / now.total, before / base.total
    floor = chance.share(level, (a, b), now.present, base.present)
    noun = {"zeros": "zeros", "not_finite": "NaN or infinite"}[name]
    return Measure(name, abs(a - b), floor, f"{noun} {percent(b)} → {percent(a)}", {name: a, f"{name}_baseline": b})


def constant(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return 1 if all values are the same and those of the baseline are not, else 0.

    The floor is 1 if the other values of the baseline are so few that all of them may be there by chance.
    """
    if now.range is None or base.range is None or base.distribution is None:
        return None
    collapsed = now.range[0] == now.range[1] and base.range[0] < base.range[1] and not now.not_finite
    if not collapsed:
        return Measure("constant", 0.0, 0.0, "not constant")
    value = now.range[0]
    below = max((x for x in base.distribution.points if x < value), default=-math.inf)
    same = base.distribution.share(value, True) - base.distribution.share(below, True)
    others = base.size * (1 - min(1.0, same + SKETCH))
    by_chance = others < chance.one_sided(level, base.size, now.size)
    return Measure("constant", 1.0, 1.0 if by_chance else 0.0, f"all values are {figure(value)}", {"constant": value})


def rounding(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the difference in the share of bucket ends that are multiples of a power of ten.

    TFDV's quantiles are values of the data, so their ends are about 50 values of each sample. If a share s of the
    ends of one sample is on a grid, k different ends of the other all are with a probability of s^k.
    """
    one, two = _ends(now), _ends(base)
    if min(len(one), len(two)) < _FEWEST_ENDS:
        return None
    step_now, step_base = _step(one), _step(two)
    if step_now == step_base:
        return Measure("rounding", 0.0, 0.0, "rounded as in the baseline")
    step, ends, rounded = (step_now, two, one) if step_now > step_base else (step_base, one, two)
    share = (sum(_on_grid(x, step) for x in ends) + 1) / (len(ends) + 2)
    by_chance = len(rounded) * math.log(share) > math.log(level)
    words = f"only multiples of {figure(10.0**step)} {'now' if step_now > step_base else 'in the baseline'}"
    return Measure("rounding", 1 - share, 1.0 if by_chance else 0.0, words)


def _ends(sample: Sample) -> list[float]:
    """Return the values at the ends of buckets, without zeros, which are on any grid."""
    points = sample.distribution.points if sample.distribution is not None else []
    return [x for x in points if x]


def _step(ends: list[float]) -> float:
    """Return the exponent of the largest power of ten that all ends are multiples of, -infinity if there is none."""
    largest = max(map(abs, ends))
    exponents = (float(k) for k in range(4, -7, -1) if _error(largest, k) <= _NOT_ON_GRID)
    return next((k for k in exponents if all(_on_grid(x, k) for x in ends)), -math.inf)


def _error(x: float, exponent: float) -> float:
    """Return the error of x in multiples of 10^exponent, given that it may have been stored in 32 bits."""
    return float(abs(x) * 10.0**-exponent * _FLOAT32)


def _on_grid(x: float, exponent: float) -> bool:
    """Return whether x may be a multiple of 10^exponent."""
    steps, error = x * 10.0**-exponent, _error(x, exponent)
    return error > _NOT_ON_GRID or abs(steps - round(steps)) <= error + 1e-9


NUMERIC: tuple[Measurement, ...] = (
    kolmogorov_smirnov,
    mean,
    quantiles,
    outliers,
    outside,
    zeros,
    not_finite,
    constant,
    rounding,
)
