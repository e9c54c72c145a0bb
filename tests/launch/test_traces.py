"""From the text of a failure to one line: whichever worker fails first, the line is the same."""

from __future__ import annotations

import tempfile
from itertools import permutations
from pathlib import Path

import apache_beam as beam
import grpc
import pytest
from apache_beam.testing.test_pipeline import TestPipeline

from beam_taxi.errors import BeamTaxiError, DataError, StorageError
from beam_taxi.launch.traces import as_fault, cause_of, explain, find_error

TRACE = 'Traceback (most recent call last):\n  File "/x/{file}.py", line 7, in f\n    f()\n    ^^^\n{error}\n'
LATER = "beam_taxi.errors.DataError: b.csv: line 2: bad [while running 'ReadTable/Scan-ptransform-3']"
FIRST = "beam_taxi.errors.DataError: a.csv: line 10: bad [while running 'ReadTable/Scan-ptransform-3']"
SECOND = "beam_taxi.errors.DataError: a.csv: line 9: bad"
STORE = "beam_taxi.errors.StorageError: gs://b/x: away"


@pytest.mark.parametrize("errors", permutations([LATER, FIRST, SECOND, STORE, "KeyboardInterrupt"]))
def test_of_several_workers_the_first_bad_row_is_the_cause(errors: tuple[str, ...]):
    found = find_error("\nDuring handling:\n".join(TRACE.format(file="w", error=error) for error in errors))
    assert isinstance(found, DataError)
    assert str(found) == "a.csv: line 9: bad"


def test_without_bad_data_the_last_error_is_the_one_that_explains():
    outer = STORE.replace("away", "cannot be written")
    found = find_error(TRACE.format(file="a", error=STORE) + TRACE.format(file="b", error=outer))
    assert isinstance(found, StorageError)
    assert str(found) == "gs://b/x: cannot be written"


PAGE = "https://console.cloud.google.com/dataflow/jobs/r/j?project=p"
RPC = (
    "<_MultiThreadedRendezvous of RPC that terminated with:\n\tstatus = StatusCode.UNAVAILABLE\n"
    '\tdetails = "failed to connect; last error: ipv4:127.0.0.1:1: Connection refused"\n'
    '\tdebug_error_string = "UNKNOWN:Error received {grpc_status:14}"\n>'
)
RPC_LINE = "gRPC UNAVAILABLE: failed to connect; last error: ipv4:127.0.0.1:1: Connection refused"
CAUSES = {
    "interrupt last": (
        TRACE.format(file="a", error="ValueError: x") + TRACE.format(file="b", error="KeyboardInterrupt"),
        "ValueError: x (/x/a.py:7)",
    ),
    "our interrupt": (
        TRACE.format(file="a", error="ValueError: x")
        + TRACE.format(file="b", error="beam_taxi.launch.interrupts.Interrupt: interrupted"),
        "ValueError: x (/x/a.py:7)",
    ),
    "what follows the step": (f"ValueError: x [while running 'A/B']; see {PAGE}", f"ValueError: x; see {PAGE}"),
    "gRPC": (RPC, RPC_LINE),
    "gRPC in a trace": (
        TRACE.format(file="a", error=f"grpc.RpcError: {RPC}"),
        f"grpc.RpcError: {RPC_LINE} (/x/a.py:7)",
    ),
    "long": ("ValueError: " + "x" * 600, "ValueError: " + "x" * 487 + "…"),
}


@pytest.mark.parametrize(("text", "line"), CAUSES.values(), ids=CAUSES)
def test_the_cause(text: str, line: str):
    assert cause_of(text) == line


def test_an_address_after_the_step_is_kept():
    found = find_error(f"beam_taxi.errors.DataError: x.csv: line 3: bad [while running 'A/B']; {PAGE}")
    assert str(found) == f"x.csv: line 3: bad; {PAGE}"


def test_an_error_of_grpc_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/a.B/C")(b"", timeout=5)
    for explained in (explain(raised.value), as_fault(raised.value)):
        assert "gRPC UNAVAILABLE: failed to connect to all addresses" in str(explained)
        assert "\n" not in str(explained)


def test_an_error_of_ours_is_its_own_fault():
    error = BeamTaxiError("x")
    assert as_fault(error) is error


STEPS = {
    "of a worker": (LATER, "ReadTable"),
    "with a number": (
        "beam_taxi.errors.StorageError: away [while running 'WriteManifest-ptransform-3']",
        "WriteManifest",
    ),
    "of an error that is not ours": (TRACE.format(file="a", error="ValueError: x [while running 'A/B/C']"), "A"),
    "the last, of several": (
        TRACE.format(file="a", error="ValueError: x [while running 'A/B']")
        + TRACE.format(file="b", error="ValueError: y [while running 'C/D']"),
        "C",
    ),
    "unknown": ("java.lang.RuntimeException: lost", ""),
}


@pytest.mark.parametrize(("text", "step"), STEPS.values(), ids=STEPS)
def test_the_step_that_failed(text: str, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    explained = explain(RuntimeError(text))
    assert explained.step == step
    assert explain(explained).step == step


def test_the_step_is_that_of_the_error_that_explains():
    found = find_error(
        TRACE.format(file="a", error="beam_taxi.errors.DataError: a.csv: line 1: bad [while running 'ReadTable/B']")
        + TRACE.format(file="b", error="beam_taxi.errors.StorageError: away [while running 'InferSchema/C']")
    )
    assert (str(found), found.step if found else None) == ("a.csv: line 1: bad", "ReadTable")


def refuse(_: int) -> None:
    raise DataError("a.csv: line 1: bad")


class ValidateStatistics(beam.PTransform):
    def expand(self, numbers: beam.PCollection[int]) -> beam.PCollection[None]:
        return numbers | "Judge" >> beam.Map(refuse)


def test_beam_names_the_step():
    def job() -> None:
        with TestPipeline(runner="FnApiRunner") as pipeline:
            _ = pipeline | beam.Create([1]) | "ValidateStatistics" >> ValidateStatistics()

    # The runner wraps the exception of a worker in its own.
    with pytest.raises(Exception, match="line 1: bad") as raised:
        job()
    explained = explain(raised.value)
    assert (type(explained), str(explained), explained.step) == (DataError, "a.csv: line 1: bad", "ValidateStatistics")
