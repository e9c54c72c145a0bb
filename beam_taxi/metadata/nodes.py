"""What a manifest says, as executions and artifacts with TFX's properties."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from beam_taxi import layout, storage
from beam_taxi.metadata.types import INPUTS

TFX_VERSION = "1.16.0"
"""Says which layout of artifacts this is: readers look for another below 0.29."""

INPUT = "input"
"""The key of what a run reads: input/0, input/1, …"""

_EXAMPLE_GENS = {"csv": "CsvExampleGen", "bigquery": "BigQueryExampleGen"}

MAX_TEXT = 16_000
"""Characters of a property; MySQL's TEXT has 65,535 bytes."""


@dataclass(frozen=True)
class Step:
    """A logical step: its node, the keys of its input and output artifacts, and TFX's parameters."""

    node: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Mapping[str, Any]


def steps(manifest: Mapping[str, Any]) -> list[Step]:
    """Return the steps of a run; of one that has only begun the manifest has no artifacts and no content hashes."""
    settings = manifest["settings"]
    splits = [{"name": s["name"], "hash_buckets": s["weight"]} for s in manifest["splits"]]
    patterns = [*settings["input"], *filter(None, [settings.get("query")])]
    ingest = {
        "input_base": ",".join(settings["input"]),
        "input_config": json.dumps({"splits": [{"name": "single_split", "pattern": p} for p in patterns]}),
        "output_config": json.dumps({"split_config": {"splits": splits}}),
        "output_data_format": 6,
        "output_file_format": 5,
        "span": 0,
    }
    if all("content_hash" in one for one in manifest["inputs"]):
        ingest["input_fingerprint"] = fingerprint(manifest["inputs"])
    artifacts = manifest["artifacts"]
    rejects = ("rejects",) if "rejects" in artifacts else ()
    all_splits = {"exclude_splits": "[]"}
    if settings.get("examples", True):
        found = [
            Step(_example_gen(manifest), (INPUT,), ("examples", *rejects), ingest),
            Step("StatisticsGen", ("examples",), ("statistics",), all_splits),
        ]
    else:
        found = [Step("StatisticsGen", (INPUT,), ("statistics", *rejects), {**ingest, **all_splits})]
    found += [
        Step("SchemaGen", ("statistics",), ("schema",), {**all_splits, "infer_feature_shape": 1}),
    ]
    if "anomalies" in artifacts:
        found.append(Step("ExampleValidator", ("statistics", "schema"), ("anomalies",), all_splits))
    return found


def _example_gen(manifest: Mapping[str, Any]) -> str:
    """Return the node that reads such inputs in TFX; FileBasedExampleGen, with an executor, reads what has no other."""
    formats = {one["format"] for one in manifest["inputs"]}
    return _EXAMPLE_GENS.get(formats.pop(), "FileBasedExampleGen") if len(formats) == 1 else "FileBasedExampleGen"


def run_properties(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every execution of a run says of it."""
    return {
        "producer": "beam_taxi",
        "pipeline_name": manifest["pipeline_name"],
        "run_id": manifest["run_id"],
        "manifest": storage.join(manifest["run_uri"], layout.MANIFEST),
        "settings_sha256": manifest["settings_sha256"],
    }


@dataclass(frozen=True)
class Node:
    """An artifact to be: `properties` are those that its type declares."""

    key: str
    type_name: str
    uri: str
    properties: Mapping[str, Any]
    custom: Mapping[str, Any]


def inputs(manifest: Mapping[str, Any]) -> list[Node]:
    """Return what the run reads."""
    told = ("size", "content_hash", "rows")
    return [
        Node(f"{INPUT}/{number}", INPUTS[one["format"]], one["uri"], {}, {key: one[key] for key in told if key in one})
        for number, one in enumerate(manifest["inputs"])
    ]


def outputs(manifest: Mapping[str, Any]) -> list[Node]:
    """Return what the run has made, with the keys of the manifest."""
    splits = [split["name"] for split in manifest["splits"]]
    found = []
    for key, entry in manifest["artifacts"].items():
        properties: dict[str, Any] = {}
        custom: dict[str, Any] = {"is_external": 0, "tfx_version": TFX_VERSION, "producer": "beam_taxi"}
        custom["content_sha256"] = hash_of_files(entry["files"])
        if key in ("examples", "statistics", "anomalies"):
            properties = {"split_names": json.dumps(splits), "span": 0}
            custom["span"] = 0
        if key == "examples":
            custom |= {"payload_format": "FORMAT_TF_EXAMPLE", "file_format": "tfrecords_gzip"}
            custom["input_fingerprint"] = fingerprint(manifest["inputs"])
        if key == "rejects":
            custom |= {f"rejects_{code}": count for code, count in layout.count_rejects(manifest).items()}
        if key == "statistics":
            custom |= {"stats_dashboard_link": "", "sample_rate_by_split": dict.fromkeys(splits, 1.0)}
        uri = storage.join(manifest["run_uri"], entry["path"])
        found.append(Node(key, entry["type"], uri, properties, custom))
    return found


def set_properties(properties: Any, values: Mapping[str, Any]) -> None:
    """Set integers, texts and, as TFX does, JSON values in a struct of one key."""
    for key, value in values.items():
        if isinstance(value, int):
            properties[key].int_value = value
        elif isinstance(value, str):
            # A NUL would end the text in the store.
            properties[key].string_value = value.replace("\0", "\ufffd")[:MAX_TEXT]
        else:
            properties[key].struct_value["__value__"] = json.dumps(value)


def hash_of_files(files: Iterable[Mapping[str, Any]]) -> str:
    """Return one hash for the files of an artifact: SHA-256 of their sorted paths and hashes."""
    lines = sorted(f"{file['path']} {file['sha256']}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def fingerprint(files: Iterable[Mapping[str, Any]]) -> str:
    """Return one hash for the inputs: SHA-256 of their sorted URIs and content hashes."""
    lines = sorted(f"{one['uri']} {one['content_hash']}\n" for one in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
