"""The view model: everything that a report says, as text and numbers, independent of its presentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.report import features, overview
from beam_taxi.report.features import Column, Comparison, Feature, Finding
from beam_taxi.report.figures import percent, plural, printable
from beam_taxi.report.overview import Counts, Provenance, Verdict
from beam_taxi.report.results import Results
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.validation import FAILED, WARNED, Validation

DETAILED = 300
"""Up to this many features, each has tables of its histogram and values; with more, the file would be too large."""

_DRAWN = 3
"""Maximum number of splits drawn on top of each other."""


@dataclass(frozen=True)
class Group:
    """Findings of one kind and reason; each is (number of the feature or None, its name, detail)."""

    reason: str
    kind: str
    members: tuple[tuple[int | None, str, str], ...]

    @property
    def features(self) -> int:
        """How many features there are findings of."""
        return len({name for _, name, _ in self.members})


@dataclass(frozen=True)
class Report:
    """A whole report. `drawn` has the label and rows of each shape: the first is filled, the others are outlines."""

    title: str
    subtitle: str
    verdict: Verdict
    counts: Counts | None
    groups: tuple[Group, ...]
    features: tuple[Feature, ...]
    drawn: tuple[tuple[str, int], ...]
    detailed: bool
    baseline: str
    provenance: Provenance | None


def build(source: Results, baseline: Results | None = None) -> Report:
    """Return the report of a run, a split or a file, compared with a baseline or, without one, split by split."""
    samples = _samples(source, baseline)
    names = _names(source, [stats for _, stats in samples])
    detailed = len(names) <= DETAILED
    by_path = [{_name(one): one for one in stats.features} for _, stats in samples]
    columns = {
        name: [
            Column(label, int(stats.num_examples), found.get(name))
            for (label, stats), found in zip(samples, by_path, strict=True)
        ]
        for name in names
    }
    pairs = _pairs(len(samples), baseline is not None)
    context = _Context(source, pairs, detailed)
    shown = tuple(context.feature(index, name, columns[name]) for index, name in enumerate(names))
    manifest = source.manifest
    return Report(
        printable(source.name),
        _subtitle(manifest, samples),
        overview.verdict(source.validation, manifest),
        None if manifest is None else overview.count(manifest),
        _groups(shown, context.anomalies),
        shown,
        tuple((printable(label), int(stats.num_examples)) for label, stats in samples[: 2 if baseline else _DRAWN]),
        detailed,
        "" if baseline is None else printable(baseline.name),
        None if manifest is None else overview.provenance(manifest),
    )


def _samples(source: Results, baseline: Results | None) -> list[tuple[str, statistics_pb2.DatasetFeatureStatistics]]:
    """Return the data sets by label: the splits, or each split after its namesake in the baseline."""
    if baseline is None:
        return list(source.statistics.items())
    shared = [name for name in source.statistics if name in baseline.statistics]
    if not shared:
        (one, before), (two, now) = next(iter(baseline.statistics.items())), next(iter(source.statistics.items()))
        return [(f"baseline {one}", before), (two, now)]
    both = ((f"baseline {name}", baseline.statistics[name]) for name in shared)
    own = ((name, source.statistics[name]) for name in shared)
    return [sample for pair in zip(both, own, strict=True) for sample in pair]


def _pairs(count: int, has_baseline: bool) -> list[tuple[int, int]]:
    """Return which samples are compared: each with its baseline, or the first with every other."""
    return [(i, i + 1) for i in range(0, count, 2)] if has_baseline else [(0, i) for i in range(1, count)]


def _name(feature: statistics_pb2.FeatureNameStatistics) -> str:
    return ".".join(feature.path.step) or feature.name


def _names(source: Results, datasets: Sequence[statistics_pb2.DatasetFeatureStatistics]) -> list[str]:
    """Return the features in the order of the input's columns, if known, then by name."""
    found = {_name(one) for dataset in datasets for one in dataset.features}
    order = list(source.manifest.columns) if source.manifest is not None else []
    first = [name for name in order if name in found]
    return first + sorted(found.difference(first))


def _subtitle(
    manifest: RunManifest | None, samples: Sequence[tuple[str, statistics_pb2.DatasetFeatureStatistics]]
) -> str:
    if manifest is None:
        rows = sum(int(stats.num_examples) for _, stats in samples[-1:])
        return plural(rows, "row")
    return printable(f"{manifest.pipeline_name} · {manifest.started.replace('T', ' ').replace('+00:00', ' UTC')}")


class _Context:
    """What the cards of all features share."""

    def __init__(self, source: Results, pairs: Sequence[tuple[int, int]], detailed: bool) -> None:
        schema = source.schema or schema_pb2.Schema()
        self._schema = {one.name: one for one in schema.feature}
        self._domains = {one.name: len(one.value) for one in schema.string_domain}
        self.anomalies = _judged(source.validation)
        self._pairs = pairs
        self._detailed = detailed

    def feature(self, index: int, name: str, columns: Sequence[Column]) -> Feature:
        """Return what the card of a feature shows."""
        schema = self._schema.get(name)
        drawn = columns[: 2 if columns[0].label.startswith("baseline ") else _DRAWN]
        compared = [features.compare(columns[one], columns[two], schema) for one, two in self._pairs]
        comparisons = tuple(replace(one, pair=printable(one.pair)) for one in compared if one is not None)
        return Feature(
            index,
            printable(name),
            features.kind(columns),
            features.describe(schema, self._domains),
            tuple(printable(column.label) for column in columns),
            tuple(printable(column.label) for column in drawn),
            features.figures(columns),
            features.histogram(drawn, self._detailed),
            features.top(drawn, self._detailed),
            comparisons,
            (*self.anomalies.get(name, ()), *_findings(columns, comparisons)),
            max((features.absent(c) / c.rows for c in columns if c.rows), default=0.0),
            max((one.distance.value for one in comparisons), default=0.0),
        )


def _judged(validation: Validation | None) -> dict[str, list[Finding]]:
    """Return what failed or warned, by feature, or by split if it concerns no feature."""
    found: dict[str, list[Finding]] = {}
    for one in validation.results if validation is not None else ():
        if one.outcome not in (FAILED, WARNED):
            continue
        place = " ".join(filter(None, (one.split, one.slice)))
        rows = "" if one.offenders is None else f" ({one.offenders.text()})"
        kind = "anomaly" if one.outcome == FAILED else "problem"
        for name in one.features or (f"split {one.split}" if one.split else "all rows",):
            detail = f"{place}: " * bool(place) + one.text.removeprefix(f"{name}: ") + rows
            finding = Finding(printable(one.title or one.name), printable(detail, 400), kind)
            found.setdefault(name, []).append(finding)
    return found


def _findings(columns: Sequence[Column], comparisons: Sequence[Comparison]) -> list[Finding]:
    """Return findings from the statistics alone. None of them is a verdict: no schema was consulted."""
    if not any(features.present(column) for column in columns):
        return [Finding("No values", "every row is empty")]
    found = []
    differing = "; ".join(_difference(one) for one in comparisons if one.exceeds)
    if differing:
        found.append(Finding("Differs", differing))
    missing = [column.label for column in columns if column.rows and not features.present(column)]
    if missing:
        found.append(Finding("Empty in a split", printable(", ".join(missing))))
    if _is_constant(columns):
        found.append(Finding("Constant", "every non-empty row has the same value", "note"))
    most = max((features.absent(c) / c.rows for c in columns if c.rows), default=0.0)
    if most >= 0.5:
        found.append(Finding("Mostly missing", f"{percent(most)} missing", "note"))
    return found


def _difference(one: Comparison) -> str:
    """Return what differs, in words: the distribution, the share of missing cells, or both."""
    bar = one.distance.floor if one.limit is None else one.limit
    words = []
    if one.distance.value > bar:
        name = "noise" if one.limit is None else "limit"
        words.append(f"{one.distance.method} {one.distance.value:.3f} ({name} {bar:.3f})")
    if one.absence is not None and one.absence.beyond_noise:
        words.append(f"missing cells: {100 * one.absence.value:.1f} points apart (noise {100 * one.absence.floor:.1f})")
    return f"{one.pair}: {', '.join(words)}"


def _is_constant(columns: Sequence[Column]) -> bool:
    values = set()
    for column in columns:
        if column.stats is None or not features.present(column):
            continue
        if column.stats.HasField("num_stats"):
            values |= {column.stats.num_stats.min, column.stats.num_stats.max}
        elif column.stats.HasField("string_stats"):
            values |= set(features.counts(column)) if column.stats.string_stats.unique == 1 else {"", " "}
        else:
            return False
    return len(values) == 1


def _groups(shown: Sequence[Feature], anomalies: Mapping[str, Sequence[Finding]]) -> tuple[Group, ...]:
    """Return the findings by reason: anomalies, then problems, then notes; within each, the most widespread first."""
    known = {feature.name for feature in shown}
    lost = [(None, printable(name), found) for name, found in anomalies.items() if printable(name) not in known]
    by_reason: dict[tuple[str, str], list[tuple[int | None, str, str]]] = {}
    for index, name, findings in [*((one.index, one.name, one.findings) for one in shown), *lost]:
        for finding in findings:
            by_reason.setdefault((finding.kind, finding.reason), []).append((index, name, finding.detail))
    kinds = ("anomaly", "problem", "note")
    order = sorted(by_reason.items(), key=lambda item: (kinds.index(item[0][0]), -len(item[1]), item[0][1]))
    return tuple(Group(reason, kind, tuple(members)) for (kind, reason), members in order)
