"""The pool of Python workers, with executors that are sockets and workers that do nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2 as api
from apache_beam.portability.api import beam_fn_api_pb2_grpc

from beam_taxi.launch import worker_pool
from beam_taxi.launch.children import Child, children, end_children
from beam_taxi.launch.worker_pool import WorkerPool, serve
from tests.engines.cluster import wait_until

pytestmark = pytest.mark.slow


class Executor:
    """Listens for its worker until it is closed."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.close = self._socket.close


class Pool:
    """A pool, and its clients."""

    def __init__(self, pool: WorkerPool, port: int) -> None:
        self.watch = pool.watch
        self._before = children()
        self._stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def start(self, executor: Executor) -> Child:
        """Have the pool start a worker with the id that each executor gives to its first one."""
        before = children()
        endpoint = {"control_endpoint": {"url": executor.url}}
        self._stub.StartWorker(api.StartWorkerRequest(worker_id="1-1", **endpoint))
        (started,) = children() - before
        return started

    def stop(self) -> None:
        self._stub.StopWorker(api.StopWorkerRequest(worker_id="1-1"))

    def workers(self) -> set[Child]:
        return set(children() - self._before)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    monkeypatch.setattr(worker_pool, "_COMMAND", "import signal; signal.pause()  # {url} {worker_id}")
    before = children()
    served, server, port = serve("127.0.0.1", 0)
    yield Pool(served, port)
    server.stop(0)
    end_children(before)


def test_a_worker_ends_with_its_executor_and_not_with_another_of_its_id(pool: Pool):
    executors = Executor(), Executor()
    first, second = (pool.start(executor) for executor in executors)
    pool.stop()
    pool.watch()
    assert pool.workers() == {first, second}
    executors[0].close()
    pool.watch()
    pool.watch()
    assert pool.workers() == {second}
    executors[1].close()
    pool.watch()
    pool.watch()
    assert not pool.workers()


def test_a_worker_that_dies_is_started_again_twice(pool: Pool):
    executor = Executor()
    pids = {pool.start(executor).pid}
    for number in (2, 3, 3):
        for worker in pool.workers():
            os.kill(worker.pid, signal.SIGKILL)
            wait_until(lambda: not pool.workers())
        pool.watch()
        pids |= {worker.pid for worker in pool.workers()}
        assert len(pids) == number
    assert not pool.workers()


def test_a_pool_ends_its_workers_with_it_and_leaves_a_port_that_is_in_use(tmp_path: Path):
    command = [sys.executable, "-m", "beam_taxi.launch.worker_pool", "--port"]
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = str(used.getsockname()[1])
        refused = subprocess.run([*command, port], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"worker pool: error: cannot listen at 127.0.0.1:{port}; is another pool running?" in refused.stderr
    process = subprocess.Popen([*command, port], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == f"worker pool: listening at 127.0.0.1:{port}\n"
    before = children()
    stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
    executor = Executor()
    stub.StartWorker(api.StartWorkerRequest(worker_id="1-1", control_endpoint={"url": executor.url}))
    assert len(children() - before) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert not children() - before
