"""Watching a job whose job service, or cluster, answers or does not: stand-ins of both, by their real protocols."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from apache_beam.portability.api import beam_job_api_pb2 as api
from apache_beam.portability.api import beam_job_api_pb2_grpc

from beam_taxi.errors import BeamTaxiError, DataError, JobCancelled, StillRunning
from beam_taxi.launch.outcome import Cancelled, Failed, Unknown
from beam_taxi.launch.runners import engine_job
from beam_taxi.launch.runners.engine_job import EngineJob, end_of, watch
from beam_taxi.launch.runners.job_service import JobState
from beam_taxi.launch.runners.registry import runner_class
from beam_taxi.launch.traces import explain
from tests.cloud.answers import JsonHandler

NAME = "beam-taxi-run"
TRACE = "java.lang.RuntimeException: Error received from SDK harness\nbeam_taxi.errors.DataError: x.csv: line 3: bad"
LOST = "io.grpc.StatusRuntimeException: CANCELLED: call already cancelled. Use ServerCallStreamObserver.setOnCancel…"
ONE_CONTEXT = "org.apache.spark.SparkException: Only one SparkContext should be running in this JVM (see SPARK-2243)."


class _Service(beam_job_api_pb2_grpc.JobServiceServicer):
    """A job service that answers with one state after the other, the last one again and again."""

    def __init__(self, states: list[str], error: str) -> None:
        self._states = states
        self._error = error

    def GetState(self, request: Any, context: grpc.ServicerContext) -> Any:
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        if not state.isupper() or not request.job_id.startswith(NAME):
            context.abort(grpc.StatusCode[state.upper()], "as it was told")
        return api.JobStateEvent(state=api.JobState.Enum.Value(state))

    def GetJobs(self, request: Any, context: grpc.ServicerContext) -> Any:
        other = api.JobInfo(job_id="other_1", job_name="other")
        return api.GetJobsResponse(job_info=[other, api.JobInfo(job_id=f"{NAME}_1234", job_name=NAME)])

    def GetMessageStream(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        level = api.JobMessage.JOB_MESSAGE_ERROR
        response = api.JobMessage(importance=level, message_text=self._error)
        yield api.JobMessagesResponse(message_response=response)


@contextmanager
def service(states: list[str], error: str = "") -> Iterator[str]:
    """Yield the address of a job service; with no states nobody listens there."""
    if not states:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            yield f"127.0.0.1:{free.getsockname()[1]}"
        return
    server = grpc.server(ThreadPoolExecutor(2))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(_Service(list(states), error), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0)


@contextmanager
def flink(states: list[str], tasks: dict[str, int]) -> Iterator[str]:
    """Yield the address of Flink's REST service, which knows an old job of the name, and ours if there are states."""
    left = list(states)

    class Rest(JsonHandler):
        def do_GET(self) -> None:
            if self.path == "/jobs/j2/exceptions":
                return self.answer({"root-exception": TRACE})
            jobs = [{"jid": "j1", "name": NAME, "state": "FAILED", "start-time": 1, "tasks": tasks}]
            state = left.pop(0) if len(left) > 1 else left[0]
            mine = {"jid": "j2", "name": NAME, "state": state, "start-time": 2, "tasks": tasks}
            return self.answer({"jobs": [] if state == "ABSENT" else [mine, *jobs]})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., EngineJob]]:
    """Yield what makes a job of a runner, whose job service and cluster answer with these states."""
    monkeypatch.setattr(engine_job, "_POLL_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(engine_job, "LOST_SECONDS", 0.6)
    monkeypatch.setattr(engine_job, "GONE_SECONDS", 0.3)
    monkeypatch.setattr(engine_job, "_WAITING_SECONDS", 0.0)
    with ExitStack() as stack:

        def make(
            runner: str,
            states: list[str],
            in_flink: list[str] | None = None,
            error: str = "",
            tasks: dict[str, int] | None = None,
        ) -> EngineJob:
            address = stack.enter_context(service(states, error))
            cluster = "" if in_flink is None else "127.0.0.1:1"
            if in_flink:
                cluster = stack.enter_context(flink(in_flink, tasks or {"total": 1, "running": 1}))
            kind: type[EngineJob] = getattr(runner_class(runner), "job_class")  # noqa: B009
            return kind(address, cluster, NAME, f"{NAME}_1234")

        yield make


RUNNING = ["STARTING", "RUNNING", "RUNNING"]
DONE = {
    "the job service says so": ("PortableRunner", [*RUNNING, "DONE"], None),
    "the job service is away for a moment": (
        "PortableRunner",
        [*RUNNING, *["unavailable"] * 3, "RUNNING", "DONE"],
        None,
    ),
    "the job service is gone, Flink says so": ("FlinkRunner", [], ["RUNNING", "RUNNING", "FINISHED"]),
    "a restarted job service does not know it": ("FlinkRunner", ["not_found"], ["RUNNING", "FINISHED"]),
    "the job service has lost Flink": ("FlinkRunner", ["RUNNING", "FAILED"], ["RUNNING", "RUNNING", "FINISHED"]),
    "it is not yet in Flink": ("FlinkRunner", [*RUNNING, "DONE"], ["ABSENT", "RUNNING", "FINISHED"]),
    "Flink is away for a moment": ("FlinkRunner", [], ["RUNNING", "ABSENT", "RUNNING", "FINISHED"]),
}


@pytest.mark.parametrize(("runner", "states", "in_flink"), DONE.values(), ids=DONE)
def test_a_job_that_is_done(job: Callable[..., EngineJob], runner: str, states: list[str], in_flink: list[str] | None):
    watch(job(runner, states, in_flink), lambda line: None, in_process=False)


FAILED: dict[str, tuple[str, list[str], list[str] | None, bool, str, type[BeamTaxiError], str]] = {
    "failed": ("SparkRunner", ["RUNNING", "FAILED"], None, False, TRACE, DataError, "x.csv: line 3: bad"),
    "without a reason": ("SparkRunner", ["FAILED"], None, False, "", BeamTaxiError, "gives no reason"),
    "a lost worker": (
        "SparkRunner",
        ["FAILED"],
        None,
        False,
        LOST,
        BeamTaxiError,
        "a Python worker died, or was killed",
    ),
    "never in Flink": ("FlinkRunner", ["FAILED"], ["ABSENT"], False, TRACE, DataError, "x.csv: line 3: bad"),
    "failed in Flink": ("FlinkRunner", [], ["RUNNING", "FAILED"], False, "", DataError, "x.csv: line 3: bad"),
    "cancelled": ("SparkRunner", ["CANCELLED"], None, False, "", JobCancelled, "the job was cancelled"),
    "cancelled in Flink": ("FlinkRunner", [], ["CANCELLING", "CANCELED"], False, "", JobCancelled, "was cancelled"),
    "nobody can be asked": (
        *("PortableRunner", [], None, False, "", StillRunning),
        "does not answer any more; the job beam-taxi-run may still be running: watch and cancel it where the job",
    ),
    "a job service that restarted": ("PortableRunner", ["not_found"], None, False, "", StillRunning, "may still be"),
    "Flink's address is not known": ("FlinkRunner", [], None, False, "", StillRunning, "may still be running"),
    "Flink does not answer": (
        "FlinkRunner",
        [],
        [],
        False,
        "",
        StillRunning,
        "curl -X PATCH http://127.0.0.1:1/jobs/ID",
    ),
    "Flink does not know it": ("FlinkRunner", [], ["ABSENT"], False, "", BeamTaxiError, "has ended with it"),
    "Spark's driver is gone": (
        "SparkRunner",
        [],
        None,
        False,
        "",
        BeamTaxiError,
        "has ended with it: look into its log",
    ),
    "Spark's driver restarted": ("SparkRunner", ["not_found"], None, False, "", BeamTaxiError, "has ended with it"),
    "Spark's driver hangs": ("SparkRunner", ["unavailable"], None, False, "", StillRunning, "page of Spark's master"),
    "workers here, gone": ("PortableRunner", [], None, True, "", BeamTaxiError, "has ended with it"),
    "workers here, hangs": ("PortableRunner", ["unavailable"], None, True, "", BeamTaxiError, "look into its log"),
    "a second job of Spark": (
        *("SparkRunner", ["FAILED"], None, False, ONE_CONTEXT, BeamTaxiError),
        "already runs a job, and Spark allows one: wait for it to end, or start a second job server at another port",
    ),
}


@pytest.mark.parametrize(
    ("runner", "states", "in_flink", "in_process", "text", "kind", "message"), FAILED.values(), ids=FAILED
)
def test_a_job_that_is_not_done(
    job: Callable[..., EngineJob],
    runner: str,
    states: list[str],
    in_flink: list[str] | None,
    in_process: bool,
    text: str,
    kind: type[BeamTaxiError],
    message: str,
):
    with pytest.raises(Exception) as raised:  # noqa: PT011
        watch(job(runner, states, in_flink, text), lambda line: None, in_process)
    assert type(explain(raised.value)) is kind
    assert message in str(explain(raised.value))
    assert "\n" not in str(explain(raised.value))


def test_a_job_that_waits_for_slots_says_so(job: Callable[..., EngineJob]):
    shown: list[str] = []
    tasks = {"total": 5, "scheduled": 5, "running": 0}
    watch(job("FlinkRunner", [*RUNNING, "DONE"], ["RUNNING", "FINISHED"], "", tasks), shown.append, in_process=False)
    assert shown
    assert set(shown) == {shown[0]}
    assert shown[0].startswith("the job is waiting for free slots, or task managers, at http://127.0.0.1:")


ENDS = {
    "running": ("FlinkRunner", [], ["RUNNING"], Unknown, "running"),
    "done": ("FlinkRunner", ["DONE"], ["FINISHED"], Unknown, "done"),
    "failed": ("FlinkRunner", [], ["FAILED"], Failed, "x.csv: line 3: bad"),
    "cancelled": ("FlinkRunner", [], ["CANCELED"], Cancelled, "was cancelled"),
    "Flink has forgotten it": ("FlinkRunner", [], ["ABSENT"], Failed, "does not know it any more"),
    "on its way to Flink": ("FlinkRunner", ["RUNNING"], ["ABSENT"], Unknown, "running"),
    "Flink does not answer": ("FlinkRunner", [], [], Unknown, "no answer"),
    "Spark, running": ("SparkRunner", ["RUNNING"], None, Unknown, "running"),
    "Spark, gone": ("SparkRunner", [], None, Failed, "does not know it any more"),
    "another": ("PortableRunner", [], None, Unknown, "no answer"),
}


@pytest.mark.parametrize(("runner", "states", "in_flink", "kind", "message"), ENDS.values(), ids=ENDS)
def test_the_end_of_a_job_that_was_launched_earlier(
    job: Callable[..., EngineJob],
    runner: str,
    states: list[str],
    in_flink: list[str] | None,
    kind: type[Unknown],
    message: str,
):
    launched = job(runner, states, in_flink).launched(runner)
    outcome = runner_class(runner).end_of(launched)
    assert isinstance(outcome, kind)
    assert message in str(outcome)


@pytest.mark.parametrize(("name", "state"), {NAME: JobState.RUNNING, "never": JobState.NOT_FOUND}.items())
def test_a_job_whose_launch_was_interrupted_is_found_by_its_name(name: str, state: JobState):
    with service(["RUNNING"]) as address:
        job = EngineJob(address, "", name)
        assert job.exists() == (state is JobState.RUNNING)
        assert job.state() is state
    assert EngineJob("127.0.0.1:1", "", name).exists()


def test_an_address_of_this_machine_means_nothing_on_another(job: Callable[..., EngineJob]):
    launched = job("SparkRunner", []).launched("SparkRunner")
    elsewhere = type(launched)(**{**vars(launched), "service": launched.service.replace("net:[", "net:[1")})
    outcome = runner_class("SparkRunner").end_of(elsewhere)
    assert outcome == Unknown(f"the job {NAME}_1234 can be asked for only on the machine that launched it")
    assert end_of(None, launched) == outcome
