"""Manifests of runs that never ran, and what a store says of them; also a process that records them in a loop."""

from __future__ import annotations

import sys
from typing import Any

from beam_taxi.metadata.queries import artifacts_of, list_runs
from beam_taxi.metadata.recorder import record, start


def manifest(run_id: str) -> dict[str, Any]:
    def files(*paths: str) -> list[dict[str, Any]]:
        return [{"path": path, "bytes": 1, "sha256": "ab", "split": "train", "rows": 1} for path in paths]

    return {
        "run_id": run_id,
        "pipeline_name": "taxi",
        "run_uri": f"/out/{run_id}",
        "settings": {"input": ["/data/*.csv"]},
        "settings_sha256": "cd",
        "inputs": [
            {
                "uri": f"/data/{n}.csv",
                "format": "csv",
                "size": 9,
                "content_hash": f"sha256:{n}",
                "rows": 3,
                "rejects": {"fields": n},
            }
            for n in (1, 2)
        ],
        "splits": [{"name": "train", "weight": 2, "rows": 4}, {"name": "eval", "weight": 1, "rows": 2}],
        "artifacts": {
            "examples": {"type": "Examples", "path": "examples", "files": files("Split-train/x.gz", "Split-eval/x.gz")},
            "statistics": {
                "type": "ExampleStatistics",
                "path": "statistics",
                "files": files("Split-train/FeatureStats.pb"),
            },
            "schema": {"type": "Schema", "path": "schema", "files": files("schema.pbtxt")},
            "rejects": {"type": "Rejects", "path": "rejects", "files": files("rejects-00000-of-00001.jsonl")},
        },
    }


def planned(run_id: str) -> dict[str, Any]:
    """What is known of a run when it starts."""
    told = manifest(run_id)
    return {
        **told,
        "artifacts": {},
        "inputs": [{key: one[key] for key in ("uri", "format", "size")} for one in told["inputs"]],
    }


def record_run(store: str, run_id: str) -> dict[str, int]:
    return record(manifest(run_id), store)


def check_whole(store: str) -> dict[str, str]:
    """Hold every run against what its state promises; return the states by run id."""
    found = {}
    for run in list_runs(store):
        found[run.run_id] = run.state
        artifacts = artifacts_of(store, run)
        assert len(run.executions) == 3
        assert {one.state for one in artifacts.values()} <= {
            "LIVE" if run.state == "COMPLETE" else "PENDING",
            "ABANDONED",
        }
        outputs = {key for key in artifacts if not key.startswith("input/")}
        assert outputs == ({"examples", "rejects", "statistics", "schema"} if run.state == "COMPLETE" else set())
        assert len(artifacts) - len(outputs) == 2
    return found


def record_for_ever(store: str, name: str) -> None:
    number = 0
    while True:
        run_id = f"{name}-{number}"
        start(planned(run_id), store, "FnApiRunner")
        print(run_id, "started", flush=True)
        record_run(store, run_id)
        print(run_id, "recorded", flush=True)
        number += 1


if __name__ == "__main__":
    record_for_ever(*sys.argv[1:])
