"""Run the job: `python -m beam_taxi.main --input 'data/*.csv' --output out/`."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from typing import Any

from beam_taxi import layout, progress, storage
from beam_taxi.cli import summary
from beam_taxi.errors import BeamTaxiError, UsageError, cause, closed_pipe_ignored, find, silenced
from beam_taxi.launch import options
from beam_taxi.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run with the arguments; returns 0 done, 1 failed, 2 bad usage or failed check, 3 data refused."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        with closed_pipe_ignored():
            _main(argv)
    except BeamTaxiError as error:
        summary.print_error(str(error), error.exit_status, options.wants_json(argv))
        return error.exit_status
    except KeyboardInterrupt as interrupt:
        summary.print_error(str(interrupt) or "interrupted", 1, options.wants_json(argv))
        return 1
    return 0


def _main(argv: Sequence[str]) -> None:
    args, beam_args = options.parse(argv)
    _quieten(args.runner)
    settings = options.to_settings(args)
    timings: dict[str, float] = {}
    with _timed(timings, "checks"):
        from beam_taxi.launch import preflight
        from beam_taxi.launch.record import RunRecord
        from beam_taxi.launch.runners.choose import choose
        from beam_taxi.launch.runners.flags import BeamFlags
        from beam_taxi.metadata.address import parse_address

        runner = choose(args.runner, BeamFlags(beam_args), args)
        store = options.metadata_uri(args)
        address = parse_address(store, args.metadata_password_file)
        checks, plan = preflight.look(settings, runner, address)
        if args.preflight:
            faults = summary.print_checks(checks)
            if faults:
                raise UsageError(f"{faults} of {len(checks)} checks found a fault")
            return
        preflight.refuse(checks)
        assert plan is not None
        summary.print_notes(checks)
    if args.plan:
        summary.print_plan(settings, plan, runner.described(plan), store)
    planned = layout.planned_manifest(settings, ((file.uri, file.format, file.size) for file in plan.files))
    record = RunRecord(address, planned, args.runner, runner.in_process)
    earlier = _earlier_run(args, plan, record, timings)
    if args.plan:
        return
    if args.cache and earlier is not None:
        with _timed(timings, "record"):
            ids = record.cached(earlier)
        summary.print_end(earlier, ids, store, timings, args.log_format, settings.run_id)
        return
    worker_store = address if args.record_on == "worker" else None
    if not _run(args, runner, settings, plan, record, worker_store, timings):
        summary.print_left(settings.run_uri, store, worker_store is not None)
        return
    manifest = layout.read_manifest(settings.run_uri)
    with _timed(timings, "record"):
        ids = record.complete(manifest, args.record_on == "worker")
    summary.print_end(manifest, ids, store, timings, args.log_format)


def _earlier_run(args: Any, plan: Any, record: Any, timings: dict[str, float]) -> Mapping[str, Any] | None:
    """Return the manifest of a run that has made what this one would, and say why there is none, if so asked."""
    if not args.cache and not args.explain_cache:
        return None
    from beam_taxi.sources.fingerprint import content_hashes

    with _timed(timings, "cache"):
        found = record.look_up(lambda: content_hashes(plan), args.explain_cache)
    if args.explain_cache:
        if found.earlier is not None:
            print(f"cache      hit: run {found.earlier['run_id']}")
        for reason in found.reasons:
            print(f"cache      missed: {reason}")
    earlier: Mapping[str, Any] | None = found.earlier
    return earlier


def _run(
    args: Any,
    runner: Any,
    settings: Settings,
    plan: Any,
    record: Any,
    worker_store: Any,
    timings: dict[str, float],
) -> bool:
    """Run the job; tell whether it is done when its launch is. Raises BeamTaxiError."""
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with _timed(timings, "imports"), silenced(), _without_collection():
        # TFDV tells that IPython is missing; TensorFlow, from C++, that CUDA is.
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        from beam_taxi import pipeline as graph
        from beam_taxi.transforms.record import RecordRun
    with _timed(timings, "record"):
        record.start()
    bars = progress.shown(plan.size, args.log_format) if runner.ticks else nullcontext()
    with _timed(timings, "run"), record.watched(), _reported(settings, runner.in_process), bars:
        pipeline = beam.Pipeline(options=PipelineOptions(runner.beam_args(plan)))
        manifest = graph.build(pipeline, plan, settings, started, runner.worker_versions())
        if worker_store is not None:
            _ = manifest | "RecordRun" >> RecordRun(worker_store, args.metadata_password_file)
        runner.run(pipeline)
    return storage.exists(storage.join(settings.run_uri, layout.MANIFEST))


@contextmanager
def _timed(timings: dict[str, float], part: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[part] = timings.get(part, 0.0) + time.perf_counter() - start


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep the collector of cycles away from the first imports' objects, which stay: a quarter of the time it takes."""
    if "apache_beam" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _quieten(runner: str) -> None:
    """Keep the libraries' start-up notes, and the traces that end in one line, away from the user's terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning)
    # A job service's messages come by the root logger.
    logging.basicConfig(level=logging.CRITICAL if runner in options.PORTABLE_RUNNERS else logging.ERROR)
    logging.getLogger("beam_taxi").setLevel(logging.ERROR)
    # Beam logs what a service refuses, and main tells it in one line.
    levels = dict.fromkeys((options.LOCAL_RUNNER, *options.PORTABLE_RUNNERS), logging.CRITICAL)
    levels["DataflowRunner"] = logging.CRITICAL + 1
    logging.getLogger("apache_beam").setLevel(levels.get(runner, logging.WARNING))


@contextmanager
def _reported(settings: Settings, in_process: bool) -> Iterator[None]:
    """Turn what a runner raises into one line, and remove what a failed run left on this machine.

    A job that runs elsewhere may outlive an interrupt, and then needs its files.
    """
    try:
        yield
    except KeyboardInterrupt:
        if in_process:
            _remove(settings)
        raise
    # A runner may raise anything; whatever it is, a user gets one line, and the trace in a file.
    except Exception as error:
        _remove(settings)
        known = find(error)
        if known is not None:
            raise known from None
        with tempfile.NamedTemporaryFile("w", prefix="beam_taxi-", suffix=".log", delete=False) as log:
            log.write(traceback.format_exc())
        raise BeamTaxiError(f"the run failed: {cause(error)[:500]} (trace: {log.name})") from None


def _remove(settings: Settings) -> None:
    if not storage.is_remote(settings.run_uri):
        shutil.rmtree(settings.run_uri, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
