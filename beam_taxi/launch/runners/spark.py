"""Apache Spark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from beam_taxi.errors import UsageError
from beam_taxi.launch.runners.endpoints import connect
from beam_taxi.launch.runners.portable import JarRunner

if TYPE_CHECKING:
    from beam_taxi.sources.plan import TablePlan

_OPENED_PACKAGES = (
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util"),
    *("java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action"),
    "sun.util.calendar",
)
"""Packages that Spark needs opened in Java 17: its own scripts open them, Beam's launch of a jar does not."""


class SparkRunner(JarRunner):
    """Spark: by default inside its job server, else the master of the job server or of `--spark_master_url`."""

    master_flag, jar_flag = "spark_master_url", "spark_job_server_jar"

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
