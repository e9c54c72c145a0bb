"""What of merged statistics is estimated, and how far it may be off."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from beam_taxi.statistics.profile.bins import Bins
from beam_taxi.statistics.profile.dataset import DatasetCounts
from beam_taxi.statistics.profile.numbers import NumberCounts
from beam_taxi.statistics.sketches import INTERPOLATED

_SHOWN = 5


def rank_error(bins: Bins) -> float:
    """Return by how much the share of the values up to a boundary may be off, 0 if all values are counted."""
    widest = bins.counts.max(where=bins.lows < bins.highs, initial=0)
    return float(widest) / max(1, bins.total)


@dataclass
class Estimates:
    """The largest errors by column, over several data sets."""

    ranks: dict[str, float] = field(default_factory=dict)
    distinct: dict[str, float] = field(default_factory=dict)
    frequent: dict[str, float] = field(default_factory=dict)

    def add(self, counts: DatasetCounts, redacted: Collection[str] = ()) -> None:
        """Add what is estimated of a data set; redacted columns show no such figures."""
        for name, column in counts.columns.items():
            found = column.counts
            if name in redacted or found is None or found.distinct is None:
                continue
            error = found.count_distinct().error
            if error:
                self.distinct[name] = max(self.distinct.get(name, 0.0), error)
            if isinstance(found, NumberCounts):
                self.ranks[name] = max(self.ranks.get(name, 0.0), rank_error(found.bins))
            elif len(found.values):
                share = found.error / max(1, found.total)
                self.frequent[name] = max(self.frequent.get(name, 0.0), share)

    def warnings(self) -> Iterator[str]:
        """Yield what is estimated: the columns, and the largest error of one of them."""
        if self.ranks:
            worst = max(self.ranks.values())
            yield (
                f"estimated: quantiles and bars of {_named(self.ranks)}: the ranks of quantiles are off by at most "
                f"{_upper(worst)} of the values, the counts of equal-width bars by {_upper(worst + INTERPOLATED)} at "
                "either end"
            )
        if self.distinct:
            yield (
                f"estimated: the number of distinct values of {_named(self.distinct)}: the standard error is "
                f"{max(self.distinct.values()):.1%}"
            )
        if self.frequent:
            yield (
                f"estimated: counts of frequent values of {_named(self.frequent)}: each is too small by at most "
                f"{_upper(max(self.frequent.values()))} of the values"
            )


def _upper(share: float) -> str:
    """Return an upper bound as text: rounded up, so that it holds as it is printed."""
    return f"{math.ceil(share * 10_000) / 10_000:.2%}"


def _named(columns: dict[str, float]) -> str:
    """Return the columns, those with the largest errors first."""
    names = sorted(columns, key=lambda name: (-columns[name], name))
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more columns"
