"""The events of a run, from its manifest, its profile and its validation alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import beam_taxi
from beam_taxi import storage
from beam_taxi.lineage import facets
from beam_taxi.lineage.events import COMPLETE, START, Facets, InputDataset, Job, OutputDataset, Run, RunEvent
from beam_taxi.lineage.inputs import Input, inputs_of, stored_columns, stored_names, types_of
from beam_taxi.lineage.naming import dataset_name, to_uri
from beam_taxi.lineage.outputs import Output, outputs_of
from beam_taxi.lineage.quality import assertions_of, metrics_of, metrics_of_all, tests_of
from beam_taxi.run.folder import STATISTICS, RunFolder
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.profile import Profile
from beam_taxi.run.validation import Validation

DEFAULT_NAMESPACE = "default"
"""The namespace of jobs, as OpenLineage's own client has it."""

_NO_PROFILE = Profile(())


@dataclass(frozen=True)
class RunEvents:
    """Makes the events of a run, whose job is in `namespace`.

    `manifest` identifies the run, and may be that of a run that has not ended.
    """

    manifest: RunManifest
    namespace: str = DEFAULT_NAMESPACE

    @property
    def run_id(self) -> str:
        """The UUID of the run, which follows from its pipeline, its folder and its start.

        A run that failed and one that is started later with the same id are two.
        """
        one = self.manifest
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{to_uri(one.run_uri)}#{one.pipeline_name}@{one.started}"))

    def started(self) -> RunEvent:
        """Return the event of the start; nothing in it is known only from the data."""
        return RunEvent(START, self.manifest.started, self._run(), self._job(), _inputs(self.manifest))

    def ended_without_result(self, event_type: str, time: str, message: str) -> RunEvent:
        """Return the event of a run that failed or was aborted."""
        run = self._run({"errorMessage": facets.ErrorMessage(message)})
        return RunEvent(event_type, time, run, self._job(), _inputs(self.manifest))

    def completed(self, time: str, results: RunManifest | None = None) -> RunEvent:
        """Return the event of a complete run. Raises UsageError if its files cannot be read.

        `results` is the manifest of the earlier run whose files a cached run has.
        """
        manifest = self.manifest if results is None else results
        folder = RunFolder(manifest.run_uri)
        profile = folder.read_profile() if manifest.profile_file is not None else _NO_PROFILE
        validation = folder.read_validation() if manifest.validation_file is not None else None
        run: Facets = {}
        if validation is not None and validation.results:
            redacted = manifest.settings.columns.redacted
            run = {"test": tests_of(validation.results, validation.summary, redacted)}
        return RunEvent(
            COMPLETE,
            time,
            self._run(run),
            self._job(),
            _read_inputs(manifest, profile, validation),
            tuple(_output(one, manifest, profile) for one in outputs_of(manifest)),
        )

    def _run(self, more: Facets | None = None) -> Run:
        engine = facets.ProcessingEngine("Beam", self.manifest.versions.get("apache-beam", ""), beam_taxi.__version__)
        # A merge has no pipeline of Beam.
        known: Facets = {} if self.manifest.parts else {"processing_engine": engine}
        days = self.manifest.settings.dates.days
        nominal: Facets = {"nominalTime": _nominal_time(days[0], days[-1])} if days else {}
        return Run(self.run_id, {**known, **nominal, **(more or {})})

    def _job(self) -> Job:
        query = self.manifest.settings.query
        sql: Facets = {} if query is None else {"sql": facets.Sql(query)}
        return Job(self.namespace, self.manifest.pipeline_name, {"jobType": facets.JobType(), **sql})


def _inputs(manifest: RunManifest) -> tuple[InputDataset, ...]:
    """Return what is known of the inputs before they are read. Those of a merge are the statistics of its parts."""
    if manifest.parts:
        return tuple(_part(storage.join(part.uri, STATISTICS)) for part in manifest.parts)
    return tuple(_input(one) for one in inputs_of(manifest))


def _part(uri: str) -> InputDataset:
    name = dataset_name(uri)
    source = facets.DataSource(name.namespace, to_uri(uri))
    return InputDataset(*name, {"dataSource": source, "datasetType": facets.DatasetType("FILE", "ExampleStatistics")})


def _nominal_time(first: date, last: date) -> facets.NominalTime:
    return facets.NominalTime(*(f"{day.isoformat()}T00:00:00Z" for day in (first, last + timedelta(days=1))))


def _input(one: Input, more: Facets | None = None, input_facets: Facets | None = None) -> InputDataset:
    known: Facets = {"dataSource": facets.DataSource(*one.source), "datasetType": facets.DatasetType(*one.type)}
    return InputDataset(*one.name, {**known, **(more or {})}, input_facets or {})


def _read_inputs(manifest: RunManifest, profile: Profile, validation: Validation | None) -> tuple[InputDataset, ...]:
    if manifest.parts:
        return _inputs(manifest)
    inputs = inputs_of(manifest)
    # The data of all inputs are profiled and judged together.
    quality = _quality(inputs[0], manifest, profile, validation) if len(inputs) == 1 else {}
    return tuple(_read_input(one, manifest, quality) for one in inputs)


def _read_input(one: Input, manifest: RunManifest, quality: Facets) -> InputDataset:
    names = stored_names(manifest)
    types = {names[name]: type_ for name, type_ in types_of(manifest.features).items()}
    columns = stored_columns(manifest, one.entries)
    known: dict[str, facets.Facet] = {
        "schema": facets.Schema(tuple(facets.Field(name, types.get(name)) for name in columns))
    }
    if one.version is not None:
        known["version"] = facets.Version(one.version)
    read = facets.InputStatistics(one.rows, one.size, len(one.entries))
    return _input(one, known, {"inputStatistics": read, **quality})


def _quality(one: Input, manifest: RunManifest, profile: Profile, validation: Validation | None) -> Facets:
    """Return what is known of the data of the only input."""
    found = dict[str, facets.Facet]()
    splits = list(profile.splits().values())
    names = stored_names(manifest)
    metrics = {names.get(name, name): metric for name, metric in metrics_of_all(splits).items()} if splits else {}
    if metrics:
        rows = sum(split.rows for split in splits)
        found["dataQualityMetrics"] = facets.InputDataQualityMetrics(rows, metrics, one.size, len(one.entries))
    if validation is not None:
        # The columns must have the names of the schema of this dataset.
        assertions = assertions_of(validation.results, validation.summary, manifest.settings.columns.redacted, names)
        if assertions.assertions:
            found["dataQualityAssertions"] = assertions
    return found


def _output(one: Output, manifest: RunManifest, profile: Profile) -> OutputDataset:
    name = dataset_name(one.uri)
    known: dict[str, facets.Facet] = {
        "dataSource": facets.DataSource(name.namespace, to_uri(one.uri)),
        "datasetType": facets.DatasetType("FILE", one.type),
        "version": facets.Version(one.version),
    }
    if one.split is not None:
        known |= _of_examples(one.split, manifest, profile)
    return OutputDataset(
        *name, known, {"outputStatistics": facets.OutputStatistics(one.rows, one.size, len(one.files))}
    )


def _of_examples(split: str, manifest: RunManifest, profile: Profile) -> Mapping[str, facets.Facet]:
    types = types_of(manifest.features)
    found: dict[str, facets.Facet] = {
        "schema": facets.Schema(tuple(facets.Field(name, type_) for name, type_ in types.items())),
    }
    sources = _column_lineage(manifest)
    if sources:
        found["columnLineage"] = facets.ColumnLineage(sources)
    dataset = profile.splits().get(split)
    if dataset is not None and dataset.features:
        found["dataQualityMetrics"] = facets.DataQualityMetrics(dataset.rows, metrics_of(dataset))
    return found


def _column_lineage(manifest: RunManifest) -> dict[str, facets.InputFields]:
    """Return the columns of the inputs that each feature is made from: those of its name, wherever there is one."""
    inputs = [(one.name, set(stored_columns(manifest, one.entries))) for one in inputs_of(manifest)]
    found = {
        feature: tuple(facets.InputField(*name, column) for name, columns in inputs if column in columns)
        for feature, column in stored_names(manifest).items()
    }
    return {feature: facets.InputFields(sources) for feature, sources in found.items() if sources}
