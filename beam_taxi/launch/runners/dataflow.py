"""Google Cloud Dataflow."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from beam_taxi.errors import BeamTaxiError
from beam_taxi.launch.console import Console
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.quiet import silenced
from beam_taxi.launch.runners.base import Check, Runner
from beam_taxi.launch.runners.cloud_checks import cloud_checks
from beam_taxi.launch.runners.dataflow_checks import launch_checks
from beam_taxi.launch.runners.estimate import Estimate, vcpus_of

if TYPE_CHECKING:
    from apache_beam import Pipeline
    from apitools.base.py.exceptions import HttpError

    from beam_taxi.sources.plan import TablePlan

DEFAULTS = {
    "machine_type": "n2-standard-4",
    # Shards are written to the disk before they are uploaded; the image takes about 6 GB.
    "disk_size_gb": "50",
    # Dataflow starts a process for each vCPU. Each of its 12 threads would hold a unit and TFDV's sketches.
    "number_of_worker_harness_threads": "2",
}
_MOST_WORKERS = 20


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
        """Return Beam's options for what the user left open: no more workers than have a unit for each vCPU."""
        workers = -(-plan.n_units // vcpus_of(self._chosen("machine_type", DEFAULTS["machine_type"])))
        name = re.sub(r"[^a-z0-9]+", "-", f"beam-taxi-{self.settings.run_id}".lower())
        return {
            **DEFAULTS,
            "max_num_workers": str(min(workers, _MOST_WORKERS)),
            "job_name": name[:63].rstrip("-"),
        }

    def run(self, pipeline: Pipeline, console: Console, launched: Callable[[LaunchedJob], None]) -> None:
        """Launch the job, and wait for it unless nobody is to wait; raises what `watch` raises."""
        from apitools.base.py.exceptions import HttpError

        try:
            # Beam has subprocesses build the package for the workers.
            with silenced():
                result = pipeline.run()
        except HttpError as error:
            raise BeamTaxiError(_refusal(error, self.settings.project or "PROJECT")) from error
        if not result.has_job:
            console.tell("template", self.flags.get("template_location"))
            return
        from beam_taxi.launch.runners.dataflow_job import Job, cancel_command, watch

        project, region = self.settings.project or "", self.flags.get("region")
        job = Job(project, region, result.job_id(), self.flags.get("dataflow_endpoint"))
        console.tell("job", f"{job.job_id}  {job.page}")
        launched(LaunchedJob(self.name, job.job_id, f"{project}/{region}", job.page, cancel_command(job)))
        if self.options.no_wait:
            console.tell("cancel", cancel_command(job))
            return
        watch(job, console)


def _refusal(error: HttpError, project: str) -> str:
    """Return in one line why the service refused a job, from an HttpError of apitools."""
    try:
        reason = json.loads(error.content)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        reason = str(error.content)[:300]
    fix = {
        403: f"grant yourself roles/dataflow.developer: `gcloud projects add-iam-policy-binding {project} "
        "--member user:YOU --role roles/dataflow.developer`",
        404: f"check the region; `gcloud services enable dataflow.googleapis.com --project {project}`",
    }.get(error.status_code, "fix that, and launch again")
    return f"Dataflow refused the job: {error.status_code} {' '.join(reason.split())}; {fix}"
