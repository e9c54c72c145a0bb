"""All measures of a feature that two samples share, and of the number of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.validation.categorical import CATEGORICAL
from beam_taxi.validation.chance import inverse_sizes
from beam_taxi.validation.measure import Measure, Measurement, absence, change, figure
from beam_taxi.validation.numeric import NUMERIC
from beam_taxi.validation.sample import BYTES, NUMBERS, STRINGS, Sample, alike

_BY_KIND: Mapping[str, tuple[Measurement, ...]] = {NUMBERS: NUMERIC, STRINGS: CATEGORICAL, BYTES: CATEGORICAL}


def number_of_measures(kind: str) -> int:
    """Return how many measures a feature of this kind may have, the share of missing rows among them."""
    return 1 + len(_BY_KIND.get(kind, ()))


def shared_measures(now: Sample, base: Sample, level: float) -> Iterator[Measure]:
    """Yield the measures that apply to both samples, with the largest effects that chance explains at this level."""
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
    """Return the difference in the number of rows, in powers of two; None if the baseline has no rows.

    Both are taken as Poisson counts: the floor is the standard error of the logarithm of their ratio,
    sqrt(1/n + 1/m), with the tail of Chernoff's bound.
    """
    n, m = float(now.num_examples), float(base.num_examples)
    if not m:
        return None
    if not n:
        return Measure("rows", math.inf, 0.0, f"rows {figure(m)} → 0", {"rows": 0, "rows_baseline": m})
    floor = math.sqrt(-2 * math.log(level / 2) * inverse_sizes(n, m)) / math.log(2)
    words = f"rows {change(m, n)}"
    return Measure("rows", abs(math.log2(n / m)), floor, words, {"rows": n, "rows_baseline": m})
