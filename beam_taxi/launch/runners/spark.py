"""Apache Spark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.launch.runners.endpoints import connect, host_and_port
from beam_taxi.launch.runners.engine_job import EngineJob
from beam_taxi.launch.runners.job_service import JobState
from beam_taxi.launch.runners.portable import JarRunner

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

    from beam_taxi.sources.plan import TablePlan

_OPENED_PACKAGES = (
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util"),
    *("java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action"),
    "sun.util.calendar",
)
"""Packages that Spark needs opened in Java 17: its own scripts open them, Beam's launch of a jar does not."""


_ONLY_ONE = "Only one SparkContext"


class _SparkJob(EngineJob):
    """A job of Spark, whose driver is in the job server and ends with it."""

    @property
    def page(self) -> str:
        host = host_and_port(self.cluster)[0]
        return f"http://{host}:8080" if host else ""

    def is_gone(self, state: JobState) -> bool:
        return state is JobState.NOT_FOUND or (state is JobState.NO_ANSWER and self.service.is_gone())

    def error(self) -> Exception:
        failed = super().error()
        if _ONLY_ONE in str(failed):
            address = self.service.address
            return BeamTaxiError(
                f"the job server at {address} already runs a job, and Spark allows one: wait for it to end, or start a "
                "second job server at another port"
            )
        return failed

    def how(self) -> str:
        return f"watch and cancel it on the page of Spark's master{self.page and f', by default at {self.page}'}"


class SparkRunner(JarRunner):
    """Spark: by default inside its job server, else the master of the job server or of `--spark_master_url`."""

    master_flag, jar_flag = "spark_master_url", "spark_job_server_jar"
    job_class = _SparkJob

    def faults(self) -> Iterator[str]:
        """Yield also a master that does not answer: a job would wait for it forever."""
        yield from super().faults()
        if self._master.startswith("spark://"):
            try:
                connect(self._master)
            except UsageError as error:
                yield f"--spark_master_url: {error}: start the cluster first"

    def beam_args(self, plan: TablePlan) -> list[str]:
        """Return Beam's options; a job server that is started here gets what Spark needs with Java 17."""
        opened = [f"--job_server_jvm_properties=--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED_PACKAGES]
        return [*super().beam_args(plan), *([] if self._endpoint else opened)]

    def _is_embedded(self, master: str) -> bool:
        return master.split("[")[0] == "local"

    @property
    def _cluster(self) -> str:
        """The address of the master, empty if it is not known."""
        host, port = host_and_port(self._master) if self._master.startswith("spark://") else ("", 0)
        return f"{host}:{port}" if host else ""

    def _beam_server(self, options: PipelineOptions) -> Any:
        from apache_beam.runners.portability.spark_runner import SparkJarJobServer

        return SparkJarJobServer(options)
