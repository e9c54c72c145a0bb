"""Beam's portable runners: a job service takes the graph, and workers of Python run it beside Spark, Flink or Prism."""

from __future__ import annotations

import io
import os
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, redirect_stderr
from typing import TYPE_CHECKING, Any, ClassVar

from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning, UsageError
from beam_taxi.launch import interrupts
from beam_taxi.launch.children import children, end_children
from beam_taxi.launch.console import Console
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.outcome import Outcome
from beam_taxi.launch.runners.engine_job import EngineJob, end_of, watch
from beam_taxi.launch.runners.job_server import started
from beam_taxi.launch.runners.portable_checks import NO_ENDPOINT, PortableChecks
from beam_taxi.launch.traces import find_error
from beam_taxi.metadata.store import reap_command

if TYPE_CHECKING:
    from apache_beam import Pipeline
    from apache_beam.options.pipeline_options import PipelineOptions


class PortableRunner(PortableChecks):
    """A Beam job service that is already running, at `--job_endpoint`.

    If it is on this machine, so are its workers: by default they run in this process (LOOPBACK).
    """

    job_class: ClassVar[type[EngineJob]] = EngineJob

    @property
    def in_process(self) -> bool:
        """Whether the job ends with this process, which holds its workers (LOOPBACK) or its engine."""
        return self._worker_type == "LOOPBACK" or self._server_is_ours

    def run(self, pipeline: Pipeline, console: Console, launched: Callable[[LaunchedJob], None]) -> None:
        """Run a pipeline; see Runner.run."""
        with ExitStack() as stack:
            show = self._show(stack, console)
            if self.in_process:
                before = children()
                stack.enter_context(interrupts.preceded_by(lambda: end_children(before)))
            address = self._endpoint or stack.enter_context(self._started_server(pipeline, show))
            job = self.job_class(address, self._cluster, self._job_name)
            try:
                self._launch(pipeline, job, stack)
                if not self.in_process:
                    launched(job.launched(self.name))
                if self.waits:
                    watch(job, show, self.in_process)
                else:
                    console.tell("job", f"{job.name}: {job.how()}")
            except KeyboardInterrupt as interrupt:
                raise self._interrupted(job, interrupt, launched) from None
            except Exception as error:
                # Beam and gRPC may wrap what a signal raises.
                interrupted = interrupts.received()
                if interrupted is not None:
                    raise self._interrupted(job, interrupted, launched) from error
                if fault := self._fault_of_pool(error):
                    raise BeamTaxiError(f"the job failed, and the pool of workers is gone: {fault}") from error
                raise

    def _show(self, stack: ExitStack, console: Console) -> Callable[[str], None]:
        """Return what shows a line of the status.

        Workers in this process print traces, which the failure of the job has too; their threads fail when it ends.
        """
        stack.callback(console.end_status)
        terminal = sys.stderr
        if self._worker_type == "LOOPBACK":
            threading.excepthook = lambda _: None
            stack.enter_context(redirect_stderr(io.StringIO()))

        def show(line: str) -> None:
            with redirect_stderr(terminal):
                console.status(line)

        return show

    def _launch(self, pipeline: Pipeline, job: EngineJob, stack: ExitStack) -> None:
        """Hand the pipeline to the job service. If its answer is lost, the job may exist, so it is watched anyway."""
        import grpc

        try:
            result = pipeline.run()
            job.id = result._job_id
            # Ends the workers in this process.
            stack.callback(result._cleanup)
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                raise BeamTaxiError(
                    f"the job service at {job.service.address} refuses the job: {error.details()}"
                ) from error
        except grpc.FutureTimeoutError as error:
            raise BeamTaxiError(f"the job service at {job.service.address} does not answer: launch again") from error

    def _interrupted(
        self, job: EngineJob, interrupt: KeyboardInterrupt, launched: Callable[[LaunchedJob], None]
    ) -> BaseException:
        """Return the error of a run that a signal has interrupted, after its job was cancelled if that is wanted."""
        reason = str(interrupt) or "interrupted"
        fault = ""
        try:
            is_known = bool(job.id)
            if not is_known and not self._server_is_ours and not job.exists():
                return JobCancelled(f"{reason} before the job was launched")
            if not self.in_process and not getattr(interrupt, "wants_cancel", True):
                if not is_known:
                    launched(job.launched(self.name))
                return StillRunning(f"{reason}; the job {job.name} is still running: {job.how()}; {self._reaping}")
            fault = self._cancel(job)
        except KeyboardInterrupt:
            fault = "interrupted while it was being cancelled"
        if self.in_process or not fault:
            return JobCancelled(f"{reason}; the job was cancelled")
        return StillRunning(f"{reason}; the job may still be running: {fault}; {job.how()}; {self._reaping}")

    @property
    def _server_is_ours(self) -> bool:
        """Whether the job ends with a job server that this process has started."""
        return not self._endpoint and self._job_ends_with_server

    def _cancel(self, job: EngineJob) -> str:
        """Cancel the job; return why it may still be running, empty if it has ended."""
        if self._server_is_ours:
            return ""
        fault = job.cancel()
        if not fault and not self._cluster and b"flink_master" in self._described_options:
            return "Flink's job service leaves it to the cluster: cancel it there, or pass --flink_master"
        return fault

    @property
    def _reaping(self) -> str:
        """What records the end of a job that is left running."""
        store = self.launch.store
        if store is None:
            return "the run is complete once it has a manifest"
        return f"record its end with: {reap_command(store, self.settings.run_id)}"

    def _fault_of_pool(self, error: Exception) -> str:
        """Return why the pool of workers does not answer, if that may be the cause of a failure, else an empty text."""
        is_explained = find_error(f"{type(error).__name__}: {error}") is not None
        return "" if is_explained or self._worker_type != "EXTERNAL" else self._pool_fault()

    @classmethod
    def end_of(cls, job: LaunchedJob) -> Outcome:
        """Return how a job has ended; see Runner.end_of."""
        return end_of(cls.job_class.from_launched(job), job)

    @property
    def _job_ends_with_server(self) -> bool:
        """Whether the job ends with its job server."""
        return True

    @property
    def _job_name(self) -> str:
        return self.flags.get("job_name") or self._defaults["job_name"]

    def _started_server(self, pipeline: Pipeline, show: Callable[[str], None]) -> AbstractContextManager[str]:
        """Start a job server for the block, and yield its address."""
        raise UsageError(NO_ENDPOINT)


class JarRunner(PortableRunner):
    """A runner that starts its job server from a jar unless `--job_endpoint` names one."""

    def _options_of_jar(self) -> set[str]:
        jar = self.flags.get(self.jar_flag)
        if jar and "://" not in jar and not os.path.isfile(jar):
            raise UsageError(f"--{self.jar_flag} {jar}: file not found")
        java = self.flags.get("job_server_java_launcher", "java")
        if shutil.which(java) is None:
            raise UsageError(f"{java} not found: install Java 17, or pass --job_endpoint of a running job server")
        return set()

    def _started_server(self, pipeline: Pipeline, show: Callable[[str], None]) -> AbstractContextManager[str]:
        from apache_beam.options.pipeline_options import JobServerOptions, PortableOptions
        from apache_beam.utils.subprocess_server import pick_port

        options = pipeline.options
        port = options.view_as(JobServerOptions).job_port or pick_port(None)[0]

        if not self.flags.get(self.jar_flag):
            show("fetching Beam's job server from Maven Central, unless it was fetched before")

        def server(folder: str) -> Any:
            chosen = options.view_as(JobServerOptions)
            chosen.job_port = port
            chosen.artifacts_dir = chosen.artifacts_dir or os.path.join(folder, "artifacts")
            chosen.job_server_jvm_properties = [f"-Djava.io.tmpdir={folder}", *chosen.job_server_jvm_properties]
            return self._beam_server(options)

        options.view_as(PortableOptions).job_endpoint = f"localhost:{port}"
        return started(server, show)

    def _beam_server(self, options: PipelineOptions) -> Any:
        """Return Beam's job server, which knows its command line."""
        raise NotImplementedError
