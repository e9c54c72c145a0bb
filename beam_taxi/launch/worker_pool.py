"""A pool of Python workers for the executors of this machine: `python -m beam_taxi.launch.worker_pool --port 50000`.

Beam's own pool, apache_beam.runners.worker.worker_pool_main, knows a worker by the id that its executor gave it. Each
executor counts its workers from 1, and so does each job. With two executors on a machine, one that stops its worker
stops the worker of the other, which then waits forever, while its own worker stays. That pool also listens on all
interfaces.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from subprocess import Popen
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2 as api
from apache_beam.portability.api import beam_fn_api_pb2_grpc

from beam_taxi.launch.children import end_children
from beam_taxi.launch.runners.endpoints import refuses
from beam_taxi.launch.runners.portable_checks import OUR_POOL

_WATCH_SECONDS = 1.0
_MOST_RESTARTS = 2
_COMMAND = (
    "from apache_beam.runners.worker.sdk_worker import SdkHarness; "
    "SdkHarness({url!r}, worker_id={worker_id!r}, state_cache_size=0, data_buffer_time_limit_ms=-1).run()"
)


@dataclass
class _Worker:
    """A worker, and the address of the executor that it works for."""

    worker_id: str
    url: str
    process: Popen[bytes]
    restarts: int = 0
    was_refused: bool = False


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts workers, and ends each one when its executor no longer listens for it."""

    def __init__(self) -> None:
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()

    def StartWorker(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Start a worker; it connects to its executor by itself."""
        worker_id, url = request.worker_id, request.control_endpoint.url
        with self._lock:
            self._workers.append(_Worker(worker_id, url, _start(worker_id, url)))
        return api.StartWorkerResponse()

    def StopWorker(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Do nothing: the id may be that of several workers, and theirs end when they are no longer needed."""
        return api.StopWorkerResponse(error="" if request.worker_id else OUR_POOL)

    def watch(self) -> None:
        """End the workers whose executor has gone, and start those again that died before it did.

        Beam waits for a worker that has died while it started, without end.
        """
        with self._lock:
            workers = list(self._workers)
        ended = [worker for worker in workers if _has_ended(worker)]
        with self._lock:
            self._workers = [worker for worker in self._workers if worker not in ended]


def _start(worker_id: str, url: str) -> Popen[bytes]:
    return Popen([sys.executable, "-c", _COMMAND.format(url=url, worker_id=worker_id)])


def _has_ended(worker: _Worker) -> bool:
    is_refused = refuses(worker.url)
    if worker.process.poll() is None:
        # Twice, since the executor closes the connection first, and lets the worker end what it is doing.
        if is_refused and worker.was_refused:
            worker.process.kill()
            worker.process.wait()
            return True
        worker.was_refused = is_refused
        return False
    if is_refused or worker.process.returncode == 0 or worker.restarts == _MOST_RESTARTS:
        return True
    status = worker.process.returncode
    logging.warning("worker %s of %s ended with %s, starting it again", worker.worker_id, worker.url, status)
    worker.process, worker.restarts = _start(worker.worker_id, worker.url), worker.restarts + 1
    return False


def serve(host: str, port: int) -> tuple[WorkerPool, grpc.Server, int]:
    """Start a pool; return it with its server and port. Raises OSError if the port is in use."""
    pool = WorkerPool()
    # Clients of several executors may ping more often than a server allows by default.
    options = [("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0)]
    # Else two pools could share a port.
    options.append(("grpc.so_reuseport", 0))
    server = grpc.server(ThreadPoolExecutor(4), options=options)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(f"cannot listen at {host}:{port}; is another pool running?") from error
    server.start()
    return pool, server, bound


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal ends the process; its workers end with it."""
    parser = argparse.ArgumentParser(
        prog="python -m beam_taxi.launch.worker_pool", description="Start Python workers for executors."
    )
    parser.add_argument("--port", type=int, default=50000, help="port to listen at (default 50000)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1)")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        pool, _, port = serve(args.host, args.port)
        print(f"worker pool: listening at {args.host}:{port}", flush=True)
        while True:
            time.sleep(_WATCH_SECONDS)
            pool.watch()
    except OSError as error:
        print(f"worker pool: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        end_children()


if __name__ == "__main__":
    sys.exit(main())
