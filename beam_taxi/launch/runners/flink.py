"""Apache Flink."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from beam_taxi.launch.runners.endpoints import ask_rest
from beam_taxi.launch.runners.portable import JarRunner

if TYPE_CHECKING:
    from apache_beam.runners.runner import PipelineResult

    from beam_taxi.sources.plan import TablePlan

_SECONDS_TO_CANCEL = 60.0
"""By default Flink interrupts a task that does not react after 30 seconds."""
_ENDED = ("FINISHED", "FAILED", "CANCELED")


class FlinkRunner(JarRunner):
    """Flink: by default inside its job server, else the cluster of the job server or of `--flink_master`."""

    master_flag, jar_flag = "flink_master", "flink_job_server_jar"

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
        return "" if self._is_embedded(self._master) else self._master

    def _is_embedded(self, master: str) -> bool:
        return master in ("[local]", "[auto]")

    def _cancel(self, result: PipelineResult) -> str:
        """Cancel the job, in a cluster by its REST service: there, a cancelled job service only stops waiting."""
        fault = super()._cancel(result)
        if not self._cluster:
            return fault
        # The job service adds a random part to the name that the job has in Flink.
        name = result._job_id.rpartition("_")[0]
        limit = time.monotonic() + _SECONDS_TO_CANCEL
        while time.monotonic() < limit:
            jobs = ask_rest(self._cluster, "GET", "/jobs/overview").get("jobs")
            if jobs is None:
                return f"{self._cluster} does not answer"
            running = [job for job in jobs if job["name"] == name and job["state"] not in _ENDED]
            if not running:
                return ""
            ask_rest(self._cluster, "PATCH", f"/jobs/{running[0]['jid']}")
            time.sleep(0.5)
        return f"job {name} has not ended yet at {self._cluster}"
