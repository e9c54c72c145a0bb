"""All measures of a feature that two samples share, and of the number of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.validation.categorical import CATEGORICAL
from beam_taxi.validation.chance import inverse_sizes
from beam_taxi.validation.measure import Measure, Measurement, absence, figure, percent
from beam_taxi.validation.numeric import NUMERIC
from beam_taxi.validation.sample import BYTES, NUMBERS, STRINGS, Sample, alike

_BY_KIND: Mapping[str, tuple[Measurement, ...]] = {NUMBERS: NUMERIC, STRINGS: CATEGORICAL, BYTES: CATEGORICAL}


def number_of_measures(kind: str) -> int:
    """Return how many measures a feature of this kind may have, the share of missing rows among them."""
    return 1 + len(_BY_KIND.get(kind, ()))


def shared_measures(now: Sample, base: Sample, level: float) -> Iterator[Measure]:
    """Yield the measures that apply to both samples, each with the largest effect of chance at this level."""
    missing = absence(now, base, level)
    if missing is not None:
        yield missing
    now, base = alike(now, base)
    if now.kind != base.kind or now.size <= 0 or base.size <= 0:
        return
    for measurement in _BY_KIND.get(now.kind, ()):
        measure = measurement(now, base, level)
        if measure is not None:
            yield measure


def row_count(
    now: statistics_pb2.DatasetFeatureStatistics, base: statistics_pb2.DatasetFeatureStatistics, level: float
) -> Measure | None:
    """Return how the numbers of rows differ, in powers of two, as of two Poisson counts; None without rows to compare.

    The floor is the standard error of the logarithm of a ratio of counts, sqrt(1/n + 1/m), with the tail of
    Chernoff's bound.
    """
    n, m = float(now.num_examples), float(base.num_examples)
    if not m:
        return None
    if not n:
        return Measure("rows", math.inf, 0.0, f"rows {figure(m)} → 0", {"rows": 0, "rows_baseline": m})
    floor = math.sqrt(-2 * math.log(level / 2) * inverse_sizes(n, m)) / math.log(2)
    words = f"rows {figure(m)} → {figure(n)} ({percent(n / m)})"
    return Measure("rows", abs(math.log2(n / m)), floor, words, {"rows": n, "rows_baseline": m})
