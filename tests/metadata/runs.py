"""Manifests of runs that never ran, and what a store says of them; also a process that records them in a loop."""

from __future__ import annotations

import dataclasses
import sys

from beam_taxi.metadata.queries import artifacts_of, list_runs
from beam_taxi.metadata.recorder import record, start
from beam_taxi.run.manifest import Artifact, ArtifactFile, InputEntry, RunManifest, SplitEntry
from beam_taxi.settings import Settings


def artifact(key: str, type_: str, *paths: str) -> Artifact:
    return Artifact(key, type_, tuple(ArtifactFile(path, 1, "ab", "train", 1) for path in paths))


def manifest(run_id: str) -> RunManifest:
    artifacts = (
        artifact("examples", "Examples", "Split-train/x.gz", "Split-eval/x.gz"),
        artifact("statistics", "ExampleStatistics", "Split-train/FeatureStats.pb"),
        artifact("schema", "Schema", "schema.pbtxt"),
        artifact("rejects", "Rejects", "rejects-00000-of-00001.jsonl"),
    )
    return RunManifest(
        run_id=run_id,
        pipeline_name="taxi",
        run_uri=f"/out/{run_id}",
        settings=Settings(("/data/*.csv",), f"/out/{run_id}", run_id, "taxi"),
        settings_sha256="cd",
        versions={"beam_taxi": "1", "code": "sha256:ef"},
        inputs=tuple(
            InputEntry(f"/data/{n}.csv", "csv", 9, f"sha256:{n}", 3, rejects={"fields": n}, split_rows={"train": 3})
            for n in (1, 2)
        ),
        splits=(SplitEntry("train", 2, 4), SplitEntry("eval", 1, 2)),
        artifacts={one.key: one for one in artifacts},
    )


def planned(run_id: str) -> RunManifest:
    """Return the manifest of a run before it has run."""
    whole = manifest(run_id)
    return dataclasses.replace(
        whole,
        artifacts={},
        inputs=tuple(InputEntry(entry.uri, entry.format, entry.size) for entry in whole.inputs),
        splits=tuple(SplitEntry(split.name, split.weight) for split in whole.splits),
    )


def record_run(store: str, run_id: str) -> dict[str, int]:
    return record(manifest(run_id), store)


def check_whole(store: str) -> dict[str, str]:
    """Assert that every run is as its state promises; return the states by run id."""
    found = {}
    for run in list_runs(store):
        found[run.run_id] = run.state
        artifacts = artifacts_of(store, run)
        assert len(run.executions) == 3
        assert {one.state for one in artifacts.values()} == {"LIVE"}
        outputs = {key for key in artifacts if not key.startswith("input/")}
        assert outputs == ({"examples", "rejects", "statistics", "schema"} if run.state == "COMPLETE" else set())
        assert len(artifacts) - len(outputs) == 2
    return found


def record_for_ever(store: str, name: str) -> None:
    """Start and record run after run."""
    number = 0
    while True:
        run_id = f"{name}-{number}"
        start(planned(run_id), store, "FnApiRunner")
        print(run_id, "started", flush=True)
        record_run(store, run_id)
        print(run_id, "recorded", flush=True)
        number += 1


def record_once(store: str, run_id: str, pipeline: str) -> None:
    """Start and record one run of a pipeline."""
    attempt = start(dataclasses.replace(planned(run_id), pipeline_name=pipeline), store, "FnApiRunner")
    record(dataclasses.replace(manifest(run_id), pipeline_name=pipeline), store, attempt)


if __name__ == "__main__":
    (record_for_ever if len(sys.argv) == 3 else record_once)(*sys.argv[1:])
