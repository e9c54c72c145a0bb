"""What a portable runner checks before a launch, and what it sets: its servers, its workers, their storage."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.launch.beam_flags import known_beam_flags, unknown_flags
from beam_taxi.launch.options import known_flags
from beam_taxi.launch.runners.base import Runner
from beam_taxi.launch.runners.endpoints import ask, host_and_port, is_here
from beam_taxi.run.versions import worker_versions

if TYPE_CHECKING:
    from beam_taxi.sources.plan import TablePlan

# Both methods are called with an empty request, and an answer is searched for bytes: importing Beam's own messages
# (beam_job_api_pb2) imports all of apache_beam, 1.7 s, and the checks take a tenth of that.
_JOB_SERVICE = "/org.apache.beam.model.job_management.v1.JobService/DescribePipelineOptions"
# StopWorker is a no-op for an unknown worker, so it serves as a ping.
_WORKER_POOL = "/org.apache.beam.model.fn_execution.v1.BeamFnExternalWorkerPool/StopWorker"
OUR_POOL = "beam_taxi worker pool"
"""How a pool of ours, beam_taxi.launch.worker_pool, answers the ping."""
NO_ENDPOINT = "--job_endpoint HOST:PORT of a Beam job service is required"


class PortableChecks(Runner):
    """The part of a portable runner that comes before the launch."""

    has_own_flags = True
    # The job service's messages come through the root logger.
    log_level = logging.CRITICAL
    beam_log_level = logging.CRITICAL
    master_flag: ClassVar[str] = ""
    """The flag with the address of the cluster, without its dashes."""
    jar_flag: ClassVar[str] = ""
    """The flag with the jar of the job server."""

    def faults(self) -> Iterator[str]:
        """Yield what forbids a launch: servers that do not answer, storage that workers do not share."""
        known = known_beam_flags() | known_flags()
        try:
            known |= self._options_of_server()
        except UsageError as error:
            yield str(error)
        else:
            yield from unknown_flags(self.flags.words, known)
        if self.options.no_wait and not self._endpoint and not self.in_process:
            yield "--no_wait requires --job_endpoint: a job server that is started here ends with this process"
        yield from self._worker_faults()
        yield from self._storage_faults()

    def described(self, plan: TablePlan) -> Iterator[tuple[str, str]]:
        """Yield the runner, its job service, the workers and what else has a default here."""
        yield from super().described(plan)
        jar = self.flags.get(self.jar_flag, "Beam's own jar, from Maven Central")
        yield "service", self._endpoint or f"started here: {jar}"
        if self._master:
            yield "master", self._master
        kept = self.flags.get("environment_cache_millis", self._defaults["environment_cache_millis"])
        where = f" {self._worker_config}" if self._worker_config else ""
        yield "workers", f"{self._worker_type}{where}, kept for {kept} ms"

    def beam_args(self, plan: TablePlan) -> list[str]:
        """Return Beam's options, with defaults that keep clusters from hanging and from restarting workers."""
        return ["--runner", self.name, *self.flags.with_defaults(self._defaults)]

    def worker_versions(self) -> Mapping[str, str]:
        """Return the versions that decide the bytes."""
        return worker_versions()

    @property
    def _cluster(self) -> str:
        """The address at which the engine itself can be asked for a job, empty if there is none."""
        return ""

    @cached_property
    def _defaults(self) -> dict[str, str]:
        """Beam's options for what the user left open."""
        name = re.sub(r"[^a-z0-9]+", "-", f"beam-taxi-{self.settings.run_id}".lower()).rstrip("-")
        # By default a job service that hangs is waited for 300 s at each call.
        kept = "300000" if self._pool_mixes_workers_up else "3000"
        always = {"environment_cache_millis": kept, "job_name": name, "job_server_timeout": "60"}
        return always | ({} if self._elsewhere else {"environment_type": "LOOPBACK"})

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
        """The option by which workers are on other machines, empty if they are on this one."""
        pool = self._worker_config if self.flags.get("environment_type").upper() == "EXTERNAL" else ""
        named = ("job_endpoint", self._endpoint), (self.master_flag, self._master), ("environment_config", pool)
        for flag, address in named:
            if address and not is_here(host_and_port(address)[0]) and not self._is_embedded(address):
                return f"--{flag} {address}"
        return ""

    def _is_embedded(self, master: str) -> bool:
        """Return whether the engine runs inside its job server."""
        return False

    @cached_property
    def _described_options(self) -> bytes:
        """The options of the job service, as a serialized message. Raises UsageError if it does not answer."""
        return ask(self._endpoint, _JOB_SERVICE, "Beam job service")

    def _options_of_server(self) -> set[str]:
        """Return those of the user's flags that the job service knows. Raises UsageError if it does not answer."""
        if not self._endpoint:
            return self._options_of_jar()
        try:
            answer = self._described_options
        except UsageError as error:
            raise UsageError(f"--job_endpoint: {error}: start the job server first") from error
        # A name in the message: field 1, length, text.
        return {f"--{name}" for name in self.flags if bytes([10, len(name)]) + name.encode() in answer}

    def _options_of_jar(self) -> set[str]:
        raise UsageError(NO_ENDPOINT)

    def _worker_faults(self) -> Iterator[str]:
        if not self._worker_type:
            yield (
                f"--environment_type is required: {self._elsewhere} is not this machine; pass EXTERNAL with "
                "--environment_config HOST:PORT of the worker pools, or DOCKER with an image, or PROCESS"
            )
        if self._worker_type == "PROCESS":
            yield from self._command_faults()
        if self._worker_type != "EXTERNAL":
            return
        if not self._worker_config:
            yield "--environment_config HOST:PORT of the worker pools is required"
        elif fault := self._pool_fault():
            yield f"--environment_config: {fault}"

    def _pool_fault(self) -> str:
        """Return what is wrong with the pool of workers and how to start it, empty if it answers."""
        if self._pools_are_elsewhere:
            return ""
        try:
            ask(self._worker_config, _WORKER_POOL, "worker pool")
        except UsageError as error:
            return f"{error}: start the pool first: python -m beam_taxi.launch.worker_pool --port PORT"
        return ""

    @property
    def _pools_are_elsewhere(self) -> bool:
        """Whether each machine of the cluster has its own pool, at a loopback address, which this one cannot reach."""
        return bool(self._elsewhere) and is_here(host_and_port(self._worker_config)[0])

    @cached_property
    def _pool_mixes_workers_up(self) -> bool:
        """Whether workers are in a pool of Beam's own, which may end the worker of another executor."""
        if self.flags.get("environment_type").upper() != "EXTERNAL":
            return False
        if self._pools_are_elsewhere:
            return True
        try:
            return OUR_POOL.encode() not in ask(self._worker_config, _WORKER_POOL, "worker pool")
        except UsageError:
            return True

    def _command_faults(self) -> Iterator[str]:
        """Yield a missing command of `--environment_type PROCESS`: the engine would try to start it again and again."""
        option = self.flags.get("environment_option", self.flags.get("environment_options")).partition("=")
        try:
            command = option[2] if option[0] == "process_command" else json.loads(self._worker_config)["command"]
        except (ValueError, KeyError, TypeError):
            yield '--environment_config: must be JSON with a command: {"command": "/path/to/boot"}'
            return
        if not self._elsewhere and os.path.isabs(command) and not os.access(command, os.X_OK):
            yield f"--environment_config: {command} does not exist or cannot be executed"

    def _storage_faults(self) -> Iterator[str]:
        elsewhere = self._elsewhere or ("--environment_type DOCKER" if self._worker_type == "DOCKER" else "")
        if not elsewhere:
            return
        named = [*(("--input", pattern) for pattern in self.settings.input), ("--output", self.settings.run_uri)]
        named += [("--baseline", uri) for uri in self.settings.validation.baseline_files]
        local = [f"{flag} {path}" for flag, path in named if not storage.is_remote(path)]
        if local and not self.options.shared_filesystem:
            yield (
                f"{', '.join(local)}: a path on this machine, but with {elsewhere} the workers are on others: "
                "use shared storage such as gs://, or pass --shared_filesystem if they see the same paths"
            )
        store = self.launch.store
        if store is not None and store.is_local and self.options.records_on_worker:
            yield f"--record_on worker: with {elsewhere} workers do not see {store.uri}: use mysql:// or grpc://"
