"""Beam's FnApiRunner with workers in processes that a fork server forks.

Beam's own processes (`--direct_running_mode multi_processing`) import the libraries again, each for some seconds, and
its threads wait for Python's lock. Nothing of Beam is changed: FnApiRunner gets an environment of our own, registered
as its own environments are. The classes for that are not part of what Beam promises to keep, so every test of a run
with several workers runs them:

- `WorkerHandler.register_environment` and `GrpcWorkerHandler`, with its connections, of
  apache_beam/runners/portability/fn_api_runner/worker_handlers.py. The ExternalWorkerHandler beside them, for which a
  worker pool would do, has workers connect to the name of the host, which a laptop may not be able to resolve
  (https://github.com/apache/beam/issues/19947).
- `SdkHarness`, of apache_beam/runners/worker/sdk_worker.py.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from apache_beam.internal import pickler
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    FNAPI_RUNNER_CAPABILITIES,
    GrpcWorkerHandler,
    WorkerHandler,
)
from apache_beam.runners.worker.sdk_worker import SdkHarness
from apache_beam.transforms.environments import Environment, python_sdk_capabilities

from beam_taxi.errors import BeamTaxiError
from beam_taxi.launch.fork_server import Ended, ForkServer, Request
from beam_taxi.launch.traces import find_error
from beam_taxi.progress import ADDRESS_VARIABLE

_URN = "beam_taxi:env:forked:v1"
_POLL_SECONDS = 0.1
_FEWER = "use fewer workers (--direct_num_workers N)"
_ADVICE = f"often for lack of memory: {_FEWER}, or a machine with more memory"


class ForkedWorkers:
    """The workers of a run, which must be made while the process `can_fork`."""

    def __init__(self, options: PipelineOptions) -> None:
        self._server = ForkServer(lambda request: _work(request, options))
        self._workers: dict[str, _Worker] = {}
        self._is_ending = False
        self._run_has_ended = threading.Event()
        self._lost: BeamTaxiError | RuntimeError | None = None

    def end(self) -> None:
        """Kill the workers; return when they have ended."""
        self._is_ending = True
        self._server.end()

    def close(self) -> None:
        """End the workers, and free what they needed."""
        self.end()
        self._server.close()

    @contextmanager
    def runner(self) -> Iterator[FnApiRunner]:
        """Yield a runner with these workers, for one run in the block.

        FnApiRunner waits for a worker that has died, without end. Here the death of one ends all, and the block then
        raises BeamTaxiError if the worker was killed, RuntimeError if it failed.
        """
        WorkerHandler.register_environment(_URN, None)(self._new_worker)
        watch = threading.Thread(target=self._watch, daemon=True)
        watch.start()
        try:
            yield FnApiRunner(_Environment(capabilities=python_sdk_capabilities()))
        except Exception as error:
            # The connection of a worker that has died may fail before its end is reported.
            self._end_run(watch)
            if self._lost is None or find_error(str(error)) is not None:
                raise
            raise self._lost from error
        finally:
            self._end_run(watch)

    def _end_run(self, watch: threading.Thread) -> None:
        self._run_has_ended.set()
        self.end()
        watch.join()

    def _new_worker(self, payload: None, state: Any, provision_info: Any, grpc_server: Any) -> _Worker:
        worker = _Worker(self._server, state, provision_info, grpc_server)
        self._workers[worker.worker_id] = worker
        return worker

    def _watch(self) -> None:
        """Wait for the first worker that is lost, and let everything that waits for workers fail."""
        for ended in self._server.ended():
            worker = self._workers[ended.worker]
            # Workers that Beam has closed end by themselves.
            if ended.status < 0 or (ended.status > 0 and not worker.is_closing):
                self._lost = _error_of(ended)
                break
        else:
            if not self._is_ending:
                self._lost = BeamTaxiError(f"the process that forks the workers was killed, {_ADVICE}")
        if self._lost is None:
            return
        self._server.end()
        # Beam may still send work to a worker.
        while not self._run_has_ended.wait(_POLL_SECONDS):
            for worker in list(self._workers.values()):
                worker.abort(self._lost)


def _error_of(ended: Ended) -> BeamTaxiError | RuntimeError:
    """Return the error of a run that has lost a worker. A RuntimeError gets a trace, with what libraries wrote."""
    if ended.fault:
        return BeamTaxiError(f"a worker process could not be started: {ended.fault}; {_FEWER}")
    if ended.status > 0:
        return RuntimeError(f"a worker process ended with exit status {ended.status}")
    number = -ended.status
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    told = f"a worker process was killed by {name}"
    return BeamTaxiError(f"{told}, {_ADVICE}") if number == signal.SIGKILL else RuntimeError(told)


class _Environment(Environment):
    """What FnApiRunner looks up the handler of a worker by."""

    def to_runner_api_parameter(self, context: Any) -> tuple[str, None]:
        return _URN, None


class _Worker(GrpcWorkerHandler):
    """What FnApiRunner knows of a worker."""

    def __init__(self, server: ForkServer, state: Any, provision_info: Any, grpc_server: Any) -> None:
        super().__init__(state, provision_info, grpc_server)
        self._server = server
        self.is_closing = False

    def start_worker(self) -> None:
        # The variables of the launcher, as far as they were set after the fork.
        variables = {name: os.environ[name] for name in (ADDRESS_VARIABLE,) if name in os.environ}
        self._server.fork({"id": self.worker_id, "control": self.control_address, **variables})

    def stop_worker(self) -> None:
        pass

    def close(self) -> None:
        self.is_closing = True
        super().close()

    def abort(self, error: Exception) -> None:
        """Let all fail that waits for this worker, whose process has ended."""
        self.data_conn.close()
        # Other threads change the dictionary over which Beam iterates here.
        with suppress(RuntimeError):
            self.control_conn.abort(error)


def _work(request: Request, options: PipelineOptions) -> None:
    """Be a worker until the runner closes the connection."""
    os.environ.update({name: value for name, value in request.items() if name == ADDRESS_VARIABLE})
    # As the construction of a pipeline does.
    FileSystems.set_options(options)
    pickler.set_library(options.view_as(SetupOptions).pickle_library)
    SdkHarness(
        request["control"],
        worker_id=request["id"],
        state_cache_size=0,
        # See LocalRunner.run.
        data_buffer_time_limit_ms=0,
        runner_capabilities=FNAPI_RUNNER_CAPABILITIES,
    ).run()
