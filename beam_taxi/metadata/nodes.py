"""Map a manifest to executions and artifacts with TFX's properties."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from beam_taxi.example_formats import FORMATS
from beam_taxi.metadata import parameters
from beam_taxi.metadata.hashes import fingerprint, hash_of_files
from beam_taxi.metadata.mlmd import Execution, Value
from beam_taxi.metadata.parameters import ALL_SPLITS, TFX_VERSION, left_out
from beam_taxi.metadata.texts import shorten, storable, text_of_first
from beam_taxi.metadata.types import example_gen, input_type
from beam_taxi.run.folder import MANIFEST, STATISTICS, RunFolder
from beam_taxi.run.manifest import Artifact, InputEntry, RunManifest

INPUT = "input"
"""The event key of the inputs of a run; as artifacts their keys are input/0, input/1, …"""

BASELINE = "baseline_statistics"
"""The event key of the statistics that those of a run are compared with: an artifact of an earlier run."""

PART = "part_statistics"
"""The event key of the statistics of the runs that a run was merged of; as artifacts: part_statistics/0, …"""

GIVEN_SCHEMA = "given_schema"
"""The event key of the schema that ImportSchemaGen imports, if it is an artifact of an earlier run."""

_INT32 = 2**31
"""ML Metadata's MySQL columns for integers have 32 bits."""


class Struct(dict[str, float]):
    """A value that TFX stores as a struct with its own keys."""


Properties = Mapping[str, int | str | Mapping[str, float]]
"""Values of properties by name; a mapping becomes TFX's JSON value, text in a struct with one key, unless a Struct."""


@dataclass(frozen=True)
class Step:
    """A logical step: its node, the event keys of its input and output artifacts, and TFX's parameters."""

    node: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Properties


@dataclass(frozen=True)
class Node:
    """An artifact to record; `properties` are those that its type declares."""

    key: str
    type_name: str
    uri: str
    properties: Properties
    custom: Properties

    @property
    def event_key(self) -> str:
        """The key of the artifact's events, which all inputs share."""
        return event_key(self.key)


def attempt_name(run_id: str, attempt: int) -> str:
    """Return the name of an attempt at a run: the first one has that of the run, which cannot contain a `#`."""
    return run_id if attempt == 1 else f"{run_id}#{attempt}"


def attempt_of(execution: Execution) -> int:
    """Return the number of the attempt that an execution belongs to; older versions of this package had only one."""
    properties = execution.custom_properties
    return int(properties["attempt"].int_value) if "attempt" in properties else 1


def artifact_name(pipeline: str, run_id: str, attempt: int, key: str) -> str:
    """Return the name in the store of an artifact or execution of a run; `key` is a node for an execution."""
    return f"{pipeline}:{attempt_name(run_id, attempt)}:{key}"


def run_id_of(name: str) -> str:
    """Return the run id in a name that `artifact_name` made; empty for other names."""
    return name.split(":")[1].partition("#")[0] if name.count(":") == 2 else ""


def key_of(name: str) -> str:
    """Return the key in a name that `artifact_name` made, or the name itself if it has no key."""
    return name.rsplit(":", 1)[-1]


def event_key(key: str) -> str:
    """Return the key of the events of an artifact: its own, or that of several, such as `input` for input/N."""
    return key.split("/")[0]


def steps(manifest: RunManifest) -> list[Step]:
    """Return the steps of a run; before the run, some parameters and outputs are missing.

    A given schema is an input of every step that uses it: it sets the types of the columns, says which integers are
    categories, and is what the data are validated against.

    Without Examples, StatisticsGen has read the inputs of the run itself. They are its inputs, under their own key and
    with their own types, and so readers of a lineage find them. Readers take what is under TFX's key `examples` for an
    artifact of type Examples, with splits and TFRecords, and there is none.

    A merged run has read nothing but the statistics of its parts.
    """
    settings, ingest = manifest.settings, parameters.of_ingest(manifest)
    rejects = ("rejects",) if "rejects" in manifest.artifacts else ()
    # Older versions inferred the schema of a run even if one was given, and did not validate.
    is_given = settings.schema is not None and _may_have(manifest, "inferred_schema")
    given = ("schema",) if is_given else ()
    statistics = parameters.of_statistics(manifest)
    if manifest.parts:
        found = [Step("StatisticsGen", (PART,), ("statistics",), {**parameters.of_parts(manifest), **statistics})]
    elif settings.examples:
        node = example_gen(entry.format for entry in manifest.inputs)
        found = [
            Step(node, (INPUT, *given), ("examples", *rejects), ingest),
            Step("StatisticsGen", ("examples", *given), ("statistics",), statistics),
        ]
    else:
        found = [Step("StatisticsGen", (INPUT, *given), ("statistics", *rejects), {**ingest, **statistics})]
    inferred = ("inferred_schema",) if given else ("schema",)
    found.append(Step("SchemaGen", ("statistics",), inferred, {**ALL_SPLITS, "infer_feature_shape": 1}))
    if given:
        found.append(Step("ImportSchemaGen", (GIVEN_SCHEMA,), given, parameters.of_given_schema(manifest)))
    if settings.is_validated and (not manifest.artifacts or manifest.validation_file is not None):
        anomalies = ("anomalies",) if given else ()
        judged_by = parameters.of_validation(manifest)
        found.append(Step("ExampleValidator", ("statistics", *given, BASELINE), anomalies, judged_by))
    return found


def _may_have(manifest: RunManifest, key: str) -> bool:
    """Return whether a run has an artifact, or will have it."""
    return not manifest.artifacts or key in manifest.artifacts


def run_properties(manifest: RunManifest) -> Properties:
    """Return the properties of a run, which each of its executions has; before the run there is no verdict."""
    verdict = _verdict(manifest) if manifest.artifacts else {}
    return {
        "producer": "beam_taxi",
        "pipeline_name": manifest.pipeline_name,
        "run_id": manifest.run_id,
        "manifest": place_of(manifest),
        "settings_sha256": manifest.settings_sha256,
        **parameters.of_run(manifest),
        **verdict,
    }


def place_of(manifest: RunManifest) -> str:
    """Return the URI of a manifest, as it is stored."""
    return shorten(storable(RunFolder(manifest.run_uri).uri_of(MANIFEST)))


def _verdict(manifest: RunManifest) -> dict[str, int | str]:
    return {"verdict": manifest.validation.verdict, "accepted": int(manifest.validation.accepted)}


def inputs(manifest: RunManifest) -> list[Node]:
    """Return the first `MOST_INPUTS` inputs of a run; before the run, only their sizes are known.

    Those of a merged run were read by its parts.
    """
    read = () if manifest.parts else manifest.inputs[: parameters.MOST_INPUTS]
    return [_input(f"{INPUT}/{number}", entry) for number, entry in enumerate(read)]


def _input(key: str, entry: InputEntry) -> Node:
    values = {"size": entry.size, "content_hash": entry.content_hash, "rows": entry.rows}
    known = {name: value for name, value in values.items() if value is not None}
    return Node(key, input_type(entry.format), entry.uri, {}, known)


def outputs(manifest: RunManifest) -> list[Node]:
    """Return the artifacts of a run, with the keys of the manifest."""
    return [_output(manifest, artifact) for artifact in manifest.artifacts.values()]


def _output(manifest: RunManifest, artifact: Artifact) -> Node:
    key, splits = artifact.key, [split.name for split in manifest.splits]
    split_names, missing = text_of_first(splits, lambda some: json.dumps(list(some)))
    properties: dict[str, int | str] = {}
    custom: dict[str, int | str | Mapping[str, float]] = {
        "is_external": 0,
        "tfx_version": TFX_VERSION,
        "producer": "beam_taxi",
        "content_sha256": hash_of_files(artifact.files),
        **_verdict(manifest),
    }
    if key in ("examples", "statistics", "anomalies"):
        span = {"span": manifest.span or 0}
        properties = {"split_names": split_names, **span}
        custom |= {**span, **left_out(splits=missing)}
    if key == "examples":
        version = {} if manifest.version is None else {"version": manifest.version}
        properties, custom = {**properties, **version}, {**custom, **version}
        stored = FORMATS[manifest.settings.example_format]
        custom |= {"payload_format": stored.payload, "file_format": stored.file_format}
        custom["input_fingerprint"] = fingerprint(manifest.inputs)
    # Manifests of older releases have no blessing, and ML Metadata aborts the process on a value that is not set.
    if key == "anomalies" and manifest.validation.blessed:
        custom["blessed"] = Struct(manifest.validation.blessed)
    if key == "rejects":
        custom |= {f"rejects_{code}": count for code, count in manifest.count_rejects().items()}
    if key == "statistics":
        custom |= {"stats_dashboard_link": "", "sample_rate_by_split": dict.fromkeys(splits, 1.0)}
    return Node(key, artifact.type, RunFolder(manifest.run_uri).uri_of(key), properties, custom)


def used_of_other_runs(manifest: RunManifest) -> Iterator[tuple[str, str, str]]:
    """Yield event key, type and URI of what a run used that may be an artifact of another run."""
    for number, part in enumerate(manifest.parts):
        yield f"{PART}/{number}", "ExampleStatistics", RunFolder(part.uri).uri_of(STATISTICS)
    for uri in manifest.settings.validation.baseline_files:
        yield BASELINE, "ExampleStatistics", RunFolder(uri).uri_of(STATISTICS)
    if "schema" in manifest.given:
        yield GIVEN_SCHEMA, "Schema", manifest.given["schema"].rpartition("/")[0]


def set_properties(properties: Mapping[str, Value], values: Properties) -> None:
    """Set the properties of an ml_metadata message: numbers, strings and, as TFX has them, structs."""
    for key, value in values.items():
        if isinstance(value, str):
            properties[key].string_value = shorten(storable(value))
        elif isinstance(value, Struct):
            properties[key].struct_value.update({name: float(one) for name, one in value.items()})
        elif not isinstance(value, int):
            properties[key].struct_value["__value__"] = json.dumps(value)
        elif -_INT32 <= value < _INT32:
            properties[key].int_value = value
        else:
            properties[key].double_value = value
