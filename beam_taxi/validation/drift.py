"""Drift: features whose statistics differ from a baseline's by more than a limit, and by more than chance explains.

An effect must reach its limit and exceed what samples of these sizes show by chance. A significance test alone flags
everything in large data, and a distance alone flags the noise of ten rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.validation import DRIFT, FAILED, NOT_EVALUATED, PASSED, WARNED, Result
from beam_taxi.validation.checks import ERROR, IGNORE, WARNING
from beam_taxi.validation.limits import Limits
from beam_taxi.validation.measure import Measure, printable, small
from beam_taxi.validation.measures import number_of_measures, row_count, shared_measures
from beam_taxi.validation.sample import Sample, alike, samples

FALSE_ALARMS = 0.01
"""Probability that a comparison of two samples of one distribution has any drifted feature.

It is divided by the number of measures of all features (Bonferroni), whatever their dependence.
"""

_OUTCOMES = {ERROR: FAILED, WARNING: WARNED}
_SHOWN = 3
"""Maximum number of measures in a text."""

_Value = str | int | float | bool | None


def compare(
    now: statistics_pb2.DatasetFeatureStatistics,
    baseline: statistics_pb2.DatasetFeatureStatistics,
    limits: Limits | None = None,
    *,
    severities: Mapping[str, str] | None = None,
    severity: str = WARNING,
    weight_feature: str | None = None,
    rows: bool = True,
    false_alarms: float = FALSE_ALARMS,
) -> list[Result]:
    """Return a result for the number of rows, and then one for each feature of either data set, by name.

    The name of a result is its strongest measure (a key of `MINIMUM_EFFECTS`), or `feature_gone`, `feature_new` or
    `type_changed`, which need no numbers. `severities` is by feature, and `severity` applies to all others.
    `rows=False` leaves out the number of rows, as for two splits. Text and evidence do not name split or slice.

        for result in compare(statistics_of_today, statistics_of_yesterday):
            print(result.outcome, result.text)
    """
    chosen = limits or Limits()
    by_feature = severities or {}
    these, those = samples(now, weight_feature), samples(baseline, weight_feature)
    names = [name for name in sorted({*these, *those}) if by_feature.get(name, severity) != IGNORE]
    for name in these.keys() & those.keys():
        these[name], those[name] = alike(these[name], those[name])
    tests = sum(number_of_measures(those[name].kind) for name in names if name in these and name in those) + rows
    level = false_alarms / max(1, tests)
    results = [_rows(now, baseline, chosen, severity, level)] if rows and severity != IGNORE else []
    empty = next((f"the {which} has no rows" for which, one in _named(now, baseline) if not one.num_examples), "")
    for name in names:
        if empty:
            results.append(Result(DRIFT, "feature", NOT_EVALUATED, f"{printable(name)}: {empty}", (name,)))
            continue
        outcome = _OUTCOMES[by_feature.get(name, severity)]
        results.append(_feature(name, these.get(name), those.get(name), chosen, outcome, level))
    return results


def _named(
    now: statistics_pb2.DatasetFeatureStatistics, baseline: statistics_pb2.DatasetFeatureStatistics
) -> tuple[tuple[str, statistics_pb2.DatasetFeatureStatistics], ...]:
    return ("baseline", baseline), ("data set", now)


def _rows(
    now: statistics_pb2.DatasetFeatureStatistics,
    baseline: statistics_pb2.DatasetFeatureStatistics,
    limits: Limits,
    severity: str,
    level: float,
) -> Result:
    """Return the result for the number of rows."""
    measure = row_count(now, baseline, level)
    if measure is None:
        return Result(DRIFT, "rows", NOT_EVALUATED, "rows: the baseline has no rows")
    return _judged("", [measure], limits, _OUTCOMES[severity], {})


def _feature(name: str, now: Sample | None, base: Sample | None, limits: Limits, outcome: str, level: float) -> Result:
    """Return the result for one feature."""
    if now is None or base is None:
        kind, words = (
            ("feature_new", "not in the baseline") if base is None else ("feature_gone", "only in the baseline")
        )
        return Result(DRIFT, kind, outcome, f"{printable(name)}: {words}", (name,))
    sizes: dict[str, _Value] = {"size": now.size, "size_baseline": base.size, "level": level}
    if now.present and base.present:
        if now.type != base.type:
            types = {"type": now.type, "type_baseline": base.type}
            text = f"{printable(name)}: type {base.type} → {now.type}"
            return Result(DRIFT, "type_changed", outcome, text, (name,), evidence={**types, **sizes})
        if now.kind != base.kind:
            text = (
                f"{name}: statistics of {base.kind} in the baseline, of {now.kind} in the data; use one schema for both"
            )
            return Result(DRIFT, "statistics", NOT_EVALUATED, text, (name,), evidence=sizes)
    return _judged(name, list(shared_measures(now, base, level)), limits, outcome, sizes)


def _judged(
    name: str, measures: Sequence[Measure], limits: Limits, outcome: str, sizes: Mapping[str, _Value]
) -> Result:
    """Return the result from the measures of a feature, or of the rows, whose name is empty."""

    def strength(one: Measure) -> float:
        return one.value / max(limits.of(name, one.name).value, one.floor, 1e-12)

    ordered = sorted(measures, key=lambda one: (one.name != "constant" or not one.value, -strength(one)))
    drifted = [one for one in ordered if limits.of(name, one.name).reached(one.value) and one.value > one.floor]
    strongest = drifted[0] if drifted else ordered[0]
    shown = [_words(name, one, limits) for one in (drifted[:_SHOWN] or [strongest])]
    prefix = f"{printable(name)}: " if name else ""
    evidence = {**dict(_evidence(name, strongest, ordered, limits)), **sizes}
    return Result(
        DRIFT,
        strongest.name,
        outcome if drifted else PASSED,
        f"{prefix}{'' if drifted else 'no drift; '}{'; '.join(shown)}",
        (name,) if name else (),
        evidence=evidence,
    )


def _words(name: str, one: Measure, limits: Limits) -> str:
    limit = limits.of(name, one.name)
    if one.name == "constant":
        return one.words
    if one.name == "rows":
        return f"{one.words}, limit a factor of {small(2**limit.value)}{limit.origin}"
    return f"{one.words}, limit {small(limit.value)}{limit.origin}, chance {small(one.floor)}"


def _evidence(
    name: str, strongest: Measure, measures: Sequence[Measure], limits: Limits
) -> Iterator[tuple[str, _Value]]:
    """Yield the numbers of the strongest measure, then those of all measures, strongest first."""
    limit = limits.of(name, strongest.name)
    yield from {"value": _finite(strongest.value), "limit": limit.value, "chance": _finite(strongest.floor)}.items()
    yield "limit_runs", limit.runs
    for one in measures:
        yield one.name, _finite(one.value)
        yield f"{one.name}_chance", _finite(one.floor)
        yield from ((f"{one.name}.{key}", value) for key, value in one.evidence.items())


def _finite(value: float) -> float | None:
    """Return a number, or None for NaN and infinities, which JSON does not have."""
    return value if math.isfinite(value) else None
