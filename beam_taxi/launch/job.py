"""From a checked launch to its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from beam_taxi import storage
from beam_taxi.example_formats import FORMATS
from beam_taxi.launch.baseline import digest_of_statistics
from beam_taxi.launch.beam_flags import parse_beam_options
from beam_taxi.launch.claim import Claim
from beam_taxi.launch.console import Console
from beam_taxi.launch.options import Launch
from beam_taxi.launch.outcome import Outcome, consequence, outcome_of
from beam_taxi.launch.preflight import input_entry, schema_notes
from beam_taxi.launch.quiet import Timings, silenced, without_collection
from beam_taxi.launch.record import RunRecord
from beam_taxi.launch.runners.base import Runner
from beam_taxi.run.manifest import InputEntry, RunManifest, SplitEntry
from beam_taxi.run.versions import versions
from beam_taxi.settings import CHECKS_FILE, SCHEMA_FILE

if TYPE_CHECKING:
    from beam_taxi.sources.plan import TablePlan


def planned_manifest(launch: Launch, plan: TablePlan) -> RunManifest:
    """Return the manifest of a run that starts now, as far as it is known before the data are read."""
    settings = launch.settings
    inputs = [input_entry(one) for one in plan.sources]
    notes = (*plan.notes, *schema_notes(plan.declared if settings.schema is not None else (), plan.columns))
    digests = [digest_of_statistics(uri) for uri in settings.validation.baseline_files]
    return replace(manifest_of_inputs(launch, inputs), warnings=notes, baseline_sha256=next(iter(digests), None))


def manifest_of_inputs(launch: Launch, inputs: Sequence[InputEntry]) -> RunManifest:
    """Return the manifest of a run that starts now, of which no more than the inputs is known."""
    settings = launch.settings
    return RunManifest(
        run_id=settings.run_id,
        pipeline_name=settings.pipeline_name,
        run_uri=settings.run_uri,
        settings=settings,
        settings_sha256=settings.sha256(),
        versions=versions(FORMATS[settings.example_format].package),
        inputs=tuple(inputs),
        splits=tuple(SplitEntry(split.name, split.weight) for split in settings.splits),
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        given=_given(launch.sources),
        span=settings.dates.span,
        version=launch.days.version,
    )


def _given(sources: Mapping[str, str]) -> dict[str, str]:
    """Return the URIs of the given schema and checks by option, from their paths by the names that results use."""
    found = {}
    if SCHEMA_FILE in sources:
        from beam_taxi.schemas.read import schema_uri

        found["schema"] = storage.absolute(schema_uri(sources[SCHEMA_FILE]))
    if CHECKS_FILE in sources:
        found["checks"] = storage.absolute(sources[CHECKS_FILE])
    return found


def import_libraries() -> None:
    """Import what a job needs, which takes seconds."""
    # TFDV warns that IPython is missing; TensorFlow, from C++, that CUDA is.
    with silenced(), without_collection():
        import beam_taxi.lineage.write
        import beam_taxi.pipeline
        import beam_taxi.report.write
        import beam_taxi.transforms.inform_reader  # noqa: F401


def run_job(
    runner: Runner,
    plan: TablePlan,
    planned: RunManifest,
    claim: Claim,
    record: RunRecord,
    console: Console,
    timings: Timings,
) -> Outcome:
    """Run the graph in the claimed folder, and remove what a job that has ended leaves behind.

    Raises UsageError if Beam refuses its options.
    """
    with timings.part("imports"):
        import_libraries()
    import apache_beam as beam

    from beam_taxi import pipeline as graph
    from beam_taxi.lineage.write import WriteEvents
    from beam_taxi.report.write import write_report
    from beam_taxi.transforms.inform_reader import InformReader

    options = parse_beam_options(runner.beam_args(plan))

    def job() -> None:
        with console.progress(plan.size) if runner.has_local_workers else nullcontext():
            pipeline = beam.Pipeline(options=options)
            manifest = graph.build(pipeline, plan, planned, runner.worker_versions())
            readers: dict[str, Callable[[RunManifest], None]] = {
                "RenderReport": write_report,
                "WriteLineage": WriteEvents(record.lineage.namespace, record.lineage.worker_receiver(runner.launch)),
                **_recorders(runner.launch),
            }
            for label, reader in readers.items():
                _ = manifest | label >> InformReader(reader)
            runner.run(pipeline, console, record.launched)

    # Its thread must have ended before workers are forked.
    record.lineage.settle()
    with runner.workers(options), timings.part("run"):
        outcome = outcome_of(job, claim.folder, runner)
    if consequence(outcome).removes_folder:
        claim.release(console)
    return outcome


def _recorders(launch: Launch) -> dict[str, Callable[[RunManifest], None]]:
    """Return what records the run on a worker, by the label of its step; it cannot fail the job."""
    if launch.store is None or not launch.options.records_on_worker:
        return {}
    from beam_taxi.metadata.on_worker import RecordOnWorker

    return {"RecordRun": RecordOnWorker(launch.store.absolute_uri, launch.options.metadata_password_file)}
