"""Results of a user's own checks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.validation import CHECKS, FAILED, NOT_EVALUATED, PASSED, WARNED, Offenders, Result, Value
from beam_taxi.settings import CHECKS_FILE
from beam_taxi.statistics.splits import ALL_ROWS, overall
from beam_taxi.validation.checks import (
    WARNING,
    Check,
    Checks,
    FreshnessCheck,
    ReferenceCheck,
    RowCheck,
    RowCountCheck,
    StatisticsCheck,
)
from beam_taxi.validation.expressions import BASELINE, NOW, Literal, walk
from beam_taxi.validation.freshness import Newest, describe
from beam_taxi.validation.statistics_rules import Finding, Sample, evaluate_statistics

BySplit = Mapping[str, statistics_pb2.DatasetFeatureStatisticsList]

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


def results_of_rows(
    checks: Checks,
    rows: Mapping[str, int],
    violations: Mapping[tuple[int, str], int],
    offenders: Mapping[tuple[int, str], Offenders],
) -> list[Result]:
    """Return a result for each check of single rows and each split.

    Args:
        checks: The checks.
        rows: The number of rows of each split.
        violations: The number of violations by the index of the check in `Checks.by_row` and by split; 0 if missing.
        offenders: The rows that violate a check, by the same keys.
    """
    return [
        _of_rows(check, split, count, violations.get((index, split), 0), offenders.get((index, split)))
        for index, check in enumerate(checks.by_row)
        for split, count in rows.items()
        if check.applies_to(split)
    ]


def _of_rows(
    check: RowCheck | ReferenceCheck, split: str, rows: int, violations: int, offenders: Offenders | None
) -> Result:
    label = _label(check, check.rule) if isinstance(check, RowCheck) else check.name
    verbs = (
        ("violates it", "violate it")
        if isinstance(check, RowCheck)
        else ("has a value not in the list", "have a value not in the list")
    )
    evidence = {"rows": rows, "violations": violations, "tolerate": check.tolerate}
    if not rows:
        return _result(check, None, f"{label}: split {split!r} has no rows", split, evidence=evidence)
    share = violations / rows
    if not violations:
        return _result(check, True, f"{label}: none of {_plural(rows, 'row')} {verbs[0]}", split, evidence=evidence)
    shown = _percent(share, check.tolerate)
    tolerated = f", tolerated {check.tolerate * 100:.12g}%" if check.tolerate else ""
    text = f"{label}: {violations:,} of {_plural(rows, 'row')} {verbs[violations > 1]} ({shown}{tolerated})"
    return _result(check, share <= check.tolerate, text, split, evidence=evidence, offenders=offenders)


def results_of_statistics(checks: Checks, now: BySplit, baseline: BySplit | None) -> list[Result]:
    """Return a result for each statistics check, each split and, if the check has `slices`, each slice.

    Args:
        checks: The checks.
        now: TFDV's statistics of each split of the run.
        baseline: Those of the baseline, or None if there is none.
    """
    return [
        _of_statistics(check, split, slice_, {NOW: dataset, BASELINE: _of_baseline(baseline, split, slice_)})
        for check in checks.statistics
        for split, statistics in now.items()
        if check.applies_to(split)
        for slice_, dataset in _datasets(statistics, check.slices)
    ]


def _datasets(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, slices: bool
) -> Iterator[tuple[str, statistics_pb2.DatasetFeatureStatistics]]:
    """Yield the data set of all rows, whose slice is empty, and those of the slices."""
    if not statistics.datasets:
        yield "", statistics_pb2.DatasetFeatureStatistics()
        return
    yield "", overall(statistics)
    if slices and len(statistics.datasets) > 1:
        yield from ((one.name, one) for one in statistics.datasets if one.name != ALL_ROWS)


def _of_baseline(baseline: BySplit | None, split: str, slice_: str) -> Sample:
    if baseline is None:
        return "there is no baseline"
    if split not in baseline or not baseline[split].datasets:
        return f"the baseline has no split {split!r}"
    found = dict(_datasets(baseline[split], slices=True)).get(slice_)
    if found is None:
        return f"the baseline has no slice {slice_!r}"
    return found if found.num_examples else f"split {split!r} of the baseline has no rows"


def _of_statistics(check: StatisticsCheck, split: str, slice_: str, samples: Mapping[str, Sample]) -> Result:
    found = evaluate_statistics(check.expression, samples)
    now = samples[NOW]
    if found.holds and not isinstance(now, str) and not now.num_examples:
        found = Finding(None, found.evidence, f"split {split!r} has no rows")
    label = _label(check, check.rule)
    if found.holds is None:
        text = f"{label}: {found.reason}"
    else:
        values = ", ".join(f"{name} is {_shown(value, check)}" for name, value in found.evidence.items())
        text = f"{label}: {'holds' if found.holds else 'does not hold'} ({values})"
    evidence = {name: _json(value) for name, value in found.evidence.items()}
    return _result(check, found.holds, text, split, slice_, evidence)


def results_of_unique(checks: Checks, rows: int, duplicates: Mapping[int, Offenders]) -> list[Result]:
    """Return a result for each uniqueness check.

    Args:
        checks: The checks.
        rows: The number of rows of all splits.
        duplicates: The rows whose key another row also has, by the index of the check in `Checks.unique`.
    """
    found = []
    for index, check in enumerate(checks.unique):
        offenders = duplicates.get(index, Offenders(0))
        label = _label(check, f"unique {', '.join(check.key)}")
        evidence: dict[str, Value] = {"rows": rows, "duplicates": offenders.count}
        if not rows:
            found.append(_result(check, None, f"{label}: there are no rows", evidence=evidence))
        elif not offenders.count:
            found.append(_result(check, True, f"{label}: no key occurs twice", evidence=evidence))
        else:
            text = f"{label}: {offenders.count:,} of {_plural(rows, 'row')} have a key that occurs more than once"
            found.append(_result(check, False, text, evidence=evidence, offenders=offenders))
    return found


def results_of_freshness(
    checks: Checks, newest: Mapping[int, Newest], now: float, moment: str = "the run"
) -> list[Result]:
    """Return a result for each freshness check.

    Args:
        checks: The checks.
        newest: The newest time of all rows, by the index of the check in `Checks.freshness`.
        now: The time to compare with, in seconds since 1970.
        moment: What that time is.
    """
    return [_of_freshness(check, newest.get(i, Newest()), now, moment) for i, check in enumerate(checks.freshness)]


def _of_freshness(check: FreshnessCheck, newest: Newest, now: float, moment: str) -> Result:
    label = _label(check, f"freshness of {check.column}")
    unreadable = f"; {_plural(newest.unreadable, 'value')} not in ISO 8601" if newest.unreadable else ""
    if newest.microseconds is None:
        text = f"{label}: column {check.column!r} has no times{unreadable}"
        return _result(check, None, text, evidence={"unreadable": newest.unreadable})
    age = now - newest.microseconds / 1e6
    when = "before" if age >= 0 else "after"
    text = (
        f"{label}: the newest time, {describe(newest.microseconds)}, is {_duration(abs(age))} {when} {moment}"
        f" (limit {check.within}){unreadable}"
    )
    evidence = {"newest": newest.microseconds / 1e6, "age_seconds": age, "within_seconds": check.seconds}
    return _result(check, abs(age) <= check.seconds, text, evidence={**evidence, "unreadable": newest.unreadable})


def results_of_row_count(checks: Checks, rows: Mapping[str, int]) -> list[Result]:
    """Return a result for each check of the number of rows, given the number of rows of each split."""
    found = []
    for check in checks.row_count:
        chosen = {split: count for split, count in rows.items() if check.applies_to(split)}
        if check.each_split:
            found += [_of_row_count(check, count, split) for split, count in chosen.items()]
        else:
            only = next(iter(chosen)) if len(check.splits) == 1 and chosen else ""
            found.append(_of_row_count(check, sum(chosen.values()), only))
    return found


def _of_row_count(check: RowCountCheck, rows: int, split: str) -> Result:
    low, high = check.minimum, check.maximum
    holds = (low is None or rows >= low) and (high is None or rows <= high)
    if low is not None and high is not None:
        limits = f"between {low:,} and {high:,}"
    else:
        limits = f"at least {low:,}" if low is not None else f"at most {high:,}"
    text = f"{check.name}: {_plural(rows, 'row')} (required: {limits})"
    if holds and not rows:
        return _result(check, None, f"{check.name}: there are no rows", split, evidence={"rows": rows})
    return _result(check, holds, text, split, evidence={"rows": rows, "min": low, "max": high})


def _result(
    check: Check,
    holds: bool | None,
    text: str,
    split: str = "",
    slice_: str = "",
    evidence: Mapping[str, Value] | None = None,
    offenders: Offenders | None = None,
) -> Result:
    failed = WARNED if check.severity == WARNING else FAILED
    outcome = NOT_EVALUATED if holds is None else PASSED if holds else failed
    return Result(
        CHECKS,
        check.name,
        outcome,
        text,
        check.columns,
        split,
        slice_,
        CHECKS_FILE,
        check.line,
        evidence or {},
        offenders,
    )


def _label(check: Check, rule: str) -> str:
    return rule if check.name == rule else f"{check.name} ({rule})"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _percent(share: float, limit: float) -> str:
    """Return a percentage with two significant digits, or as many as distinguish it from the limit and from 100%."""
    percentage, bounds = share * 100, (limit * 100, 100.0)
    for digits in range(2, 17):
        shown = f"{percentage:.{max(0, digits - 1 - math.floor(math.log10(percentage)))}f}"
        if all(
            (float(shown) > bound, float(shown) < bound) == (percentage > bound, percentage < bound) for bound in bounds
        ):
            break
    return f"{shown}%"


def _shown(value: float | int | None, check: StatisticsCheck) -> str:
    """Return a statistic with six significant digits, or all if six would make it equal a number in the rule."""
    if value is None:
        return "missing"
    if isinstance(value, int):
        return f"{value:,}"
    literals: Sequence[object] = [one.value for one, _ in walk(check.expression) if isinstance(one, Literal)]
    shown = f"{value:.6g}"
    return repr(value) if float(shown) in literals and float(shown) != value else shown


def _json(value: float | int | None) -> Value:
    """Return a statistic as JSON has it: NaN and infinities as text."""
    return value if value is None or math.isfinite(value) else str(value)


def _duration(seconds: float) -> str:
    unit, length = next(((unit, length) for unit, length in _UNITS if seconds >= length), ("s", 1))
    return f"{seconds / length:,.1f} {unit}"
