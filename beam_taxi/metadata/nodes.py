"""Map a manifest to executions and artifacts with TFX's properties."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from beam_taxi.metadata.mlmd import Execution, Value
from beam_taxi.metadata.texts import shorten, storable, text_of_first
from beam_taxi.metadata.types import example_gen, input_type
from beam_taxi.run.folder import MANIFEST, RunFolder
from beam_taxi.run.manifest import Artifact, ArtifactFile, InputEntry, RunManifest

TFX_VERSION = "1.16.0"
"""Tells readers the layout of the artifacts; below 0.29 they look for another one."""

INPUT = "input"
"""The event key of the inputs of a run; as artifacts their keys are input/0, input/1, …"""

BASELINE = "baseline_statistics"
"""The event key of the statistics that those of a run are compared with: an artifact of an earlier run."""

_INT32 = 2**31
"""ML Metadata's MySQL columns for integers have 32 bits."""
_PATTERN_CHARACTERS = 4_000
MOST_INPUTS = 10_000
"""The inputs of a run that are recorded as artifacts, at most; the manifest has all.

To record the start of a run with 300,000 of them took 32 s and 1.4 GB in SQLite.
"""


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
    """Return the key of the events of an artifact: its own, or `input` for input/N."""
    return key.split("/")[0]


def steps(manifest: RunManifest) -> list[Step]:
    """Return the steps of a run; before the run, some parameters and outputs are missing."""
    settings, ingest = manifest.settings, _ingest_parameters(manifest)
    rejects = ("rejects",) if "rejects" in manifest.artifacts else ()
    # Older versions inferred the schema of a run even if one was given, and did not validate.
    is_given = settings.schema is not None and _may_have(manifest, "inferred_schema")
    given = ("schema",) if is_given else ()
    all_splits = {"exclude_splits": "[]"}
    if settings.examples:
        node = example_gen(entry.format for entry in manifest.inputs)
        found = [
            Step(node, (INPUT,), ("examples", *rejects), ingest),
            Step("StatisticsGen", ("examples", *given), ("statistics",), all_splits),
        ]
    else:
        found = [Step("StatisticsGen", (INPUT, *given), ("statistics", *rejects), {**ingest, **all_splits})]
    inferred = ("inferred_schema",) if given else ("schema",)
    found.append(Step("SchemaGen", ("statistics",), inferred, {**all_splits, "infer_feature_shape": 1}))
    if given:
        found.append(Step("ImportSchemaGen", (), given, {}))
    if settings.is_validated and (not manifest.artifacts or manifest.validation_file is not None):
        anomalies = ("anomalies",) if given else ()
        found.append(Step("ExampleValidator", ("statistics", *given, BASELINE), anomalies, all_splits))
    return found


def _may_have(manifest: RunManifest, key: str) -> bool:
    """Return whether a run has an artifact, or will have it."""
    return not manifest.artifacts or key in manifest.artifacts


def _ingest_parameters(manifest: RunManifest) -> dict[str, int | str]:
    settings = manifest.settings
    patterns = [shorten(one, _PATTERN_CHARACTERS) for one in (*settings.input, *filter(None, [settings.query]))]
    splits = [{"name": split.name, "hash_buckets": split.weight} for split in manifest.splits]
    input_base, _ = text_of_first([shorten(one, _PATTERN_CHARACTERS) for one in settings.input], ",".join)
    input_config, patterns_left_out = text_of_first(
        patterns, lambda some: json.dumps({"splits": [{"name": "single_split", "pattern": one} for one in some]})
    )
    output_config, splits_left_out = text_of_first(
        splits, lambda some: json.dumps({"split_config": {"splits": list(some)}})
    )
    parameters: dict[str, int | str] = {
        "input_base": input_base,
        "input_config": input_config,
        "output_config": output_config,
        "output_data_format": 6,
        "output_file_format": 5,
        "span": 0,
        **_left_out(
            patterns=patterns_left_out, splits=splits_left_out, inputs=max(0, len(manifest.inputs) - MOST_INPUTS)
        ),
    }
    if all(entry.content_hash is not None for entry in manifest.inputs):
        parameters["input_fingerprint"] = fingerprint(manifest.inputs)
    return parameters


def _left_out(**counts: int) -> dict[str, int]:
    """Return the properties that say how many values did not fit into another property; the manifest has them all."""
    return {f"{name}_left_out": count for name, count in counts.items() if count}


def run_properties(manifest: RunManifest) -> Properties:
    """Return the properties of a run, which each of its executions has; before the run there is no verdict."""
    verdict = _verdict(manifest) if manifest.artifacts else {}
    return {
        "producer": "beam_taxi",
        "pipeline_name": manifest.pipeline_name,
        "run_id": manifest.run_id,
        "manifest": RunFolder(manifest.run_uri).uri_of(MANIFEST),
        "settings_sha256": manifest.settings_sha256,
        **verdict,
    }


def _verdict(manifest: RunManifest) -> dict[str, int | str]:
    return {"verdict": manifest.validation.verdict, "accepted": int(manifest.validation.accepted)}


def inputs(manifest: RunManifest) -> list[Node]:
    """Return the first MOST_INPUTS inputs of a run; before the run, only their sizes are known."""
    return [_input(f"{INPUT}/{number}", entry) for number, entry in enumerate(manifest.inputs[:MOST_INPUTS])]


def _input(key: str, entry: InputEntry) -> Node:
    values = {"size": entry.size, "content_hash": entry.content_hash, "rows": entry.rows}
    known = {name: value for name, value in values.items() if value is not None}
    return Node(key, input_type(entry.format), entry.uri, {}, known)


def outputs(manifest: RunManifest) -> list[Node]:
    """Return the artifacts of a run, with the keys of the manifest."""
    return [_output(manifest, artifact) for artifact in manifest.artifacts.values()]


def _output(manifest: RunManifest, artifact: Artifact) -> Node:
    key, splits = artifact.key, [split.name for split in manifest.splits]
    split_names, left_out = text_of_first(splits, lambda some: json.dumps(list(some)))
    properties: dict[str, int | str] = {}
    custom: dict[str, int | str | Mapping[str, float]] = {
        "is_external": 0,
        "tfx_version": TFX_VERSION,
        "producer": "beam_taxi",
        "content_sha256": hash_of_files(artifact.files),
        **_verdict(manifest),
    }
    if key in ("examples", "statistics", "anomalies"):
        properties = {"split_names": split_names, "span": 0}
        custom |= {"span": 0, **_left_out(splits=left_out)}
    if key == "examples":
        custom |= {"payload_format": "FORMAT_TF_EXAMPLE", "file_format": "tfrecords_gzip"}
        custom["input_fingerprint"] = fingerprint(manifest.inputs)
    if key == "anomalies":
        custom["blessed"] = Struct(manifest.validation.blessed)
    if key == "rejects":
        custom |= {f"rejects_{code}": count for code, count in manifest.count_rejects().items()}
    if key == "statistics":
        custom |= {"stats_dashboard_link": "", "sample_rate_by_split": dict.fromkeys(splits, 1.0)}
    return Node(key, artifact.type, RunFolder(manifest.run_uri).uri_of(key), properties, custom)


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


def hash_of_files(files: Iterable[ArtifactFile]) -> str:
    """Return one hash for the files of an artifact: SHA-256 of their sorted paths and hashes."""
    return _hash_lines(f"{file.path} {file.sha256}\n" for file in files)


def fingerprint(entries: Iterable[InputEntry]) -> str:
    """Return one hash for the inputs: SHA-256 of their sorted URIs and content hashes."""
    return _hash_lines(f"{entry.uri} {entry.content_hash}\n" for entry in entries)


def _hash_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256(storable("".join(sorted(lines))).encode()).hexdigest()
