"""What is known of the data, as facets: metrics of columns, and the results of the validation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from beam_taxi.lineage.facets import Assertion, ColumnMetrics, DataQualityAssertions, TestExecution, Tests
from beam_taxi.run.profile import DatasetProfile, FeatureProfile
from beam_taxi.run.validation import NOT_EVALUATED, PASSED, WARNED, Result, Summary
from beam_taxi.settings import NOTHING, WARNINGS

_ERROR, _WARN = "error", "warn"
_STATUS = {PASSED: "pass", NOT_EVALUATED: "skip"}


def metrics_of(dataset: DatasetProfile) -> dict[str, ColumnMetrics]:
    """Return the metrics of a split's columns. An estimate is left out, since nothing there could say that it is."""
    return {name: _metrics(dataset.rows, one) for name, one in dataset.features.items()}


def _metrics(rows: int, one: FeatureProfile) -> ColumnMetrics:
    quantiles = {str(int(key) / 100): found.value for key, found in one.percentiles.items() if found.rank_error == 0}
    distinct = one.distinct.value if one.distinct.exact else None
    return ColumnMetrics(rows - one.present, one.values, distinct, one.min, one.max, quantiles)


def metrics_of_all(datasets: Sequence[DatasetProfile]) -> dict[str, ColumnMetrics]:
    """Return the metrics of the columns of all splits together; what cannot be merged exactly is left out."""
    datasets = [one for one in datasets if one.rows]
    if len(datasets) == 1:
        return metrics_of(datasets[0])
    parts: dict[str, list[ColumnMetrics]] = {}
    for dataset in datasets:
        for name, one in metrics_of(dataset).items():
            parts.setdefault(name, []).append(one)
    return {name: _merged(found) for name, found in parts.items() if len(found) == len(datasets)}


def _merged(parts: Iterable[ColumnMetrics]) -> ColumnMetrics:
    parts = list(parts)
    lows, highs = ([one for one in (getattr(part, end) for part in parts) if one is not None] for end in ("min", "max"))
    return ColumnMetrics(
        sum(one.null_count for one in parts),
        sum(one.count for one in parts),
        min=min(lows, default=None),
        max=max(highs, default=None),
    )


def tests_of(results: Iterable[Result], summary: Summary, redacted: Collection[str]) -> Tests:
    """Return all results as the tests of a run."""
    return Tests(
        tuple(
            TestExecution(
                _name(one),
                _STATUS.get(one.outcome, "fail"),
                _severity(one, summary),
                one.kind,
                _description(one, redacted),
                _params(one),
            )
            for one in results
        )
    )


def assertions_of(
    results: Iterable[Result], summary: Summary, redacted: Collection[str], names: Mapping[str, str]
) -> DataQualityAssertions:
    """Return the results that were evaluated as assertions about the only input, which has columns of other `names`."""
    return DataQualityAssertions(
        tuple(
            Assertion(
                one.kind,
                one.outcome == PASSED,
                _severity(one, summary),
                _name(one),
                names.get(one.features[0], one.features[0]) if len(one.features) == 1 else None,
                _description(one, redacted),
                _params(one),
            )
            for one in results
            if one.outcome != NOT_EVALUATED
        )
    )


def _name(one: Result) -> str:
    """Return a name that is the same from run to run: what was looked at, not what came out."""
    return " ".join(filter(None, [one.name, ",".join(one.features)]))


def _severity(one: Result, summary: Summary) -> str:
    """Return `error` if a failure of this kind refuses the data."""
    if NOTHING in summary.fail_on:
        return _WARN
    refuses = WARNINGS in summary.fail_on or (one.kind in summary.fail_on and one.outcome != WARNED)
    return _ERROR if refuses else _WARN


def _description(one: Result, redacted: Collection[str]) -> str | None:
    # The text may quote a value.
    return None if redacted and not set(one.features).isdisjoint(redacted) else one.text


def _params(one: Result) -> Mapping[str, str]:
    return {key: value for key, value in (("split", one.split), ("slice", one.slice)) if value}
