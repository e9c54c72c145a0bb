"""Apache Flink."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from beam_taxi.launch.runners.endpoints import ask_rest, host_and_port
from beam_taxi.launch.runners.engine_job import EngineJob, failure
from beam_taxi.launch.runners.flink_rest import FlinkJob
from beam_taxi.launch.runners.job_service import JobState
from beam_taxi.launch.runners.portable import JarRunner

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

    from beam_taxi.sources.plan import TablePlan


class _FlinkJob(EngineJob):
    """A job that Flink's REST service is asked about too, if its address is known; what it says counts.

    A job continues without its job server, and a job server that has lost Flink does not know how the job ends.
    """

    @property
    def page(self) -> str:
        return f"http://{self.cluster}" if self.cluster else ""

    @property
    def _job(self) -> FlinkJob:
        return FlinkJob(self.cluster, self.name)

    def state(self) -> JobState:
        found = super().state()
        if not self.cluster or found is JobState.RUNNING:
            return found
        in_flink = self._job.state()
        # A job that the job server cannot translate never comes to Flink.
        return found if in_flink is JobState.NOT_FOUND and found.has_ended else in_flink

    def is_gone(self, state: JobState) -> bool:
        return bool(self.cluster) and state is JobState.NOT_FOUND

    def error(self) -> Exception:
        return failure(self.service.errors(self.id) or (self._job.cause() if self.cluster else ""))

    def waits_for(self) -> str:
        waits = self.cluster and self._job.waits_for_slots()
        return f"free slots, or task managers, at http://{self.cluster}" if waits else ""

    def ask_to_end(self) -> str:
        """In a cluster by its REST service: there, a cancelled job service only stops waiting."""
        fault = super().ask_to_end()
        if not self.cluster:
            return fault
        self._job.cancel()
        return ""

    def how(self) -> str:
        if not self.cluster:
            return super().how()
        return f"watch it at {self.page}, cancel it with: curl -X PATCH {self.page}/jobs/{self._job.id() or 'ID'}"


class FlinkRunner(JarRunner):
    """Flink: by default inside its job server, else the cluster of the job server or of `--flink_master`."""

    master_flag, jar_flag = "flink_master", "flink_job_server_jar"
    job_class = _FlinkJob

    def faults(self) -> Iterator[str]:
        """Yield also a cluster that does not answer or has too few slots: a job would wait for minutes."""
        yield from super().faults()
        if self._cluster and self._slots is None:
            yield f"--flink_master: Flink's REST service does not answer at {self._cluster}: start the cluster first"
        elif self._cluster and not 1 <= int(self._parallelism or 1) <= (self._slots or 0):
            yield f"--parallelism {self._parallelism or 1}: the cluster at {self._cluster} has {self._slots} slots"

    def described(self, plan: TablePlan) -> Iterator[tuple[str, str]]:
        """Yield also the parallelism."""
        yield from super().described(plan)
        yield "parallel", self._parallelism or "parallelism.default of the cluster, or 1: see --parallelism"

    @cached_property
    def _defaults(self) -> dict[str, str]:
        """Also the parallelism: the processors if Flink is embedded, the slots of a cluster that answers."""
        slots = self._slots if self._cluster else 0 if self._endpoint else os.cpu_count()
        return super()._defaults | ({"parallelism": str(slots)} if slots else {})

    @property
    def _parallelism(self) -> str:
        given = self.flags.get("parallelism")
        return given if given.isdigit() else self._defaults.get("parallelism", "")

    @cached_property
    def _slots(self) -> int | None:
        """The slots of the cluster, None if it does not answer."""
        return ask_rest(self._cluster, "GET", "/overview").get("slots-total")

    @property
    def _cluster(self) -> str:
        """The address of a cluster's REST service, empty if it is not known."""
        if not self._master or self._is_embedded(self._master):
            return ""
        host, port = host_and_port(self._master)
        return f"{host}:{port}"

    @property
    def _job_ends_with_server(self) -> bool:
        return not self._cluster

    def _is_embedded(self, master: str) -> bool:
        return master in ("[local]", "[auto]")

    def _beam_server(self, options: PipelineOptions) -> Any:
        from apache_beam.runners.portability.flink_runner import FlinkJarJobServer

        return FlinkJarJobServer(options)
