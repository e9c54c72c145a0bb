"""The scripts for Google Cloud, with a gcloud on PATH that keeps what it made in a file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from beam_taxi.launch.beam_flags import known_beam_flags
from beam_taxi.launch.options import known_flags
from tests.cloud.launch import ROOT

GCLOUD = '''#!{python}
"""Keeps what was created, answers describe by that, and writes every call down."""
import json, pathlib, sys
folder = pathlib.Path({folder!r})
words = sys.argv[1:]
verb = next(i for i, word in enumerate(words) if word in {verbs!r})
made = set((folder / "made").read_text().split("\\n")) if (folder / "made").exists() else set()
name = words[verb + 1].split("@")[0] if verb + 1 < len(words) else ""
thing = " ".join(["storage buckets" if words[0] == "storage" else " ".join(words[:verb]), name])
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(words) + "\\n")
if words[verb] == "list":
    print("2026-01-01_00_00_00-1")
if words[verb] == "create":
    made.add(thing)
if words[verb] in ("delete", "rm"):
    made.discard(thing)
(folder / "made").write_text("\\n".join(made))
sys.exit(words[verb] == "describe" and thing not in made)
'''
VERBS = (
    *("create", "describe", "delete", "update", "list", "cancel", "enable", "rm", "submit", "build", "run"),
    *("add-iam-policy-binding", "remove-iam-policy-binding", "get-iam-policy", "set-password"),
)


class Cloud:
    """Runs the scripts, with calls of gcloud written down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        gcloud = folder / "bin" / "gcloud"
        gcloud.parent.mkdir()
        gcloud.write_text(GCLOUD.format(python=sys.executable, folder=str(folder), verbs=VERBS))
        gcloud.chmod(0o755)

    def run(self, script: str, *args: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "calls").write_text("")
        words = [
            "bash",
            ROOT / "scripts" / script,
            "--project",
            "taxi-1",
            "--region",
            "us-east1",
            "--bucket",
            "b",
            *args,
        ]
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        # Elsewhere than at the root of the repository: a script finds its own way.
        return subprocess.run(
            words, capture_output=True, text=True, check=False, cwd=self.folder, env={**os.environ, "PATH": path}
        )

    @property
    def calls(self) -> list[str]:
        return [" ".join(json.loads(line)) for line in (self.folder / "calls").read_text().splitlines()]


@pytest.fixture
def cloud_scripts(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


@pytest.mark.parametrize(
    ("script", "args"),
    [
        ("cloud/setup.sh", ["--sql"]),
        ("cloud/launch.sh", ["--input", "gs://b/in/*.csv"]),
        ("cloud/teardown.sh", ["--delete-bucket"]),
        ("flex_template/build.sh", []),
        ("flex_template/run.sh", ["input=gs://b/in/*.csv"]),
    ],
)
def test_a_dry_run_calls_nothing(cloud_scripts: Cloud, script: str, args: list[str]):
    done = cloud_scripts.run(script, "--dry-run", *args)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("+ ")
    assert cloud_scripts.calls == []
    missing = subprocess.run(["bash", ROOT / "scripts" / script], capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert "missing: --project --region --bucket; see" in missing.stderr


def test_set_up_again_makes_nothing_and_tear_down_removes_all(cloud_scripts: Cloud):
    first = cloud_scripts.run("cloud/setup.sh", "--sql")
    assert first.returncode == 0, first.stderr
    made = [call for call in cloud_scripts.calls if " create " in call]
    assert [re.sub(" --.*", "", call) for call in made] == [
        *("storage buckets create gs://b", "artifacts repositories create beam-taxi"),
        "iam service-accounts create beam-taxi-worker",
        *("iam service-accounts create beam-taxi-launcher", "sql instances create beam-taxi"),
        *("sql databases create mlmd", "sql users create beam_taxi"),
    ]
    roles = [re.findall(r"serviceAccount:(\S+)@taxi-1\S+ --role (\S+)", call) for call in cloud_scripts.calls]
    assert {role for found in roles for role in found} == {
        ("beam-taxi-worker", "roles/dataflow.worker"),
        ("beam-taxi-worker", "roles/storage.objectUser"),
        ("beam-taxi-worker", "roles/artifactregistry.reader"),
        ("beam-taxi-launcher", "roles/dataflow.developer"),
        ("beam-taxi-launcher", "roles/serviceusage.serviceUsageViewer"),
        ("beam-taxi-launcher", "roles/storage.objectUser"),
        ("beam-taxi-launcher", "roles/storage.legacyBucketReader"),
        ("beam-taxi-launcher", "roles/iam.serviceAccountUser"),
        ("beam-taxi-launcher", "roles/cloudsql.client"),
    }
    dry = cloud_scripts.run("cloud/setup.sh", "--sql", "--dry-run")
    assert dry.stdout == first.stdout
    again = cloud_scripts.run("cloud/setup.sh", "--sql")
    assert again.returncode == 0, again.stderr
    assert [call for call in cloud_scripts.calls if " create " in call] == []
    torn = cloud_scripts.run("cloud/teardown.sh")
    assert torn.returncode == 0, torn.stderr
    assert "dataflow jobs cancel 2026-01-01_00_00_00-1 --region us-east1 --project taxi-1" in cloud_scripts.calls
    assert "gs://b stays, and is paid for" in torn.stderr
    assert not any("gs://b" in call for call in cloud_scripts.calls)
    assert cloud_scripts.run("cloud/teardown.sh", "--delete-bucket").returncode == 0
    assert "storage rm gs://b --recursive" in cloud_scripts.calls
    # With an instance its databases and users go.
    left = (cloud_scripts.folder / "made").read_text().split()
    assert [thing for thing in left if thing.startswith(("gs://", "beam-taxi"))] == []


def test_the_image_and_the_template(cloud_scripts: Cloud):
    assert cloud_scripts.run("flex_template/build.sh").returncode == 0
    image = re.findall(r"_IMAGE=(\S+)", cloud_scripts.calls[0])
    assert image == re.findall(r"--image (\S+)", cloud_scripts.calls[1])
    assert re.fullmatch(r"us-east1-docker\.pkg\.dev/taxi-1/beam-taxi/beam_python3\.11_sdk:[\d.]+-[\d.]+", image[0])
    started = cloud_scripts.run("flex_template/run.sh", "input=gs://b/*.csv", "splits=a:1,b:2", "--max-workers=3")
    assert started.returncode == 0, started.stderr
    (call,) = cloud_scripts.calls
    parameters = "|beam_taxi|".join(["output=gs://b/out", "input=gs://b/*.csv", "splits=a:1,b:2"])
    assert call.endswith(f"--parameters ^|beam_taxi|^{parameters} --max-workers=3")
    assert cloud_scripts.run("flex_template/run.sh", "input").returncode == 2


def test_the_launch_has_flags_that_there_are(cloud_scripts: Cloud):
    known = known_flags() | known_beam_flags()
    for more in ([], ["--no-image"]):
        told = cloud_scripts.run("cloud/launch.sh", "--dry-run", "--input", "gs://b/x.csv", *more).stdout
        assert set(re.findall(r"--\w+", told)) <= known


def test_the_page_has_options_that_there_are():
    known = known_flags() | known_beam_flags()
    text = (ROOT / "docs" / "cloud.md").read_text()
    assert set(re.findall(r"--[a-z]+_[a-z_]+", text)) <= known
    for path in re.findall(r"(?:scripts|beam_taxi)/[\w/]+\.\w+", text):
        assert (ROOT / path).is_file()
