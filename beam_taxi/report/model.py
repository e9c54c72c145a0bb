"""The view model: everything that a report says, as text and numbers, independent of its presentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.report import features, overview, sample, slices, told
from beam_taxi.report.comparison import Column, Comparison, compare, level_of
from beam_taxi.report.features import Cell, Feature
from beam_taxi.report.figures import number, percent, plural, printable, visible
from beam_taxi.report.findings.find import find
from beam_taxi.report.overview import Counts, Provenance, Verdict
from beam_taxi.report.results import Results
from beam_taxi.report.told import Told
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.profile import DatasetProfile, Profile

_DRAWN = 3
"""Maximum number of splits drawn on top of each other."""


@dataclass(frozen=True)
class Change:
    """A column that differs from the baseline, and how, in words."""

    index: int
    name: str
    kind: str
    text: str


@dataclass(frozen=True)
class Changes:
    """All changes since the baseline, the greatest first; `text` counts them."""

    text: str
    found: tuple[Change, ...]


@dataclass(frozen=True)
class Report:
    """A whole report. `facts` counts rows, columns and so on.

    `drawn` has the label and rows of each shape: the first is filled, the others are outlines. `main` is the label of
    the sample that the overview describes.
    """

    title: str
    subtitle: str
    verdict: Verdict
    facts: tuple[tuple[str, Cell, str], ...]
    counts: Counts | None
    findings: tuple[Told, ...]
    changes: Changes | None
    features: tuple[Feature, ...]
    drawn: tuple[tuple[str, int], ...]
    main: str
    baseline: str
    slices: slices.Slices | None
    samples: tuple[sample.SampleRows, ...]
    provenance: Provenance | None

    @property
    def kinds(self) -> list[str]:
        """The types of the columns as the overview shows them."""
        return sorted({feature.type for feature in self.features})


def build(source: Results, baseline: Results | None = None) -> Report:
    """Return the report of a run, a split or a file, compared with a baseline or, without one, split by split."""
    before = None if baseline is None else baseline.profile
    samples = _samples(source.profile, before)
    names = _names(source, [dataset for _, dataset in samples])
    found = find(source.profile, source.validation, before)
    context = _Context(source, _pairs(len(samples), before is not None), names, told.by_feature(found))
    shown = tuple(
        context.feature(
            index, name, [Column(label, dataset.rows, dataset.features.get(name)) for label, dataset in samples]
        )
        for index, name in enumerate(names)
    )
    manifest = source.manifest
    unique = {name for one in found if one.kind == told.UNIQUE for name in one.features}
    return Report(
        title=printable(source.name),
        subtitle=_subtitle(manifest),
        verdict=overview.verdict(source.validation, manifest),
        facts=_facts(source.profile, shown),
        counts=None if manifest is None else overview.count(manifest),
        findings=told.tell(found, names),
        changes=None if before is None else _changes(shown, names, source.profile, before),
        features=shown,
        drawn=tuple((printable(label), one.rows) for label, one in samples[: 2 if baseline else _DRAWN]),
        main=printable(samples[0 if before is None else 1][0]),
        baseline="" if baseline is None else printable(baseline.name),
        slices=slices.build(source.profile, names, unique),
        samples=sample.tables(source.profile, names),
        provenance=None if manifest is None else overview.provenance(manifest),
    )


def _samples(profile: Profile, baseline: Profile | None) -> list[tuple[str, DatasetProfile]]:
    """Return the data sets by label: the splits, or each split after its namesake in the baseline."""
    splits = profile.splits()
    if baseline is None:
        return list(splits.items())
    earlier = baseline.splits()
    shared = [name for name in splits if name in earlier]
    if not shared:
        (one, before), (two, now) = next(iter(earlier.items())), next(iter(splits.items()))
        return [(f"baseline {one}", before), (two, now)]
    pairs = [((f"baseline {name}", earlier[name]), (name, splits[name])) for name in shared]
    return [one for pair in pairs for one in pair]


def _pairs(count: int, has_baseline: bool) -> list[tuple[int, int]]:
    """Return which samples are compared: each with its baseline, or the first with every other."""
    return [(i, i + 1) for i in range(0, count, 2)] if has_baseline else [(0, i) for i in range(1, count)]


def _names(source: Results, datasets: Sequence[DatasetProfile]) -> list[str]:
    """Return the columns in the order of the input, if it is known, then in that of the profiles."""
    found = dict.fromkeys(name for dataset in datasets for name in dataset.features)
    order = list(source.manifest.columns) if source.manifest is not None else []
    return list(dict.fromkeys([*(name for name in order if name in found), *found]))


def _subtitle(manifest: RunManifest | None) -> str:
    if manifest is None:
        return ""
    started = manifest.started.replace("T", " ").replace("+00:00", " UTC")
    return printable(" · ".join(filter(None, (manifest.pipeline_name, manifest.settings.dates.date, started))))


def _facts(profile: Profile, shown: Sequence[Feature]) -> tuple[tuple[str, Cell, str], ...]:
    """Return what is counted over all splits: a label, the figure, and what it consists of."""
    splits = profile.splits()
    rows = sum(one.rows for one in splits.values())
    found = {visible(name) for one in splits.values() for name in one.features}
    kinds = Counter(one.kind for one in shown if one.name in found)
    cells = sum(one.rows * len(one.features) for one in splits.values())
    present = sum(feature.present for one in splits.values() for feature in one.features.values())
    facts = [
        ("rows", Cell(number(rows)), " · ".join(f"{printable(name)} {one.rows:,}" for name, one in splits.items())),
        (
            "columns",
            Cell(number(kinds.total())),
            " · ".join(f"{count} {kind.lower()}" for kind, count in kinds.most_common()),
        ),
        ("missing cells", Cell(percent(1 - present / cells if cells else 0.0)), f"{cells - present:,} of {cells:,}"),
    ]
    repeated = [(one.split, one.duplicates) for one in splits.values() if one.duplicates is not None]
    if repeated:
        is_exact = all(one.exact for _, one in repeated)
        count = sum(one.rows for _, one in repeated)
        text = " · ".join(f"{printable(split)} {one.rows:,}" for split, one in repeated)
        title = "" if is_exact else "estimate"
        facts.append(("duplicate rows", Cell("≈" * (not is_exact) + number(count), title), text if count else "none"))
    return tuple(facts)


class _Context:
    """What the cards of all columns share."""

    def __init__(
        self,
        source: Results,
        pairs: Sequence[tuple[int, int]],
        names: Sequence[str],
        notes: Mapping[str, Sequence[features.Note]],
    ) -> None:
        schema = source.schema or schema_pb2.Schema()
        self._schema = {one.name: one for one in schema.feature}
        self._domains = {one.name: len(one.value) for one in schema.string_domain}
        self._pairs = pairs
        self._level = level_of(len(pairs), len(names))
        self._notes = notes

    def feature(self, index: int, name: str, columns: Sequence[Column]) -> Feature:
        """Return what the overview and the card of a column show."""
        schema = self._schema.get(name)
        has_baseline = columns[0].label.startswith("baseline ")
        drawn = columns[: 2 if has_baseline else _DRAWN]
        notes = tuple(self._notes.get(name, ()))
        unit = features.unit(name, columns)
        role = features.role(columns, unit, any(one.kind == told.UNIQUE for one in notes))
        compared = [
            compare(_pair(columns[one], columns[two]), columns[one], columns[two], self._level, features.limit(schema))
            for one, two in self._pairs
        ]
        return Feature(
            index,
            visible(name),
            features.kind(columns),
            role,
            features.describe(schema, self._domains),
            tuple(printable(column.label) for column in columns),
            tuple(printable(column.label) for column in drawn),
            int(has_baseline),
            features.figures(columns, unit, role == "id"),
            features.draw(drawn, unit),
            tuple(one for one in compared if one is not None),
            notes,
        )


def _pair(one: Column, two: Column) -> str:
    before = "baseline" if one.label == f"baseline {two.label}" else one.label
    return printable(f"{before} → {two.label}")


def _changes(shown: Sequence[Feature], names: Sequence[str], now: Profile, before: Profile) -> Changes:
    """Return what changed since the baseline: columns that are gone or new, then the greatest differences."""
    these, those = ({name for one in profile.splits().values() for name in one.features} for profile in (now, before))
    found: list[tuple[float, Change]] = []
    for feature, name in zip(shown, names, strict=True):
        differing = [one for one in feature.comparisons if one.exceeds]
        if name not in these or name not in those:
            word = "removed" if name not in these else "added"
            found.append((float("inf"), Change(feature.index, feature.name, word, word)))
        elif differing:
            text = "; ".join(_told(one) for one in differing)
            strength = max(one.strength for one in differing)
            found.append((strength, Change(feature.index, feature.name, "changed", text)))
    found.sort(key=lambda one: -one[0])
    changes = tuple(one for _, one in found)
    kinds = Counter(one.kind for one in changes)
    parts = ", ".join(f"{kinds[word]} {word}" for word in ("removed", "added") if kinds[word])
    text = f"{len(changes)} of {plural(len(shown), 'column')} changed" if changes else "No column changed"
    return Changes(f"{text}: {parts}" if parts else text, changes)


def _told(one: Comparison) -> str:
    return f"{one.words} ({one.pair.removeprefix('baseline → ')})"
