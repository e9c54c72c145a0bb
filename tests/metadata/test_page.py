"""The examples of docs/metadata.md, run as they stand."""

from __future__ import annotations

import dataclasses
import doctest
import re
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from beam_taxi.metadata.recorder import fail, record, start
from beam_taxi.metadata.store import open_store
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.validation import Summary
from tests.metadata.runs import manifest, planned

PAGE = Path(__file__).parents[2] / "docs" / "metadata.md"
STORE = "sqlite:///out/metadata.sqlite"
ERROR = "/data/1.csv: line 7: has 3 fields, the header has 2"


def run_of(day: str, content: str, accepted: bool) -> RunManifest:
    run = manifest(day)
    first = dataclasses.replace(run.inputs[0], content_hash=content)
    verdict = Summary("passed" if accepted else "failed", accepted=accepted)
    return dataclasses.replace(run, run_uri=f"out/{day}", inputs=(first, *run.inputs[1:]), validation=verdict)


def train(examples: int) -> int:
    """Record a model that another program has trained; return its id."""
    with open_store(STORE, write=True) as connection:
        trainer = pb.Execution(type_id=connection.put_execution_type(pb.ExecutionType(name="Trainer")))
        model = pb.Artifact(type_id=connection.put_artifact_type(pb.ArtifactType(name="Model")), uri="models/1")
        (execution,), (artifact,) = connection.put_executions([trainer]), connection.put_artifacts([model])
        read = pb.Event(execution_id=execution, artifact_id=examples, type=pb.Event.INPUT)
        connection.put_events([read, pb.Event(execution_id=execution, artifact_id=artifact, type=pb.Event.OUTPUT)])
    return int(artifact)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(tmp_path)
    ids = {}
    for day, content, accepted in (
        ("monday", "sha256:1", True),
        ("tuesday", "sha256:1", True),
        ("wednesday", "sha256:new", False),
    ):
        run = run_of(day, content, accepted)
        Path(run.run_uri).mkdir(parents=True)
        Path(run.run_uri, "manifest.json").write_text(run.to_json_text())
        ids[day] = record(run, STORE)
    start(planned("thursday"), STORE, "FnApiRunner")
    fail("thursday", STORE, ERROR)
    return train(ids["monday"]["examples"])


def test_the_examples_of_the_page(model: int):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert len(blocks) == 7
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {"model": model}, PAGE.name, str(PAGE), 0)
    told: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=told.append)
    assert (failed, tried > 15) == (0, True), "".join(told)
