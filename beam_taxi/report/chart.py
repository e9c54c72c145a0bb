"""Charts of columns: a bar for each value where there are few of them, else bars of equal ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from beam_taxi.report import bins, dates, ticks
from beam_taxi.report.figures import number, plural, visible
from beam_taxi.report.ticks import Tick
from beam_taxi.run.profile import STRING, FeatureProfile, Histogram, Tail, Value

MOST_VALUES = 30
"""Up to this many distinct values, each has a bar."""

_LONGEST = 80
"""Maximum number of characters of a value."""

HISTOGRAM, COLUMNS, ROWS = "histogram", "columns", "rows"
"""Forms of charts: ranges on an axis, a labelled column for each value, a labelled row for each value."""

_ROOM = 78
"""Characters that fit below a chart of columns."""

Profiles = Sequence[FeatureProfile | None]


@dataclass(frozen=True)
class Bar:
    """The count of a value or a range in each sample; None where the profile does not have it."""

    label: str
    counts: tuple[int | None, ...]


@dataclass(frozen=True)
class Chart:
    """Bars of one or more samples, by `label`; all bars of a sample together have `totals` values.

    `below` and `above` are the bars of what is beyond the ends of a histogram. `quartiles` has the places of the 25th,
    50th and 75th percentile of each sample, as shares of the axis' length, or None where they are beyond it. `note`
    says what is not in the bars, or how exact they are.
    """

    form: str
    labels: tuple[str, ...]
    totals: tuple[int, ...]
    bars: tuple[Bar, ...]
    below: Bar | None = None
    above: Bar | None = None
    ticks: tuple[Tick, ...] = ()
    quartiles: tuple[tuple[float | None, ...], ...] = ()
    note: str = ""
    exact: bool = True

    @property
    def all_bars(self) -> tuple[Bar, ...]:
        """The bars with those of the ends."""
        return (*((self.below,) if self.below else ()), *self.bars, *((self.above,) if self.above else ()))

    def shares(self, sample: int) -> tuple[float, ...]:
        """Return the shares of a sample's values in all bars; 0 where a count is not known."""
        total = max(self.totals[sample], 1)
        return tuple((bar.counts[sample] or 0) / total for bar in self.all_bars)


def charts(
    labels: Sequence[str], profiles: Profiles, unit: dates.Unit | None = None, most_rows: int = MOST_VALUES
) -> tuple[Chart, ...]:
    """Return the chart of a column's samples: one, or one for each sample if their ranges have nothing in common.

    Without any value there is none. `unit` is that in which numbers are dates.
    """
    known = [one for one in profiles if one is not None and one.values]
    if not known:
        return ()
    if len({one.type == STRING for one in known}) > 1:
        return _each(labels, profiles, unit, most_rows)
    if known[0].type == STRING and all(dates.are_iso_dates(one) and one.counts.complete for one in known):
        return charts(labels, [None if one is None else _as_days(one) for one in profiles], dates.DAYS)
    if known[0].type == STRING:
        return (_rows(labels, profiles, most_rows),)
    if not any(one.finite for one in known):
        return ()
    if _few([one for one in known if one.finite]):
        return (_columns(labels, profiles, unit),)
    merged = bins.merge(profiles)
    if merged is not None:
        return (_histogram(labels, profiles, merged, unit),)
    return _each(labels, profiles, unit, most_rows) if len(known) > 1 else ()


def _each(labels: Sequence[str], profiles: Profiles, unit: dates.Unit | None, most_rows: int) -> tuple[Chart, ...]:
    found = (charts([label], [one], unit, most_rows) for label, one in zip(labels, profiles, strict=True))
    return tuple(one for alone in found for one in alone)


def _few(known: Sequence[FeatureProfile]) -> bool:
    values = {one.value for feature in known for one in feature.counts.counts}
    return len(values) <= MOST_VALUES and all(one.counts.complete for one in known)


def _as_days(feature: FeatureProfile) -> FeatureProfile:
    """Return the profile of the days of dates; its bins are at least a day wide."""
    days = [(dates.days_of(str(one.value)) or 0.0, one.count) for one in feature.counts.counts]
    low, high = min(day for day, _ in days), max(day for day, _ in days)
    width = 1
    while high // width - low // width >= 4 * bins.MOST:
        width *= 2
    counts = [0] * int(high // width - low // width + 1)
    for day, count in days:
        counts[int(day // width - low // width)] += count
    histogram = Histogram(low // width * width, width, tuple(counts), exact=feature.counts.exact)
    return FeatureProfile("INT", feature.present, feature.values, min=low, max=high, histogram=histogram)


def _columns(labels: Sequence[str], profiles: Profiles, unit: dates.Unit | None) -> Chart:
    """Return a chart of numbers with few values, which are columns if their labels fit side by side."""
    counts = [_counts(one) for one in profiles]
    values = sorted({value for one in counts for value in one}, key=float)
    text = number if unit is None else unit.text
    if len({text(float(value)) for value in values}) < len(values):
        text = _exact
    bars = tuple(Bar(text(float(value)), tuple(one.get(value, 0) for one in counts)) for value in values)
    fits = sum(len(bar.label) + 1 for bar in bars) <= _ROOM
    places = {float(value): (i + 0.5) / len(values) for i, value in enumerate(values)}
    quartiles = tuple(tuple(None if q is None else places.get(q) for q in _quartiles(one)) for one in profiles)
    totals = tuple(0 if one is None else one.finite for one in profiles)
    exact = all(one is None or one.counts.exact for one in profiles)
    return Chart(COLUMNS if fits else ROWS, tuple(labels), totals, bars, quartiles=quartiles, exact=exact)


def _rows(labels: Sequence[str], profiles: Profiles, most: int) -> Chart:
    """Return a chart of the most frequent values, with a bar for the others."""
    counts = [_counts(one) for one in profiles]
    complete = [one is None or one.counts.complete for one in profiles]
    listed = {value for one in counts for value in one}
    order = sorted(listed, key=lambda value: (*(-one.get(value, 0) for one in counts), str(value)))
    shown = order if len(order) <= most and all(complete) else order[: min(most, 10)]
    bars = [
        Bar(
            visible(str(value), _LONGEST),
            tuple(one.get(value, 0 if whole else None) for one, whole in zip(counts, complete, strict=True)),
        )
        for value in shown
    ]
    totals = tuple(0 if one is None else one.values for one in profiles)
    rest = tuple(total - sum(one.get(value, 0) for value in shown) for total, one in zip(totals, counts, strict=True))
    exact = all(one is None or one.counts.exact for one in profiles)
    others = Bar("all other values", rest) if any(rest) else None
    error = max((one.counts.error or 0 for one in profiles if one is not None), default=0)
    note = f"each count is too small by {error:,} at most" if error else ""
    return Chart(ROWS, tuple(labels), totals, tuple(bars), above=others, note=note, exact=exact)


def _counts(feature: FeatureProfile | None) -> dict[Value, int]:
    return {} if feature is None else {one.value: one.count for one in feature.counts.counts}


def _histogram(labels: Sequence[str], profiles: Profiles, merged: bins.Bins, unit: dates.Unit | None) -> Chart:
    length = merged.high - merged.low
    quartiles = tuple(
        tuple((q - merged.low) / length if q is not None and merged.low <= q <= merged.high else None for q in found)
        for found in map(_quartiles, profiles)
    )
    text = _exact if unit is None else unit.text
    starts = [merged.low + i * merged.width for i in range(len(merged.counts[0]))]
    whole = unit is None and all(one is None or one.type == "INT" for one in profiles)
    columns = zip(*merged.counts, strict=True)
    bars = [
        Bar(_range(start, merged.width, whole, text), counts) for start, counts in zip(starts, columns, strict=True)
    ]
    return Chart(
        HISTOGRAM,
        tuple(labels),
        tuple(0 if one is None else one.finite for one in profiles),
        tuple(bars),
        _end(f"below {text(merged.low)}", merged.below),
        _end(f"{text(merged.high)} and above", merged.above),
        ticks.ticks(merged.low, merged.high) if unit is None else ticks.date_ticks(merged.low, merged.high, unit),
        quartiles,
        _note(labels, merged, text, number if unit is None else unit.text),
        all(one is None or one.histogram is None or one.histogram.exact for one in profiles),
    )


def _exact(value: float) -> str:
    """Return a number in full: edges of bins have few binary digits."""
    return f"{value:,.15g}"


def _range(start: float, width: float, whole: bool, text: Callable[[float], str]) -> str:
    if whole:
        return text(start) if width == 1 else f"{text(start)} to {text(start + width - 1)}"
    return f"{text(start)} ≤ x < {text(start + width)}"


def _end(label: str, tails: Sequence[Tail | None]) -> Bar | None:
    return Bar(label, tuple(0 if one is None else one.count for one in tails)) if any(tails) else None


def _note(labels: Sequence[str], merged: bins.Bins, text: Callable[[float], str], short: Callable[[float], str]) -> str:
    """Return what is beyond the ends, such as `train: 12 above 100, max 3,500`."""
    words = []
    for label, below, above in zip(labels, merged.below, merged.above, strict=True):
        ends = []
        if below is not None:
            ends.append(f"{below.count:,} below {text(merged.low)}, min {short(below.extreme)}")
        if above is not None:
            ends.append(f"{above.count:,} at or above {text(merged.high)}, max {short(above.extreme)}")
        if ends:
            words.append(f"{label}: {'; '.join(ends)}" if len(labels) > 1 else "; ".join(ends))
    return " · ".join(words)


def _quartiles(feature: FeatureProfile | None) -> tuple[float | None, ...]:
    if feature is None:
        return (None, None, None)
    found = (feature.percentiles.get(one) for one in ("25", "50", "75"))
    return tuple(None if one is None else float(one.value) for one in found)


def describe(chart: Chart) -> str:
    """Return how many bars a chart has, for those who do not see it."""
    return f"{plural(len(chart.all_bars), 'bar')}: {', '.join(chart.labels)}"
