"""The Flex Template, as far as it goes without Google Cloud: its metadata, and a rehearsal of its image."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from apache_beam.runners.dataflow.internal.clients.dataflow import dataflow_v1b3_messages as messages
from apitools.base.py import encoding
from google.cloud import storage

from beam_taxi.errors import UsageError
from beam_taxi.launch.command import parse
from scripts.flex_template import launch, metadata
from tests.cloud.conftest import GoogleCloud
from tests.cloud.launch import ROOT
from tests.cloud.test_dataflow import execute, states

FOLDER = ROOT / "scripts" / "flex_template"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
IMAGE = "us-east1-docker.pkg.dev/project/beam-taxi/beam_python3.11_sdk:2.72.0-0.1.0"


def test_the_metadata_is_that_of_the_options():
    assert metadata.FILE.read_text() == metadata.text(), "run `python scripts/flex_template/metadata.py`"


def test_the_metadata_is_what_the_api_reads():
    """The service ignores what it does not know, such as a misspelled `isOptional`."""
    read = encoding.JsonToMessage(messages.TemplateMetadata, metadata.FILE.read_text())
    for message in (read, *read.parameters):
        assert message.all_unrecognized_fields() == []
        assert message.name
    for parameter in read.parameters:
        assert parameter.paramType is not None
        assert (parameter.label, parameter.helpText) != ("", "")
        for regex in parameter.regexes:
            assert parameter.defaultValue is None or re.fullmatch(regex, parameter.defaultValue)
    assert [one.name for one in read.parameters if not one.isOptional] == ["output"]
    numbers = {one["name"] for one in metadata.metadata()["parameters"] if one["paramType"] == "NUMBER"}
    assert numbers == set(metadata._LIMITS)


TEXTS = (
    *("", "0", "1", "2", "3", "4", "007", "-1", "+1", "1_0", " 1", "1.5", "0.29", ".5", "1.0", "1.1", "1e-3", "nan"),
    *("a", "a:1", "a:0", "a:1,b:2", "a:1,", "a b:1", "a/b", ".", "A_b-1.x", "\t", "|", ";", "'", "''", "é", "\n"),
    *("0e0", "1e0", "0.5E+00", "9e-0", "9e-1", "1.5e-0", "20e-1", "5e-010", "a:16777216", "a:16777217"),
    *("today", "yesterday", "2026-11-24", "1969-12-31", "26-11-24", "20261124"),
    *("anomalies", "drift,warnings", "checks,none", "none", "checks,"),
    *("gs://b", "gs://b/", "gs://b/x", "gs://b/x,1", "gs://b//x", "gs:///x", "gs://", "s3://b/x", "bq://p.d.t"),
)


DATED = {"input": "gs://b/{SPAN}", "date": "2026-11-24"}
REQUIRED = {"date": DATED, "window": DATED, "allow_missing": {**DATED, "window": "3660"}}
"""What an option requires."""


def texts_for(name: str) -> Iterator[str]:
    """Yield texts for a parameter, with those at its limits."""
    yield from TEXTS
    if name in metadata._LIMITS:
        least, most = metadata._LIMITS[name]
        near = {value + by for value in (least, most, most // 2, most // 10) for by in (-1, 0, 1, 10)}
        yield from map(str, sorted(near))
        yield from (f"0{most}", f"{most}0", "9" * 19, "9" * 20)


@pytest.mark.parametrize("name", [name for name in metadata._REGEXES if not name.startswith("metadata_")])
def test_a_regex_takes_what_the_flag_takes(name: str):
    given = {"input": "gs://b/x", "output": "gs://b/out", "project": "project", **REQUIRED.get(name, {})}
    (regex,) = [one["regexes"][0] for one in metadata.metadata()["parameters"] if one["name"] == name]
    for text in texts_for(name):
        is_elsewhere = name in ("input", "output") and not text.startswith(("gs:", "bq:" if name == "input" else "gs:"))
        # The launcher drops empty parameters, and reads the files.
        if is_elsewhere or name in ("schema", "checks", "baseline") or (not text and name != "quote"):
            continue
        try:
            # Names alone are those of a column's values.
            others = {"split_column": "x"} if name == "splits" and ":" not in text else {}
            words = [f"--{key}={value}" for key, value in {**given, **others, name: text}.items()]
            parse(words)
            is_taken = True
        except UsageError:
            is_taken = False
        assert bool(re.fullmatch(regex, text)) == is_taken, (name, text)


def test_the_images_versions_are_those_of_the_lock():
    (beam,) = re.findall(r"^apache-beam==(\S+)$", (ROOT / "requirements.txt").read_text(), re.M)
    assert f"FROM apache/beam_python3.11_sdk:{beam}\n" in DOCKERFILE
    (uv,) = re.findall(r"^UV_VERSION=(\S+)$", (ROOT / "scripts" / "setup.sh").read_text(), re.M)
    assert f"uv=={uv}\n" in DOCKERFILE
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert all(re.search(r":\d", base) for base in bases)
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M):
        assert all((ROOT / path).exists() for path in source.split())


def test_the_launchers_arguments():
    given = ["--runner=DataflowRunner", "--no_use_public_ips", "--no_examples=false", "--query=", "--input=gs://b/x"]
    kept = ["--runner=DataflowRunner", "--no_use_public_ips", "--input=gs://b/x"]
    assert launch.arguments(given, "") == kept
    several = launch.arguments(["--input=gs://b/x,1.csv,bq://p.d.t,gs://b/y", "--quote=", "--delimiter=|"], "")
    assert several == ["--input=gs://b/x,1.csv", "--input=bq://p.d.t", "--input=gs://b/y", "--quote=", "--delimiter=|"]
    assert launch.arguments(["--split_by=a = ';' and b < 1; c > 'it''s; 2' ;", "--split_column="], "") == [
        *("--split_by=a = ';' and b < 1", "--split_by=c > 'it''s; 2'")
    ]
    assert launch.arguments([*given, "--no_examples=True"], "i:1")[3:] == [
        *("--no_examples", "--sdk_container_image=i:1", "--sdk_location=container")
    ]
    recorded = launch.arguments([*given, "--metadata_store=grpc://h:1", "--sdk_container_image=mine:1"], "i:1")
    assert recorded[3:] == ["--metadata_store=grpc://h:1", "--sdk_container_image=mine:1", "--record_on=worker"]


@dataclass(frozen=True)
class Image:
    """What the Dockerfile's steps make of a folder: a Python, and /template."""

    python: Path
    template: Path


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Take the Dockerfile's steps in a virtual environment."""
    folder = tmp_path_factory.mktemp("image")
    made = Image(folder / "python" / "bin" / "python", folder / "template")
    venv.create(folder / "python", symlinks=True)
    places = [str(ROOT / ".venv-uv" / "bin"), str(ROOT / ".venv-uv" / "lib" / "bin"), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(places)}
    assert shutil.which("uv", path=environment["PATH"]), "scripts/setup.sh installs uv"
    for source, target in re.findall(r"^COPY (?!--from)(.+) (\S+)$", DOCKERFILE, re.M):
        for path in map(ROOT.joinpath, source.split()):
            if path.is_dir():
                shutil.copytree(path, made.template / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (made.template / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, made.template / target)
    steps = re.findall(r"^RUN \S+=1 \S+=1 bash (\S+) \"\$\(command -v python\)\" (\w+)$", DOCKERFILE, re.M)
    assert [part for _, part in steps] == ["lock", "package"]
    for script, part in steps:
        subprocess.run(["bash", script, made.python, part], cwd=made.template, env=environment, check=True)
    return made


@contextmanager
def metadata_server(store: str) -> Iterator[str]:
    """Serve a store by gRPC at an address that is not refused as a worker's own."""
    command = [sys.executable, "-m", "beam_taxi.metadata.server", "--metadata_store", store, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            port = server.stdout.readline().rsplit(":", 1)[1].strip()
            yield f"grpc://0.0.0.0:{port}"
        finally:
            server.terminate()


def test_a_rehearsal(google_cloud: GoogleCloud, bucket: storage.Bucket, image: Image, tmp_path: Path):
    """The launcher's command makes a job object, whose pipeline then runs where the image's workers would run it."""
    store = f"sqlite:///{tmp_path}/m.sqlite"
    template = "gs://bucket/staging/template_launches/2026-01-01_00_00_00-2/job_object"
    with metadata_server(store) as address:
        words = {
            "runner": "DataflowRunner",
            "project": "project",
            "region": "us-east1",
            "job_name": "nightly",
            "temp_location": "gs://bucket/tmp",
            "staging_location": "gs://bucket/staging",
            "template_location": template,
            "machine_type": "n2-standard-8",
            "flag_of_tomorrow": "1",
            "input": "gs://bucket/in/*.csv",
            "output": "gs://bucket/flex",
            "run_id": "flex",
            "schema": "",
            "no_examples": "true",
            "splits": "train:1,eval:1",
            "metadata_store": address,
        }
        script = re.search(r"PY_FILE=/template/(\S+)", DOCKERFILE)
        assert script is not None
        command = [image.python, image.template / script[1], *(f"--{name}={value}" for name, value in words.items())]
        environment = {**google_cloud.environment, "BEAM_TAXI_IMAGE": IMAGE}
        launched = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
        assert launched.returncode == 0, launched.stderr
        assert launched.stderr.splitlines() == [
            "beam_taxi: warning: ignored --flag_of_tomorrow, an unknown flag of the launcher"
        ]
        assert launched.stdout.splitlines() == [
            f"template   {template}",
            "The job is still running; its manifest will be gs://bucket/flex/flex/manifest.json",
            f"A worker records it in {address}",
        ]
        assert google_cloud.dataflow.created == []
        made = json.loads(bucket.blob(template.removeprefix("gs://bucket/")).download_as_bytes())
        pipeline = check_job(made)
        bucket.blob(pipeline.removeprefix("gs://bucket/")).download_to_filename(tmp_path / "pipeline.pb")
        assert states(store) == {"RUNNING"}
        done = execute(image.python, tmp_path, google_cloud.variables, tmp_path)
        assert done.returncode == 0, done.stderr
    assert states(store) == {"COMPLETE"}
    manifest = json.loads(bucket.blob("flex/flex/manifest.json").download_as_bytes())
    assert sum(split["rows"] for split in manifest["splits"]) == 2
    assert sorted(manifest["artifacts"]) == ["schema", "statistics"]


def check_job(made: dict) -> str:
    """Check a job object; return where its pipeline is."""
    assert (made["name"], made["type"]) == ("nightly", "JOB_TYPE_BATCH")
    (pool,) = made["environment"]["workerPools"]
    assert pool["machineType"] == "n2-standard-8"
    assert [one["containerImage"] for one in pool["sdkHarnessContainerImages"]] == [IMAGE]
    assert pool["packages"] == [] or "workflow.tar.gz" not in str(pool["packages"])
    return str(made["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"])
