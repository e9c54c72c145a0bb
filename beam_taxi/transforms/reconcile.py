"""Row conservation: the rows that were read, written and described by statistics must agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import apache_beam as beam
from apache_beam.pvalue import AsIter, AsSingleton, PCollection

from beam_taxi.errors import DataError, RowConservationError
from beam_taxi.run.leakage import Leakage
from beam_taxi.run.manifest import (
    Artifact,
    ArtifactFile,
    FeatureEntry,
    InputEntry,
    RunManifest,
    SplitEntry,
    merge_artifacts,
)
from beam_taxi.run.validation import Summary
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.source import Reject
from beam_taxi.sources.units import DataPlan, Totals

JudgedFile = tuple[Summary, ArtifactFile]
"""The summary of a judgement, and the file of the judgement."""
ProfiledFile = tuple[ArtifactFile, tuple[ArtifactFile, ...], tuple[str, ...]]
"""The file of the profile, those of the counts, and warnings that follow from the profile."""


@dataclass
class UnitCounts:
    """What one unit has read, by number of the source: rows of each split, and rejected rows by reason code.

    `quarantined` counts the rejects that the first pass did not know of. `first` is the first of them: the number of
    its source, its row group and line there, and the reason.
    """

    unit: int
    rows: dict[int, list[int]] = field(default_factory=dict)
    rejects: dict[int, Counter[str]] = field(default_factory=dict)
    quarantined: Counter[int] = field(default_factory=Counter)
    first: tuple[int, int, int, str] | None = None

    def add_rows(self, source: int, by_split: Sequence[int]) -> None:
        """Add rows of a source."""
        known = self.rows.get(source, [0] * len(by_split))
        self.rows[source] = [one + more for one, more in zip(known, by_split, strict=True)]

    def add_rejects(self, source: int, codes: Mapping[str, int]) -> None:
        """Add bad rows of a source."""
        self.rejects.setdefault(source, Counter()).update(codes)

    def set_aside(self, source: int, reject: Reject) -> None:
        """Count a reject that the first pass did not know of."""
        self.quarantined[source] += 1
        self._keep_first((source, reject.row_group or 0, reject.line, reject.reason))

    def _keep_first(self, found: tuple[int, int, int, str] | None) -> None:
        self.first = min(filter(None, (self.first, found)), default=None)

    def add(self, other: UnitCounts) -> None:
        """Add the counts of another unit."""
        self.quarantined.update(other.quarantined)
        self._keep_first(other.first)
        for source, by_split in other.rows.items():
            self.add_rows(source, by_split)
        for source, codes in other.rejects.items():
            self.add_rejects(source, codes)


def reconcile(
    plan: TablePlan,
    planned: RunManifest,
    data: DataPlan,
    counts: Iterable[UnitCounts],
    parts: Iterable[Artifact],
) -> RunManifest:
    """Return the complete manifest. Raises RowConservationError if rows were lost or counted twice.

    `planned` is the manifest before the run; its inputs are ignored, since the plan has them. The time grows with the
    number of units plus files, not their product.
    """
    total, units = UnitCounts(0), set()
    for one in counts:
        units.add(one.unit)
        total.add(one)
    _expect("units", plan.n_units, len(units))
    _check_quarantine(plan, planned, total)
    inputs = list(_inputs(plan, [split.name for split in planned.splits], data.totals, total))
    splits = tuple(replace(one, rows=sum(entry.split_rows[one.name] for entry in inputs)) for one in planned.splits)
    artifacts = merge_artifacts(parts)
    _check_artifacts(artifacts, splits)
    return replace(
        planned,
        inputs=tuple(inputs),
        splits=splits,
        columns=plan.columns,
        features=tuple(FeatureEntry(name, kind.name) for name, kind in data.kinds.items()),
        warnings=(*planned.warnings, *data.warnings),
        artifacts=artifacts,
    )


def _check_quarantine(plan: TablePlan, planned: RunManifest, total: UnitCounts) -> None:
    """Raise DataError if more rows were set aside than the options allow."""
    if total.first is None:
        return
    rejects = sum((codes for codes in total.rejects.values()), Counter[str]()).total()
    records = rejects + sum(sum(by_split) for by_split in total.rows.values())
    allowed = planned.settings.allowed_rejects(records)
    if rejects > allowed:
        source, _, number, reason = total.first
        settings = planned.settings
        why = ["are bad", *["violate a rule"] * settings.validation.quarantine]
        *others, last = [*why, *["have no split"] * (not settings.splitting.by_hash)]
        raise DataError(
            f"{plan.sources[source].info.at(number)}: {reason}; {rejects:,} of {records:,} rows {', '.join(others)} "
            f"or {last}, {allowed:,} may be skipped; fix them, or raise --max_rejects or --max_reject_ratio"
        )


def _inputs(
    plan: TablePlan, splits: Sequence[str], by_source: Iterable[Totals], total: UnitCounts
) -> Iterator[InputEntry]:
    for number, (source, totals) in enumerate(zip(plan.sources, by_source, strict=True)):
        info, by_split = source.info, total.rows.get(number, [0] * len(splits))
        rejects, quarantined = total.rejects.get(number, Counter()), total.quarantined[number]
        rows, columns = sum(by_split), info.fields or info.columns
        if totals.rows is not None:
            _expect(info.uri, totals.rows, rows + quarantined)
        _expect(f"rejects of {info.uri}", sum(totals.rejects.values()) + quarantined, rejects.total())
        yield InputEntry(
            info.uri,
            info.format,
            info.size,
            content_hash=totals.content_hash,
            rows=rows,
            split_rows=dict(zip(splits, by_split, strict=True)),
            rejects=dict(sorted(rejects.items())),
            blank_lines=totals.blank_lines,
            columns=None if columns == plan.columns else columns,
        )


def _check_artifacts(artifacts: Mapping[str, Artifact], splits: Sequence[SplitEntry]) -> None:
    """Check the rows of every artifact whose files have a split and rows."""
    for key, artifact in artifacts.items():
        found: Counter[str] = Counter()
        for file in artifact.files:
            if file.split is not None and file.rows is not None:
                found[file.split] += file.rows
        for split in splits if found else ():
            _expect(f"{key} of split {split.name}", split.rows or 0, found[split.name])


def _expect(what: str, expected: int, found: int) -> None:
    if expected != found:
        raise RowConservationError(f"row conservation: {what}: {expected:,} expected, {found:,} found")


class _Reconcile(beam.DoFn):
    def __init__(self, plan: TablePlan, planned: RunManifest) -> None:
        self._plan = plan
        # There may be many inputs, and the plan has them.
        self._planned = replace(planned, inputs=())

    def process(
        self,
        data: DataPlan,
        counts: Iterable[UnitCounts],
        parts: Iterable[Artifact],
        profiled: ProfiledFile,
        judged: JudgedFile | None = None,
        leakage: Leakage | None = None,
    ) -> Iterator[RunManifest]:
        manifest = reconcile(self._plan, self._planned, data, counts, parts)
        file, sketches, warnings = profiled
        warnings = (*manifest.warnings, *warnings)
        manifest = replace(manifest, profile_file=file, sketch_files=sketches, warnings=warnings)
        if judged is not None:
            manifest = replace(manifest, validation=judged[0], validation_file=judged[1])
        if leakage is not None:
            told = (f"splits: {leakage.text}",) if leakage.shared else ()
            manifest = replace(manifest, leakage=leakage, warnings=(*manifest.warnings, *told))
        yield manifest


class Reconcile(beam.PTransform):
    """Check that no row was lost or counted twice, and return the one complete manifest.

    `profiled` is the file of the profile with its warnings, `judged` the summary of the judgement with its file, if
    there is one, and `leakage` what was found about keys in several splits, if they may be.

        manifest = artifacts | Reconcile(plan, planned, table.data, examples.counts, profiled)
    """

    def __init__(
        self,
        plan: TablePlan,
        planned: RunManifest,
        data: PCollection[DataPlan],
        counts: PCollection[UnitCounts],
        profiled: PCollection[ProfiledFile],
        judged: PCollection[JudgedFile] | None = None,
        leakage: PCollection[Leakage] | None = None,
    ) -> None:
        super().__init__()
        self._do_fn = _Reconcile(plan, planned)
        self._data = data
        self._counts = counts
        self._profiled = profiled
        self._optional = {"judged": judged, "leakage": leakage}

    def expand(self, artifacts: PCollection[Artifact]) -> PCollection[RunManifest]:
        optional = {name: AsSingleton(one) for name, one in self._optional.items() if one is not None}
        check = beam.ParDo(
            self._do_fn, AsIter(self._counts), AsIter(artifacts), AsSingleton(self._profiled), **optional
        )
        return self._data | "Check" >> check.with_output_types(RunManifest)
