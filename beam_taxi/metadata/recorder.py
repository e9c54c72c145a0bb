"""A finished run, told by its manifest, as ML Metadata that TFX's own readers understand.

The types, properties, contexts and event paths are those of TFX 1.16, whose readers go by them; beyond TFX's
record the CSV files are artifacts too, and everything has a content hash.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from beam_taxi import layout
from beam_taxi.metadata.store import open_for_writing

TFX_VERSION = "1.16.0"
"""Says which layout of artifacts this is: readers look for another below 0.29."""

_CSV_EXAMPLE_GEN = "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen"
_STATISTICS_GEN = "tfx.components.statistics_gen.component.StatisticsGen"
_SCHEMA_GEN = "tfx.components.schema_gen.component.SchemaGen"


@dataclass(frozen=True)
class _Step:
    """A logical step: its node, execution type, input and outputs (keys of artifacts), and parameters."""

    node: str
    type_name: str
    input: str
    outputs: tuple[str, ...]
    parameters: Mapping[str, Any]


def record(manifest: Mapping[str, Any], uri: str) -> dict[str, int]:
    """Record a run as complete; returns the ids of its executions, artifacts and pipeline_run context.

    A run is one transaction, so a kill leaves all or nothing; recorded again, the ids are those of before.
    Raises UsageError for a store that cannot be used, and RuntimeError as ML Metadata's own errors.
    """
    with open_for_writing(uri) as store:
        return _Recorder(store, manifest).record()


class _Recorder:
    def __init__(self, store: Any, manifest: Mapping[str, Any]) -> None:
        from ml_metadata.proto import metadata_store_pb2

        self._pb: Any = metadata_store_pb2
        self._store = store
        self._manifest = manifest
        self._pipeline: str = manifest["pipeline_name"]
        self._run: str = manifest["run_id"]

    def record(self) -> dict[str, int]:
        steps = self._steps()
        types = self._put_artifact_types()
        ids = self._recorded(steps) or self._put(steps, types)
        self._attribute_to_nodes(steps, ids)
        return ids

    def _put(self, steps: list[_Step], types: Mapping[str, int]) -> dict[str, int]:
        """Write the whole run in one call, which ML Metadata makes one transaction."""
        keys, artifacts = self._artifacts(types)
        edges = []
        for number, step in enumerate(steps):
            inputs = [key for key in keys if key.split("/")[0] == step.input]
            for index, key in enumerate(inputs):
                edges.append((number, keys.index(key), self._event(self._pb.Event.INPUT, step.input, index)))
            for key in step.outputs:
                edges.append((number, keys.index(key), self._event(self._pb.Event.OUTPUT, key, 0)))
        self._store.put_lineage_subgraph(
            [self._execution(step) for step in steps],
            artifacts,
            [self._context("pipeline", self._pipeline), self._context("pipeline_run", self._run)],
            edges,
            reuse_context_if_already_exist=True,
        )
        ids = self._recorded(steps)
        if ids is None:
            raise RuntimeError(f"run {self._run} is not in the store after it was written")
        return ids

    def _attribute_to_nodes(self, steps: list[_Step], ids: Mapping[str, int]) -> None:
        """Join each step and its artifacts to its node, and the run to the pipeline; does no harm when repeated.

        Apart from the run itself, since a lineage subgraph joins all that it has to all of its contexts.
        """
        pb = self._pb
        run = self._store.get_context_by_type_and_name("pipeline_run", self._run)
        pipeline = self._store.get_context_by_type_and_name("pipeline", self._pipeline)
        if not self._store.get_parent_contexts_by_context(run.id):
            self._store.put_parent_contexts([pb.ParentContext(child_id=run.id, parent_id=pipeline.id)])
        for step in steps:
            name = f"{self._pipeline}.{step.node}"
            node = self._store.get_context_by_type_and_name("node", name)
            node_id = node.id if node else self._store.put_contexts([self._context("node", name)])[0]
            events = self._store.get_events_by_execution_ids([ids[step.node]])
            self._store.put_attributions_and_associations(
                [pb.Attribution(artifact_id=event.artifact_id, context_id=node_id) for event in events],
                [pb.Association(execution_id=ids[step.node], context_id=node_id)],
            )

    def _context(self, type_name: str, name: str) -> Any:
        """Return a context with its type in the store."""
        type_ = self._pb.ContextType(name=type_name)
        type_id = self._store.put_context_type(type_, can_add_fields=True, can_omit_fields=True)
        return self._pb.Context(type_id=type_id, name=name)

    def _steps(self) -> list[_Step]:
        settings = self._manifest["settings"]
        splits = [{"name": s["name"], "hash_buckets": s["weight"]} for s in self._manifest["splits"]]
        fingerprint = _fingerprint(self._manifest["inputs"])
        ingest = {
            "input_base": ",".join(settings["input"]),
            "input_config": json.dumps({"splits": [{"name": "single_split", "pattern": p} for p in settings["input"]]}),
            "output_config": json.dumps({"split_config": {"splits": splits}}),
            "output_data_format": 6,
            "output_file_format": 5,
            "span": 0,
            "input_fingerprint": fingerprint,
        }
        outputs = tuple(key for key in ("examples", "rejects") if key in self._manifest["artifacts"])
        all_splits = {"exclude_splits": "[]"}
        return [
            _Step("CsvExampleGen", _CSV_EXAMPLE_GEN, "csv", outputs, ingest),
            _Step("StatisticsGen", _STATISTICS_GEN, "examples", ("statistics",), all_splits),
            _Step("SchemaGen", _SCHEMA_GEN, "statistics", ("schema",), {**all_splits, "infer_feature_shape": 1}),
        ]

    def _put_artifact_types(self) -> dict[str, int]:
        pb = self._pb
        with_splits = {"span": pb.INT, "split_names": pb.STRING}
        types = {
            "Examples": (pb.ArtifactType.DATASET, {**with_splits, "version": pb.INT}),
            "ExampleStatistics": (pb.ArtifactType.STATISTICS, with_splits),
            "Schema": (None, {}),
            "CsvFile": (None, {}),
            "Rejects": (None, {}),
        }
        ids = {}
        for name, (base, properties) in types.items():
            artifact_type = pb.ArtifactType(name=name, properties=properties)
            if base is not None:
                artifact_type.base_type = base
            ids[name] = self._store.put_artifact_type(artifact_type, can_add_fields=True, can_omit_fields=True)
        return ids

    def _recorded(self, steps: list[_Step]) -> dict[str, int] | None:
        """Return the ids of this run where the store has it."""
        ids = {}
        for step in steps:
            execution = self._store.get_execution_by_type_and_name(step.type_name, self._name(step.node))
            if execution is None:
                return None
            ids[step.node] = execution.id
            for event in self._store.get_events_by_execution_ids([execution.id]):
                if event.type == self._pb.Event.OUTPUT:
                    ids[event.path.steps[0].key] = event.artifact_id
        ids["pipeline_run"] = self._store.get_context_by_type_and_name("pipeline_run", self._run).id
        return ids

    def _name(self, key: str) -> str:
        return f"{self._pipeline}:{self._run}:{key}"

    def _artifacts(self, types: Mapping[str, int]) -> tuple[list[str], list[Any]]:
        """Return the artifacts and their keys: the CSV files, which may be in the store already, then the outputs."""
        keys, artifacts = [], []
        for number, one in enumerate(self._manifest["inputs"]):
            name = f"{one['uri']}:{one['content_hash']}"
            artifact = self._store.get_artifact_by_type_and_name("CsvFile", name)
            if artifact is None:
                artifact = self._pb.Artifact(
                    type_id=types["CsvFile"], name=name, uri=one["uri"], state=self._pb.Artifact.LIVE
                )
                self._set(artifact.custom_properties, {k: one[k] for k in ("content_hash", "size", "rows")})
            keys.append(f"csv/{number}")
            artifacts.append(artifact)
        for key, one in self._manifest["artifacts"].items():
            keys.append(key)
            artifacts.append(self._output(key, one, types))
        return keys, artifacts

    def _output(self, key: str, entry: Mapping[str, Any], types: Mapping[str, int]) -> Any:
        artifact = self._pb.Artifact(
            type_id=types[entry["type"]],
            name=self._name(key),
            uri=f"{self._manifest['run_uri']}/{entry['path']}",
            state=self._pb.Artifact.LIVE,
        )
        custom: dict[str, Any] = {"is_external": 0, "tfx_version": TFX_VERSION, "producer": "beam_taxi"}
        custom["content_sha256"] = _hash_of_files(entry["files"])
        splits = [split["name"] for split in self._manifest["splits"]]
        if key in ("examples", "statistics"):
            self._set(artifact.properties, {"split_names": json.dumps(splits), "span": 0})
            custom["span"] = 0
        if key == "examples":
            custom |= {"payload_format": "FORMAT_TF_EXAMPLE", "file_format": "tfrecords_gzip"}
            custom["input_fingerprint"] = _fingerprint(self._manifest["inputs"])
        if key == "rejects":
            counts = sum((Counter(one["rejects"]) for one in self._manifest["inputs"]), Counter[str]())
            custom |= {f"rejects_{code}": count for code, count in counts.items()}
        if key == "statistics":
            custom["stats_dashboard_link"] = ""
            rates = json.dumps(dict.fromkeys(splits, 1.0))
            artifact.custom_properties["sample_rate_by_split"].struct_value["__value__"] = rates
        self._set(artifact.custom_properties, custom)
        return artifact

    def _execution(self, step: _Step) -> Any:
        type_id = self._execution_type(step)
        execution = self._pb.Execution(
            type_id=type_id, name=self._name(step.node), last_known_state=self._pb.Execution.COMPLETE
        )
        manifest_uri = f"{self._manifest['run_uri']}/{layout.MANIFEST}"
        told = {"producer": "beam_taxi", "manifest": manifest_uri, "settings_sha256": self._manifest["settings_sha256"]}
        self._set(execution.custom_properties, {**step.parameters, **told})
        return execution

    def _execution_type(self, step: _Step) -> int:
        execution_type = self._pb.ExecutionType(name=step.type_name)
        if step.node != "CsvExampleGen":
            execution_type.base_type = self._pb.ExecutionType.PROCESS
        return int(self._store.put_execution_type(execution_type, can_add_fields=True, can_omit_fields=True))

    def _event(self, kind: Any, key: str, index: int) -> Any:
        event = self._pb.Event(type=kind)
        event.path.steps.add().key = key
        event.path.steps.add().index = index
        return event

    @staticmethod
    def _set(properties: Any, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if isinstance(value, int):
                properties[key].int_value = value
            else:
                properties[key].string_value = value


def _hash_of_files(files: Iterable[Mapping[str, Any]]) -> str:
    lines = sorted(f"{file['path']} {file['sha256']}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _fingerprint(inputs: Iterable[Mapping[str, Any]]) -> str:
    lines = sorted(f"{one['uri']} {one['content_hash']}\n" for one in inputs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
