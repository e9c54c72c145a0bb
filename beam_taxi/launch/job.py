"""From a checked launch to its outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from beam_taxi.launch.beam_flags import parse_beam_options
from beam_taxi.launch.console import Console
from beam_taxi.launch.options import Launch
from beam_taxi.launch.outcome import Outcome, consequence, outcome_of
from beam_taxi.launch.preflight import input_entry, schema_notes
from beam_taxi.launch.quiet import Timings, silenced, without_collection
from beam_taxi.launch.record import RunRecord
from beam_taxi.launch.runners.base import Runner
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import InputEntry, RunManifest, SplitEntry
from beam_taxi.run.versions import versions
from beam_taxi.settings import Settings

if TYPE_CHECKING:
    from beam_taxi.sources.plan import TablePlan


def planned_manifest(settings: Settings, plan: TablePlan) -> RunManifest:
    """Return the manifest of a run that starts now, as far as it is known before the data are read."""
    inputs = [input_entry(one) for one in plan.sources]
    notes = (*plan.notes, *schema_notes(plan.declared if settings.schema is not None else (), plan.columns))
    return replace(manifest_of_inputs(settings, inputs), warnings=notes)


def manifest_of_inputs(settings: Settings, inputs: Sequence[InputEntry]) -> RunManifest:
    """Return the manifest of a run that starts now, of which no more than the inputs is known."""
    return RunManifest(
        run_id=settings.run_id,
        pipeline_name=settings.pipeline_name,
        run_uri=settings.run_uri,
        settings=settings,
        settings_sha256=settings.sha256(),
        versions=versions(),
        inputs=tuple(inputs),
        splits=tuple(SplitEntry(split.name, split.weight) for split in settings.splits),
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def run_job(
    runner: Runner, plan: TablePlan, planned: RunManifest, record: RunRecord, console: Console, timings: Timings
) -> Outcome:
    """Claim the folder, record the start, run the graph, and remove what a job that has ended leaves behind.

    Raises UsageError if the folder exists already, or if Beam refuses its options.
    """
    with timings.part("imports"), silenced(), without_collection():
        # TFDV warns that IPython is missing; TensorFlow, from C++, that CUDA is.
        import apache_beam as beam

        from beam_taxi import pipeline as graph
        from beam_taxi.report.write import write_report
        from beam_taxi.transforms.inform_reader import InformReader

    options = parse_beam_options(runner.beam_args(plan))

    def job() -> None:
        with timings.part("record"):
            record.start(runner.name, runner.in_process, claim)
        with console.progress(plan.size) if runner.has_local_workers else nullcontext():
            pipeline = beam.Pipeline(options=options)
            manifest = graph.build(pipeline, plan, planned, runner.worker_versions())
            readers = {"RenderReport": write_report, **_recorders(runner.launch)}
            for label, reader in readers.items():
                _ = manifest | label >> InformReader(reader)
            runner.run(pipeline, console, record.launched)

    with runner.workers(options):
        folder = RunFolder(planned.run_uri)
        claim = folder.claim()
        with timings.part("run"):
            outcome = outcome_of(job, folder, runner)
    if consequence(outcome).removes_folder:
        _remove(folder, claim, console)
    return outcome


def _remove(folder: RunFolder, claim: str, console: Console) -> None:
    """Remove the folder of a run whose job has ended without a manifest."""
    try:
        folder.remove_claimed(claim)
    except OSError as error:
        console.warn(f"{folder.uri}: parts of the run remain: {error}")


def _recorders(launch: Launch) -> dict[str, Callable[[RunManifest], None]]:
    """Return what records the run on a worker, by the label of its step; it cannot fail the job."""
    if launch.store is None or not launch.options.records_on_worker:
        return {}
    from beam_taxi.metadata.on_worker import RecordOnWorker

    return {"RecordRun": RecordOnWorker(launch.store.absolute_uri, launch.options.metadata_password_file)}
