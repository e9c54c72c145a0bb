"""Google Cloud Dataflow."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning
from beam_taxi.launch.console import Console
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.outcome import Cancelled, Failed, Outcome, Unknown
from beam_taxi.launch.runners.base import Check, Runner
from beam_taxi.launch.runners.cloud_checks import cloud_checks
from beam_taxi.launch.runners.dataflow_api import Job, cancel_command, faults, reason_of
from beam_taxi.launch.runners.dataflow_checks import launch_checks
from beam_taxi.launch.runners.dataflow_job import end_interrupted, raise_end, watch
from beam_taxi.launch.runners.dataflow_repairs import Names
from beam_taxi.launch.runners.estimate import Estimate, vcpus_of
from beam_taxi.metadata.store import reap_command
from beam_taxi.run.versions import worker_versions
from beam_taxi.storage.credentials import member

if TYPE_CHECKING:
    from apache_beam import Pipeline

    from beam_taxi.launch.runners.dataflow_submit import Submission
    from beam_taxi.sources.plan import TablePlan

DEFAULTS = {
    "machine_type": "n2-standard-4",
    # Shards are written to the disk before they are uploaded; the image takes about 6 GB.
    "disk_size_gb": "50",
    # Dataflow starts a process for each vCPU. Each of its 12 threads would hold a unit and TFDV's sketches.
    "number_of_worker_harness_threads": "2",
}
_MOST_WORKERS = 20
_LOOK_SECONDS = (1.0, 2.0, 4.0, 0.0)
"""Pauses between looks for a job; a service that has just created it may not list it yet."""


class DataflowRunner(Runner):
    """DataflowRunner, launched from here or by the launcher of a Flex Template."""

    has_local_workers = False
    # Beam logs the refusal of a job as critical.
    beam_log_level = logging.CRITICAL + 1

    def checks(self) -> Iterator[Check]:
        yield from launch_checks(self.launch)
        yield from cloud_checks(self.launch)

    @property
    def waits(self) -> bool:
        return super().waits and "template_location" not in self.flags

    def described(self, plan: TablePlan) -> Iterator[tuple[str, str]]:
        chosen = {name: self._chosen(name, value) for name, value in self._defaults(plan).items()}
        machine, most = chosen["machine_type"], chosen["max_num_workers"]
        threads, disk = chosen["number_of_worker_harness_threads"], chosen["disk_size_gb"]
        yield "runner", f"{self.name} in {self.flags.get('region')}, project {self.settings.project}"
        yield "workers", f"up to {most} {machine}, {disk} GB, {threads} threads for each vCPU"
        vcpus = vcpus_of(machine)
        yield "estimate", str(Estimate(plan.size, min(int(most), -(-plan.n_units // vcpus)), vcpus))

    def beam_args(self, plan: TablePlan) -> list[str]:
        defaults = self._defaults(plan)
        return ["--runner", self.name, *self.flags.with_defaults({n: self._chosen(n, v) for n, v in defaults.items()})]

    def _chosen(self, name: str, default: str) -> str:
        """Return what the user gave, by the flag or its other name, or the default."""
        return self.flags.get(name) or self.flags.get(f"worker_{name}") or default

    def _defaults(self, plan: TablePlan) -> dict[str, str]:
        """Return Beam's options for what the user left open: no more workers than have a unit for each vCPU.

        The service refuses a maximum below `--num_workers`.
        """
        workers = -(-plan.n_units // vcpus_of(self._chosen("machine_type", DEFAULTS["machine_type"])))
        name = re.sub(r"[^a-z0-9]+", "-", f"beam-taxi-{self.settings.run_id}".lower())
        return {
            **DEFAULTS,
            "max_num_workers": str(max(min(workers, _MOST_WORKERS), int(self.flags.get("num_workers", "1")))),
            "job_name": name[:63].rstrip("-"),
        }

    def worker_versions(self) -> Mapping[str, str]:
        return worker_versions()

    def run(self, pipeline: Pipeline, console: Console, launched: Callable[[LaunchedJob], None]) -> None:
        """Launch the job, and wait for it unless nobody is to wait; raises what `watch` raises."""
        from beam_taxi.launch.runners.dataflow_submit import Submission

        submission = Submission()
        try:
            job = self._submitted(pipeline, console, submission)
            if job is not None:
                self._follow(job, console, launched)
        except KeyboardInterrupt as interrupt:
            # Raised while Beam submits the job; `_follow` handles the others.
            if not submission.is_creating:
                raise JobCancelled(f"{str(interrupt) or 'interrupted'}; no job was created") from None
            job = self._created(pipeline, console, str(interrupt) or "interrupted")
            self._interrupted(job, console, launched, interrupt)
        except StillRunning:
            raise
        except BeamTaxiError:
            staged = submission.staged
            if staged:
                console.tell("staged", f"{staged} remains; remove it with: gcloud storage rm --recursive {staged}")
            raise

    def _submitted(self, pipeline: Pipeline, console: Console, submission: Submission) -> Job | None:
        """Return the job that was created, None if only a template was made."""
        from beam_taxi.launch.runners.dataflow_submit import Unanswered, submit

        try:
            result = submit(pipeline, console, self._names, submission)
        except Unanswered as error:
            return self._created(pipeline, console, f"Dataflow did not answer the launch: {error}")
        if not result.has_job:
            console.tell("template", self.flags.get("template_location"))
            return None
        return self._job(result.job_id())

    def _created(self, pipeline: Pipeline, console: Console, reason: str) -> Job:
        """Return the job that the service may have created without its answer being known.

        Raises BeamTaxiError if it has not, and StillRunning if it cannot be asked.
        """
        described = pipeline.runner.job.proto
        job = self._job("")
        for pause in _LOOK_SECONDS:
            console.status("looking for the job")
            try:
                found = job.active_id(described.name, described.clientRequestId)
            except faults() as error:
                reason = f"{reason}; whether there is a job is not known: {reason_of(error)}"
                command = f"gcloud dataflow jobs list --project {job.project} --region {job.region} --status active"
                raise StillRunning(f"{reason}; look for {described.name} with: {command}") from error
            if found:
                return job.with_id(found)
            time.sleep(pause)
        raise BeamTaxiError(f"{reason}; no job was created; launch again")

    def _follow(self, job: Job, console: Console, launched: Callable[[LaunchedJob], None]) -> None:
        """Record a job, show it, and watch it unless nobody is to wait: nothing here may lose a job that exists."""
        try:
            launched(self._launched(job))
            console.tell("job", f"{job.job_id}  {job.page}")
            if self.options.no_wait:
                console.tell("cancel", cancel_command(job))
                return
            watch(job, console, names=self._names, later=self._later)
        except KeyboardInterrupt as interrupt:
            self._interrupted(job, console, launched, interrupt)
        except (OSError, ValueError) as error:
            if isinstance(error, BeamTaxiError):
                raise
            # The terminal is gone, or the disk is full.
            reason = f"the launcher failed: {error}; the job is still running: {job.page}"
            raise StillRunning(f"{reason}; cancel it with: {cancel_command(job)}") from error

    def _interrupted(
        self, job: Job, console: Console, launched: Callable[[LaunchedJob], None], interrupt: KeyboardInterrupt
    ) -> None:
        """Record a job whose launch was interrupted before it was watched, again if need be, and do as `watch` does."""
        try:
            launched(self._launched(job))
        finally:
            end_interrupted(job, console, interrupt, self._names, self._later)

    def _launched(self, job: Job) -> LaunchedJob:
        return LaunchedJob(self.name, job.job_id, job.service, job.page, cancel_command(job))

    @classmethod
    def end_of(cls, job: LaunchedJob) -> Outcome:
        """Return how a job has ended, for a caller that has not found its manifest: a job that is done has failed."""
        try:
            asked = Job.of_service(job.service, job.id)
            state = asked.state()
            if state == "UPDATED":
                return cls.end_of(replace(job, id=asked.replaced_by()))
        except faults() as error:
            return Unknown(f"cannot ask Dataflow for the job {job.id}: {reason_of(error)}; see {job.page}")
        try:
            raise_end(asked, state, Names(asked.project, asked.region))
        except JobCancelled as error:
            return Cancelled(str(error))
        except BeamTaxiError as error:
            return Failed(error)
        if state == "DONE":
            return Failed(BeamTaxiError(f"the job is done, but the run has no manifest; see {asked.page}"))
        return Unknown(f"the job is {state.lower()}: {asked.page}", is_running=True)

    def _job(self, job_id: str) -> Job:
        project, region = self.settings.project or "", self.flags.get("region")
        account = self.flags.get("impersonate_service_account")
        return Job(project, region, job_id, self.flags.get("dataflow_endpoint"), account)

    @cached_property
    def _names(self) -> Names:
        """The words of a repair."""
        return Names(
            self.settings.project or "PROJECT",
            self.flags.get("region") or "REGION",
            launcher=member(),
            worker=self.flags.get("service_account_email"),
            bucket=self.flags.get("staging_location").removeprefix("gs://").partition("/")[0] or "BUCKET",
            key=self.flags.get("dataflow_kms_key") or "KEY",
        )

    @property
    def _later(self) -> str:
        """How to record the end of a job that is left running, empty if nobody is to record it, or a worker does."""
        store = self.launch.store
        if store is None or self.options.records_on_worker:
            return ""
        return f"record its end with: {reap_command(store, self.settings.run_id)}"
