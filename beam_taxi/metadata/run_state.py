"""The state of an attempt at a run, from the states of its executions.

The steps of a run are one Beam job, so they start and end together: all of them are RUNNING, COMPLETE, CACHED or
CANCELED. Only a failure has a place. The execution that failed is FAILED, and the others, whose outputs are gone with
it, are CANCELED; older versions of this package recorded all of them as FAILED.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from beam_taxi.metadata.mlmd import Execution
from beam_taxi.metadata.nodes import key_of
from beam_taxi.metadata.texts import shorten

_NODES = {
    "ComputeStatistics": "StatisticsGen",
    "ComputeProfile": "StatisticsGen",
    "InferSchema": "SchemaGen",
    "ValidateStatistics": "ExampleValidator",
}
"""The node to which a step of the graph belongs; all other steps read, write or count rows, as the first node does."""

_LONGEST_MESSAGE = 1_000
"""The number of characters of an error in JSON text, each of which may take twelve there."""


def state_of(executions: Sequence[Execution]) -> str:
    """Return the state of an attempt from its executions, of which there is at least one, oldest first."""
    return name_of_state(_decisive(executions))


def failure_of(executions: Sequence[Execution]) -> dict[str, str]:
    """Return the error of an attempt that FAILED, and as `failed_node` where, if that is known; else nothing.

    `executions` are those of the attempt, oldest first.
    """
    decisive = _decisive(executions)
    if name_of_state(decisive) != "FAILED":
        return {}
    error = {"error": str(decisive.custom_properties["error"].string_value)}
    others = {name_of_state(one) for one in executions if one is not decisive}
    return error if "FAILED" in others else {**error, "failed_node": key_of(decisive.name)}


def node_that_failed(step: str, nodes: Iterable[str]) -> str:
    """Return which of the nodes of a run a step of the graph belongs to: the first, unless another is known.

    node_that_failed("InferSchema", ["CsvExampleGen", "StatisticsGen", "SchemaGen"])  # "SchemaGen"
    """
    known = list(nodes)
    node = _NODES.get(step)
    return node if node in known else known[0]


def end_without_result(node: str, state: str, error: str, failed: str) -> tuple[str, dict[str, str]]:
    """Return the state of a node's execution in an attempt that ended as FAILED or CANCELED, and its new properties.

    `failed` is the node that failed, if one did. TFX has the message of a failure in a property of its own, as JSON of
    an ExecutionResult; its code 2 is `UNKNOWN` of google.rpc.Code.
    """
    if state != "FAILED":
        return state, {"error": error}
    if node != failed:
        return "CANCELED", {"failed_node": failed}
    result = json.dumps({"code": 2, "resultMessage": shorten(error, _LONGEST_MESSAGE)})
    return state, {"error": error, "__execution_result__": result}


def _decisive(executions: Sequence[Execution]) -> Execution:
    return next((one for one in executions if name_of_state(one) == "FAILED"), executions[0])


def name_of_state(execution: Execution) -> str:
    """Return the name of the state of one execution."""
    return str(type(execution).State.Name(execution.last_known_state))
