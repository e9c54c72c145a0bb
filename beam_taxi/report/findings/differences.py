"""Findings about what differs between the splits, or from a baseline, by more than chance explains.

The probability of any false alarm in a comparison of two data sets is `CHANCE`: it is divided by the number of features
and of tests (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from beam_taxi.report.figures import percent, printable
from beam_taxi.report.findings.finding import INFO, WARNING, Evidence, Finding
from beam_taxi.report.findings.kinds import DRIFT, SPLIT_DIFFERENCE, TITLES, weight
from beam_taxi.report.findings.seen import listed, named, shown
from beam_taxi.report.findings.steps import largest_gap
from beam_taxi.report.findings.times import figure
from beam_taxi.run.profile import STRING, DatasetProfile, FeatureProfile, Profile, Value
from beam_taxi.validation import chance

CHANCE = 1e-4
"""Probability that any feature of two samples of one distribution is reported as different."""

_TESTS = 3
"""Tests of a feature: missing values, values, and values that one of the two does not have."""

_AROUND_MEDIAN = 0.3

_NOTABLE = 0.1
"""Distance between 0 and 1 from which a difference is a warning."""


@dataclass(frozen=True)
class _Difference:
    """A difference: `value` is a distance between 0 and 1, and `text` says what is different, in words."""

    value: float
    text: str
    evidence: Mapping[str, Evidence] = field(default_factory=dict)


@dataclass(frozen=True)
class _Pair:
    """Two data sets, by the names they have in a text, and the level of each test."""

    one: DatasetProfile
    two: DatasetProfile
    first: str
    second: str
    level: float


def between_splits(profile: Profile) -> list[Finding]:
    """Return what differs between the training data, or else the first split, and the other splits."""
    splits = {name: one for name, one in profile.splits().items() if one.rows}
    first = "train" if "train" in splits else next(iter(splits), None)
    others = [name for name in splits if name != first]
    if first is None or not others:
        return []
    level = CHANCE / len(others)
    pairs = [_pair(splits[first], splits[name], printable(first), printable(name), level) for name in others]
    return [finding for pair in pairs for finding in _compare(pair, SPLIT_DIFFERENCE)]


def from_baseline(profile: Profile, baseline: Profile) -> list[Finding]:
    """Return what differs between each split and its namesake in a baseline, and which columns are new or gone."""
    now, then = profile.splits(), baseline.splits()
    both = [(now[name], then[name]) for name in now if name in then]
    if not both and now and then:
        both = [(next(iter(now.values())), next(iter(then.values())))]
    both = [(one, base) for one, base in both if one.rows and base.rows]
    found = _columns(now, then) if both else []
    for one, base in both:
        place = f" in {printable(one.split)}" if len(now) > 1 else ""
        pair = _pair(base, one, f"the baseline{place}", "this run", CHANCE / len(both))
        found += _compare(pair, DRIFT)
    return found


def _columns(now: Mapping[str, DatasetProfile], then: Mapping[str, DatasetProfile]) -> list[Finding]:
    """Return which columns are new, and which are gone."""
    mine = {name: one.type for dataset in now.values() for name, one in dataset.features.items() if one.present}
    every = {name for dataset in now.values() for name in dataset.features}
    theirs = {name: one.type for dataset in then.values() for name, one in dataset.features.items() if one.present}
    known = {name for dataset in then.values() for name in dataset.features}
    found = []
    for word, names in (("new", sorted(every - known)), ("gone", sorted(known - every))):
        for name in names:
            text = named([name]) + ("is not in the baseline" if word == "new" else "is only in the baseline")
            found.append(_drift(name, WARNING if word == "gone" else INFO, text, {"column": word}))
    for name in sorted(mine.keys() & theirs.keys()):
        if mine[name] != theirs[name]:
            text = f"{named([name])}type {theirs[name]} in the baseline, {mine[name]} in this run"
            evidence: dict[str, Evidence] = {"type": mine[name], "type_baseline": theirs[name]}
            found.append(_drift(name, WARNING, text, evidence))
    return found


def _drift(name: str, severity: str, text: str, evidence: Mapping[str, Evidence]) -> Finding:
    return Finding(DRIFT, severity, TITLES[DRIFT], text, (name,), (), evidence, weight(DRIFT, 1.0))


def _pair(one: DatasetProfile, two: DatasetProfile, first: str, second: str, level: float) -> _Pair:
    shared = one.features.keys() & two.features.keys()
    return _Pair(one, two, first, second, level / max(1, _TESTS * len(shared)))


def _compare(pair: _Pair, kind: str) -> Iterator[Finding]:
    """Yield the columns that differ."""
    for name, one in pair.one.features.items():
        two = pair.two.features.get(name)
        if two is None:
            continue
        found = [*_missing(pair, one, two), *_values(pair, one, two)]
        if found:
            value = max(each.value for each in found)
            evidence = {key: figure for each in reversed(found) for key, figure in each.evidence.items()}
            text = named([name]) + "; ".join(each.text for each in found)
            severity = WARNING if value >= _NOTABLE else INFO
            splits = (pair.one.split, pair.two.split) if kind == SPLIT_DIFFERENCE else (pair.two.split,)
            yield Finding(
                kind,
                severity,
                TITLES[kind],
                text,
                (name,),
                splits,
                {"distance": value, **evidence},
                weight(kind, value),
            )


def _missing(pair: _Pair, one: FeatureProfile, two: FeatureProfile) -> Iterator[_Difference]:
    """Yield a difference in the share of missing values."""
    n, m = pair.one.rows, pair.two.rows
    a, b = 1 - one.present / n, 1 - two.present / m
    if abs(a - b) > chance.share(pair.level, (a, b), n, m):
        text = f"{percent(a)} missing in {pair.first}, {percent(b)} in {pair.second}"
        yield _Difference(abs(a - b), text, {"missing": a, "missing_other": b})


def _values(pair: _Pair, one: FeatureProfile, two: FeatureProfile) -> Iterator[_Difference]:
    if not one.values or not two.values or one.type != two.type:
        return
    if one.type == STRING or (one.counts.complete and two.counts.complete and _is_few(one) and _is_few(two)):
        yield from _categories(pair, one, two)
    else:
        yield from _numbers(pair, one, two)


def _is_few(one: FeatureProfile) -> bool:
    return len(one.counts.counts) <= 5


def _numbers(pair: _Pair, one: FeatureProfile, two: FeatureProfile) -> Iterator[_Difference]:
    """Yield a difference in the distribution of finite numbers, told by their medians if they differ."""
    if min(one.finite, two.finite) < chance.FEWEST:
        return
    gap = largest_gap(one, two)
    # Values of one row are not independent.
    sizes = min(one.finite, one.present), min(two.finite, two.present)
    if gap is None or not one.percentiles.keys() & two.percentiles.keys():
        return
    if gap.value - gap.error <= chance.kolmogorov_smirnov(pair.level, *sizes):
        return
    key = _telling_percentile(one, two, gap.share)
    before, after = one.percentiles[key].value, two.percentiles[key].value
    if before == after:
        text = f"{percent(gap.one)} are below {figure(one, gap.x)} in {pair.first}, {percent(gap.two)} in {pair.second}"
    else:
        word = "median" if key == "50" else f"{key}% are at most"
        text = f"{word} {figure(one, before)} in {pair.first}, {figure(two, after)} in {pair.second}"
    evidence: dict[str, Evidence] = {f"p{key}": before, f"p{key}_other": after, "ks": gap.value}
    yield _Difference(gap.value, text, evidence)


def _telling_percentile(one: FeatureProfile, two: FeatureProfile, share: float) -> str:
    """Return the median if it differs and the difference is about there, else the nearest percentile that differs."""

    def rank(key: str) -> tuple[bool, bool, float]:
        is_median = key == "50" and abs(share - 0.5) < _AROUND_MEDIAN
        return one.percentiles[key].value == two.percentiles[key].value, not is_median, abs(int(key) / 100 - share)

    return min((key for key in one.percentiles if key in two.percentiles), key=rank)


def _categories(pair: _Pair, one: FeatureProfile, two: FeatureProfile) -> Iterator[_Difference]:
    """Yield the value whose share differs most, and the values that one of the two does not have."""
    mine, theirs = ({each.value: each.count for each in feature.counts.counts} for feature in (one, two))
    both = [value for value in mine if value in theirs]
    n, m = min(one.values, one.present), min(two.values, two.present)
    found: list[tuple[float, Value]] = []
    for value in both:
        a, b = mine[value] / one.values, theirs[value] / two.values
        if abs(a - b) > chance.share(pair.level / len(both), (a, b), n, m):
            found.append((abs(a - b), value))
    if found:
        difference, value = max(found, key=lambda each: (each[0], str(each[1])))
        a, b = mine[value] / one.values, theirs[value] / two.values
        text = f"{percent(a)} of the values are {shown(value)} in {pair.first}, {percent(b)} in {pair.second}"
        yield _Difference(difference, text, {"value": value, "value_share": a, "value_share_other": b})
    yield from _alone(pair, one, two, (pair.first, pair.second), "other")
    yield from _alone(pair, two, one, (pair.second, pair.first), "first")


def _alone(
    pair: _Pair, here: FeatureProfile, there: FeatureProfile, names: tuple[str, str], lacks: str
) -> Iterator[_Difference]:
    """Yield the values that one of the two has too often for the other to lack them by chance."""
    if not there.counts.complete or not here.values:
        return
    known = {each.value for each in there.counts.counts}
    n, m = min(here.values, here.present), min(there.values, there.present)
    needed = chance.one_sided(pair.level / max(1, len(here.counts.counts)), n, m)
    only = [each for each in here.counts.counts if each.value not in known and each.count > needed]
    if only:
        share = sum(each.count for each in only) / here.values
        words = listed([f"{shown(each.value)} ({each.count:,})" for each in only])
        text = f"{words} {'is' if len(only) == 1 else 'are'} only in {names[0]}"
        yield _Difference(max(share, _NOTABLE), text, {f"not_in_{lacks}": len(only), f"not_in_{lacks}_share": share})
