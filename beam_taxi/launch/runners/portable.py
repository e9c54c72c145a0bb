"""Beam's portable runners: a job service takes the graph, and workers of Python run it beside Spark, Flink or Prism."""

from __future__ import annotations

import io
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from functools import cached_property
from typing import TYPE_CHECKING, Any

from beam_taxi import layout, storage
from beam_taxi.errors import JobCancelled, UsageError
from beam_taxi.launch import options
from beam_taxi.launch.runners.base import Runner
from beam_taxi.launch.runners.endpoints import ask, ask_rest, connect, host_and_port, is_here
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.settings import Settings

if TYPE_CHECKING:
    from beam_taxi.sources.plan import InputPlan

_SECONDS_TO_CANCEL = 60.0
"""How long a job of Flink may take: by default it interrupts a task that goes on again after 30 seconds."""
_ENDED = ("FINISHED", "FAILED", "CANCELED")
"""States of a job of Flink."""
_JOB_SERVICE = "/org.apache.beam.model.job_management.v1.JobService/DescribePipelineOptions"
# Stopping a worker that there is not does nothing, and only a pool answers.
_WORKER_POOL = "/org.apache.beam.model.fn_execution.v1.BeamFnExternalWorkerPool/StopWorker"
_OPENS = (
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util"),
    *("java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action"),
    "sun.util.calendar",
)
"""Packages that Spark needs opened in Java 17: its start scripts do it, Beam's launch of a jar does not."""


class PortableRunner(Runner):
    """A Beam job service that runs already, at `--job_endpoint`.

    Where it is on this machine its workers are taken to be, too: they run in this process (LOOPBACK) by default.
    """

    master_flag = jar_flag = ""

    def faults(self, settings: Settings, store: StoreAddress | None) -> Iterator[str]:
        """Yield what stands against a launch: servers that do not answer, storage that workers do not share."""
        known = options.known_flags()
        try:
            known |= self._options_of_server()
        except UsageError as error:
            yield str(error)
        else:
            yield from options.unknown_flags(self.flags.words, known)
        if self.args.no_wait and self._worker_type == "LOOPBACK":
            yield "--no_wait: the workers run in this process (LOOPBACK); leave it out"
        yield from self._worker_faults()
        yield from self._storage_faults(settings, store)

    def described(self, plan: InputPlan) -> Iterator[tuple[str, str]]:
        """Yield runner, job service, workers and what else has a default here."""
        yield from super().described(plan)
        jar = self.flags.get(self.jar_flag, "Beam's own jar, from Maven Central")
        yield "service", self._endpoint or f"started here: {jar}"
        if self._master:
            yield "master", self._master
        kept = self.flags.get("environment_cache_millis", self._defaults["environment_cache_millis"])
        where = f" {self._worker_config}" if self._worker_config else ""
        yield "workers", f"{self._worker_type}{where}, kept for {kept} ms"

    def beam_args(self, plan: InputPlan) -> list[str]:
        """Return Beam's options with the defaults under which clusters neither hang nor start workers all the time."""
        return ["--runner", self.name, *self.flags.with_defaults(self._defaults)]

    def worker_versions(self) -> Mapping[str, str]:
        """Return the versions that decide the bytes; of Python itself a worker may have another."""
        return {name: found for name, found in layout.versions().items() if name != "python"}

    def wait(self, result: Any) -> None:
        """Wait for the job; an interrupt cancels it: raises JobCancelled, KeyboardInterrupt where the job may go on."""
        if self.args.no_wait:
            return
        # Workers in this process print traces that the job's failure has, too, and their threads fail when it ends.
        threading.excepthook = lambda _: None
        try:
            with redirect_stderr(io.StringIO()):
                result.wait_until_finish()
        except KeyboardInterrupt:
            fault = self._cancel(result)
            if fault:
                raise KeyboardInterrupt(f"interrupted; the job may go on: {fault}") from None
            raise JobCancelled("interrupted; the job is cancelled") from None

    def _cancel(self, result: Any) -> str:
        """Cancel the job; return why that may not have ended it."""
        import grpc

        try:
            result.cancel()
        except grpc.RpcError as error:
            return f"the job service does not answer ({error.code().name})"
        if self._endpoint and not self._master and b"flink_master" in self._described_options:
            return "a job service of Flink leaves it to its cluster: cancel it there, or give --flink_master"
        return ""

    @cached_property
    def _defaults(self) -> dict[str, str]:
        """Beam's options for what the user's leave open."""
        return {"environment_cache_millis": "300000"} | ({} if self._elsewhere else {"environment_type": "LOOPBACK"})

    @property
    def _endpoint(self) -> str:
        return self.flags.get("job_endpoint")

    @property
    def _master(self) -> str:
        return self.flags.get(self.master_flag) if self.master_flag else ""

    @property
    def _worker_type(self) -> str:
        return self.flags.get("environment_type", self._defaults.get("environment_type", "")).upper()

    @property
    def _worker_config(self) -> str:
        option = self.flags.get("environment_option", self.flags.get("environment_options")).partition("=")
        return self.flags.get("environment_config", option[2])

    @property
    def _elsewhere(self) -> str:
        """The option that says that workers are not on this machine, empty where they are."""
        pool = self._worker_config if self.flags.get("environment_type").upper() == "EXTERNAL" else ""
        named = ("job_endpoint", self._endpoint), (self.master_flag, self._master), ("environment_config", pool)
        for flag, address in named:
            if address and not is_here(host_and_port(address)[0]) and not self._is_local(address):
                return f"--{flag} {address}"
        return ""

    def _is_local(self, master: str) -> bool:
        """Tell whether the engine runs inside its job server."""
        return False

    @cached_property
    def _described_options(self) -> bytes:
        """The options of the job service, as it writes them. Raises UsageError where there is none."""
        return ask(self._endpoint, _JOB_SERVICE, "Beam job service")

    def _options_of_server(self) -> set[str]:
        """Return those of the user's flags that the job service knows. Raises UsageError where there is none."""
        if not self._endpoint:
            return self._options_of_jar()
        try:
            answer = self._described_options
        except UsageError as error:
            raise UsageError(f"--job_endpoint: {error}: start the job server first") from None
        # The field of a name as it is written: number 1, length, text.
        return {f"--{name}" for name in self.flags if bytes([10, len(name)]) + name.encode() in answer}

    def _options_of_jar(self) -> set[str]:
        raise UsageError("--job_endpoint is missing: HOST:PORT of a Beam job service")

    def _worker_faults(self) -> Iterator[str]:
        if not self._worker_type:
            yield (
                f"--environment_type is missing: {self._elsewhere} is not this machine; give EXTERNAL with "
                "--environment_config HOST:PORT of the worker pools, or DOCKER with an image, or PROCESS"
            )
        if self._worker_type != "EXTERNAL":
            return
        if not self._worker_config:
            yield "--environment_config is missing: HOST:PORT of the worker pools"
        # At a loopback address each machine of the cluster has a pool of its own, which cannot be asked from here.
        elif not (self._elsewhere and is_here(host_and_port(self._worker_config)[0])):
            try:
                ask(self._worker_config, _WORKER_POOL, "worker pool")
            except UsageError as error:
                command = "python -m apache_beam.runners.worker.worker_pool_main --service_port PORT"
                yield f"--environment_config: {error}: start it first: {command}"

    def _storage_faults(self, settings: Settings, store: StoreAddress | None) -> Iterator[str]:
        elsewhere = self._elsewhere or ("--environment_type DOCKER" if self._worker_type == "DOCKER" else "")
        if not elsewhere:
            return
        named = [*(("--input", pattern) for pattern in settings.input), ("--output", settings.run_uri)]
        local = [f"{flag} {path}" for flag, path in named if not storage.is_remote(path)]
        if local and not self.args.shared_filesystem:
            yield (
                f"{', '.join(local)}: a path of this machine, and by {elsewhere} the workers are elsewhere: "
                "give shared storage such as gs://, or --shared_filesystem where all have it under this path"
            )
        if store is not None and store.is_local and self.args.record_on == "worker":
            yield f"--record_on worker: by {elsewhere} a worker does not have {store.uri}: give mysql:// or grpc://"


class _JarRunner(PortableRunner):
    """A runner that starts its job server from a jar where there is no `--job_endpoint`."""

    def _options_of_jar(self) -> set[str]:
        jar = self.flags.get(self.jar_flag)
        if jar and "://" not in jar and not os.path.isfile(jar):
            raise UsageError(f"--{self.jar_flag} {jar}: no such file")
        java = self.flags.get("job_server_java_launcher", "java")
        if shutil.which(java) is None:
            raise UsageError(f"no {java} found: install Java 17, or give --job_endpoint of a job server that runs")
        return set()


class SparkRunner(_JarRunner):
    """Spark: embedded in its job server by default, or the master that the job server, or `--spark_master_url`, has."""

    master_flag, jar_flag = "spark_master_url", "spark_job_server_jar"

    def faults(self, settings: Settings, store: StoreAddress | None) -> Iterator[str]:
        """Yield what all have, and a master that is not there: a job would wait for it without end."""
        yield from super().faults(settings, store)
        if self._master.startswith("spark://"):
            try:
                connect(self._master)
            except UsageError as error:
                yield f"--spark_master_url: {error}: start the cluster first"

    def beam_args(self, plan: InputPlan) -> list[str]:
        """Return Beam's options; a job server that is started here gets what Spark needs of Java 17."""
        opens = [f"--job_server_jvm_properties=--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENS]
        return [*super().beam_args(plan), *([] if self._endpoint else opens)]

    def _is_local(self, master: str) -> bool:
        return master.split("[")[0] == "local"


class FlinkRunner(_JarRunner):
    """Flink: embedded in its job server by default, or the cluster that the job server, or `--flink_master`, has."""

    master_flag, jar_flag = "flink_master", "flink_job_server_jar"

    def faults(self, settings: Settings, store: StoreAddress | None) -> Iterator[str]:
        """Yield what all have, and a cluster that is not there or has too few slots: a job would wait for minutes."""
        yield from super().faults(settings, store)
        if self._cluster and self._slots is None:
            yield f"--flink_master: no REST service of Flink answers at {self._cluster}: start the cluster first"
        elif self._cluster and not 1 <= int(self._parallelism or 1) <= (self._slots or 0):
            yield f"--parallelism {self._parallelism or 1}: the cluster at {self._cluster} has {self._slots} slots"

    def described(self, plan: InputPlan) -> Iterator[tuple[str, str]]:
        """Yield what all have, and the parallelism."""
        yield from super().described(plan)
        yield "parallel", self._parallelism or "parallelism.default of the cluster, or 1: see --parallelism"

    @cached_property
    def _defaults(self) -> dict[str, str]:
        """The parallelism: processors where Flink is embedded, slots of the cluster where it can be asked."""
        slots = self._slots if self._cluster else 0 if self._endpoint else os.cpu_count()
        return super()._defaults | ({"parallelism": str(slots)} if slots else {})

    @property
    def _parallelism(self) -> str:
        asked = self.flags.get("parallelism")
        return asked if asked.isdigit() else self._defaults.get("parallelism", "")

    @cached_property
    def _slots(self) -> int | None:
        """The slots of the cluster, None where it does not answer."""
        return ask_rest(self._cluster, "GET", "/overview").get("slots-total")

    @property
    def _cluster(self) -> str:
        """The address of a cluster's REST service, empty where it is not known."""
        return "" if self._is_local(self._master) else self._master

    def _is_local(self, master: str) -> bool:
        return master in ("[local]", "[auto]")

    def _cancel(self, result: Any) -> str:
        """Cancel the job, in a cluster by its REST service: there a cancelled job service only ceases to wait."""
        fault = super()._cancel(result)
        if not self._cluster:
            return fault
        # The job service adds a random part to the name that Flink has.
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


PORTABLE: dict[str, type[Runner]] = dict(
    zip(options.PORTABLE_RUNNERS, (PortableRunner, SparkRunner, FlinkRunner), strict=True)
)
