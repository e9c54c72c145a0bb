"""Google Cloud Dataflow."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beam_taxi.errors import BeamTaxiError, silenced
from beam_taxi.launch.runners.base import Check, Runner
from beam_taxi.launch.runners.cloud_checks import cloud_checks
from beam_taxi.launch.runners.dataflow_checks import launch_checks
from beam_taxi.launch.runners.estimate import Estimate, vcpus_of
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.settings import Settings

if TYPE_CHECKING:
    from beam_taxi.sources.plan import InputPlan

DEFAULTS = {
    "machine_type": "n2-standard-4",
    # Shards are written to the disk before they are sent; the image has some 6 GB.
    "disk_size_gb": "50",
    # Dataflow starts a process for each vCPU. Of its 12 threads each would hold a unit and TFDV's sketches.
    "number_of_worker_harness_threads": "2",
}
_MOST_WORKERS = 20


class DataflowRunner(Runner):
    """DataflowRunner, launched from here or by the launcher of a Flex Template."""

    ticks = False

    def checks(self, settings: Settings, store: StoreAddress | None) -> Iterator[Check]:
        yield from launch_checks(self.flags, self.args, settings, store)
        yield from cloud_checks(self.flags, self.args, settings)

    def described(self, plan: InputPlan) -> Iterator[tuple[str, str]]:
        chosen = {name: self._chosen(name, value) for name, value in self._defaults(plan).items()}
        machine, most = chosen["machine_type"], chosen["max_num_workers"]
        threads, disk = chosen["number_of_worker_harness_threads"], chosen["disk_size_gb"]
        yield "runner", f"{self.name} in {self.flags.get('region')}, project {self.args.project}"
        yield "workers", f"up to {most} {machine}, {disk} GB, {threads} threads for each vCPU"
        vcpus = vcpus_of(machine)
        yield "estimate", str(Estimate(plan.size, min(int(most), -(-plan.n_units // vcpus)), vcpus))

    def beam_args(self, plan: InputPlan) -> list[str]:
        defaults = self._defaults(plan)
        return ["--runner", self.name, *self.flags.with_defaults({n: self._chosen(n, v) for n, v in defaults.items()})]

    def _chosen(self, name: str, default: str) -> str:
        """Return what the user gives, by the flag or its other name, or the default."""
        return self.flags.get(name) or self.flags.get(f"worker_{name}") or default

    def _defaults(self, plan: InputPlan) -> dict[str, str]:
        """Return Beam's options where the user leaves them open: no more workers than have a unit for each vCPU."""
        workers = -(-plan.n_units // vcpus_of(self._chosen("machine_type", DEFAULTS["machine_type"])))
        defaults = {**DEFAULTS, "max_num_workers": str(min(workers, _MOST_WORKERS))}
        if self.args.run_id:
            name = re.sub(r"[^a-z0-9]+", "-", f"beam-taxi-{self.args.run_id}".lower())
            defaults["job_name"] = name[:63].rstrip("-")
        return defaults

    def run(self, pipeline: Any) -> None:
        """Launch the job, and wait unless told not to. Raises BeamTaxiError and its kin."""
        from apitools.base.py.exceptions import HttpError

        try:
            # Beam has subprocesses build the package for the workers.
            with silenced():
                result = pipeline.run()
        except HttpError as error:
            raise BeamTaxiError(_refusal(error, self.args.project)) from None
        if not result.has_job:
            print(f"template   {self.flags.get('template_location')}")
            return
        from beam_taxi.launch.runners.dataflow_job import Job, cancel_command, watch

        job = Job(self.args.project, self.flags.get("region"), result.job_id(), self.flags.get("dataflow_endpoint"))
        told = sys.stderr if self.args.log_format == "json" else sys.stdout
        print(f"job        {job.job_id}  {job.page}", file=told, flush=True)
        if self.args.no_wait:
            print(f"cancel     {cancel_command(job)}", file=told)
            return
        watch(job, quiet=self.args.log_format == "json")


def _refusal(error: Any, project: str) -> str:
    """Return in one line why the service refuses a job, from an HttpError of apitools."""
    try:
        told = json.loads(error.content)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        told = str(error.content)[:300]
    todo = {
        403: f"grant yourself roles/dataflow.developer: `gcloud projects add-iam-policy-binding {project} "
        "--member user:YOU --role roles/dataflow.developer`",
        404: f"is it the right region? `gcloud services enable dataflow.googleapis.com --project {project}`",
    }.get(error.status_code, "mend what it names, and launch again")
    return f"Dataflow refuses the job: {error.status_code} {' '.join(told.split())}; {todo}"
