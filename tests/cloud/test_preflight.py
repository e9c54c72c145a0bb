"""Checks before a launch on Dataflow: everything that Beam lets pass, all at once, each with how to fix it."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from google.cloud import storage

from tests.cloud.conftest import GoogleCloud
from tests.cloud.launch import ROOT, command, run

HERE = f"beam_python{sys.version_info[0]}.{sys.version_info[1]}_sdk:{version('apache-beam')}"


def test_a_launch_that_may_go(google_cloud: GoogleCloud):
    done = run(google_cloud, "--preflight")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith("ok")] == []
    names = [line.split(maxsplit=1)[1] for line in lines]
    assert names == [
        *(
            "project",
            "region",
            "temp location",
            "staging location",
            "job name",
            "workers",
            "labels",
            "packages",
            "setup file",
            "versions",
            "files",
        ),
        *("metadata store", "credentials", "bucket bucket", "permissions bucket", "staging", "APIs"),
        *("temporary files", "output", "input"),
    ]


def test_all_faults_at_once(google_cloud: GoogleCloud):
    google_cloud.storage.permissions["bucket"] = {"storage.objects.get", "storage.objects.list"}
    google_cloud.dataflow.disabled_apis = {"dataflow.googleapis.com", "logging.googleapis.com"}
    faults = {
        "region": "--region us-east1-b: is a zone; use --region us-east1",
        "temp location": "--temp_location /tmp: is not in Cloud Storage; use --temp_location gs://BUCKET/temp",
        "staging location": "--staging_location is required, or Beam would create a bucket",
        "job name": f"(it has 80); use e.g. --job_name {'a' * 63}",
        "workers": "--max_num_workers 0: must be a whole number above 0; --machine_type large: is not a machine type"
        "; choose one of `gcloud compute machine-types list --filter zone~us-east1-b`; --service_account_email me: is ",
        "setup file": "--setup_file none/setup.py: not a setup.py; use the one of this repository",
        "versions": "has Python 3.9 and Beam 2.50.0",
        "files": "--input data/*.csv: workers do not see local files; `gcloud storage cp data/*.csv gs://",
        "metadata store": "is a file on this machine, which workers do not see; use mysql://",
        "bucket none": "`gcloud storage buckets create gs://none --project project --location us-east1-b`",
        "permissions bucket": "missing permissions: storage.objects.create, storage.objects.delete; `gcloud "
        "storage buckets add-iam-policy-binding gs://bucket --member "
        "serviceAccount:tester@project.iam.gserviceaccount.com",
        "APIs": "`gcloud services enable dataflow.googleapis.com logging.googleapis.com --project project`",
        "input": "--input data/*.csv: no file matches",
    }
    done = run(
        *(google_cloud, "--preflight", "--input", "data/*.csv", "gs://none/x.csv", "--record_on", "worker"),
        input=None,
        region="us-east1-b",
        temp_location="/tmp",
        staging_location=None,
        job_name="A" * 80,
        max_num_workers="0",
        machine_type="large",
        service_account_email="me",
        setup_file="none/setup.py",
        sdk_container_image="apache/beam_python3.9_sdk:2.50.0",
        metadata_store="sqlite:////m.sqlite",
    )
    assert done.returncode == 2
    told = dict(line[7:].split(": ", 1) for line in done.stdout.splitlines() if line.startswith("fault"))
    assert told.keys() == faults.keys()
    for name, text in faults.items():
        assert text in told[name]
    assert f"{len(faults)} of 22 checks failed" in done.stderr
    # Without --preflight the same in one line.
    done = run(google_cloud, "--no_wait", region=None, staging_location="gs://bucket")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert (
        "--region is required; choose one of `gcloud compute regions list`, e.g. --region us-central1; " in done.stderr
    )
    assert "--staging_location gs://bucket: is not a folder in a bucket" in done.stderr


@pytest.mark.parametrize(
    ("changed", "kind", "text"),
    [
        ({"project": "My_Project"}, "fault", "--project My_Project: not a valid project ID"),
        ({"region": "us_east"}, "fault", "--region us_east: is not a valid region"),
        ({"temp_location": "gs://bucket/scratch"}, "note", "by convention it ends in /temp or /tmp"),
        ({"staging_location": "gs://bucket/a/binaries/"}, "ok", ""),
        (
            {"region": "europe-west4"},
            "fault",
            "gs://bucket is in US-EAST1, the job in europe-west4; use --region us-east1",
        ),
        ({"output": "/out"}, "fault", "--output: workers do not see local folders"),
        ({"setup_file": None}, "fault", "--setup_file is required, or the workers lack beam_taxi"),
        ({"setup_file": None, "sdk_container_image": f"us-docker.pkg.dev/p/r/{HERE}"}, "ok", ""),
        ({"sdk_container_image": "us-docker.pkg.dev/p/r/mine:1"}, "note", "the name does not contain its versions"),
        (
            {"metadata_store": "grpc://localhost:8080", "record_on": "worker"},
            "fault",
            "on a worker, localhost is the worker",
        ),
        ({"metadata_store": "grpc://10.0.0.1:8080", "record_on": "worker"}, "ok", ""),
    ],
)
def test_one_thing_changed(google_cloud: GoogleCloud, changed: dict[str, str | None], kind: str, text: str):
    done = run(google_cloud, "--preflight", **changed)
    told = [line for line in done.stdout.splitlines() if line.split()[0] != "ok"]
    assert [line.split()[0] for line in told] == ([kind] if kind != "ok" else []), done.stdout
    assert text in "".join(told)
    assert done.returncode == (2 if kind == "fault" else 0)


def test_locations_of_several_regions(google_cloud: GoogleCloud, bucket: storage.Bucket):
    custom = {"customPlacementConfig": {"dataLocations": ["US-WEST1", "US-EAST1"]}}
    expected = {
        "us": ({"location": "US"}, ""),
        "eu": ({"location": "EU"}, "--output: gs://eu is in EU, the job in us-east1: this is slower, and the transfer"),
        "pair": ({"location": "NAM4"}, ""),
        "two": ({"location": "US", **custom}, ""),
    }
    for name, (placed, _) in expected.items():
        bucket.client.create_bucket(name)
        google_cloud.storage.locations[name] = placed
    places = {"temp_location": "gs://us/tmp", "staging_location": "gs://pair/staging", "output": "gs://eu/out"}
    done = run(google_cloud, "--preflight", "--input", "gs://two/x.csv", **places)
    told = {line[7:].split(": ")[0]: line for line in done.stdout.splitlines() if "  bucket" in line}
    for name, (_, text) in expected.items():
        line = told[f"bucket {name}"]
        assert line.startswith("note" if text else "ok")
        assert text in line


def test_the_setup_file_is_looked_into(google_cloud: GoogleCloud, tmp_path: Path):
    other = tmp_path / "setup.py"
    other.write_text('from setuptools import setup\nsetup(name="other")\n')
    assert "belongs to another package" in run(google_cloud, setup_file=str(other)).stderr
    other.write_text('from setuptools import setup\nsetup(name="beam_taxi", packages=["beam_taxi"])\n')
    (tmp_path / "beam_taxi" / "report").mkdir(parents=True)
    for name in ("__init__.py", "report/page.html.j2"):
        (tmp_path / "beam_taxi" / name).write_text("")
    told = run(google_cloud, setup_file=str(other)).stderr
    assert "the package would lack beam_taxi/report/page.html.j2; MANIFEST.in needs `graft beam_taxi`" in told
    other.write_text('import nothing\nfrom setuptools import setup\nsetup(name="beam_taxi")\n')
    assert "fails: ModuleNotFoundError: No module named 'nothing'" in run(google_cloud, setup_file=str(other)).stderr


def test_a_local_run(google_cloud: GoogleCloud, tmp_path: Path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    places = {"input": str(tmp_path / "x.csv"), "output": str(tmp_path / "out"), "runner": "FnApiRunner"}
    done = run(google_cloud, "--preflight", **places)
    names = ("runner", "metadata store", "temporary files", "output", "input")
    assert done.stdout.splitlines() == [f"ok     {name}" for name in names]
    done = run(google_cloud, "--preflight", "--no_wait", metadata_store="grpc://127.0.0.1:1", **places)
    assert done.returncode == 2
    assert done.stdout.splitlines()[:2] == [
        "fault  runner: --no_wait: cannot be used with FnApiRunner, which ends with this process; remove it",
        "fault  metadata store: --metadata_store grpc://127.0.0.1:1: no answer: Connection refused; is the server up, "
        "and its address right?",
    ]
    assert not (tmp_path / "out").exists()
    (tmp_path / "x.csv").write_text("")
    done = run(google_cloud, "--preflight", **places)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        2,
        f"fault  input: {tmp_path}/x.csv: is empty: it has no header",
    )
    done = run(google_cloud, "--preflight", query="SELECT 1", **{**places, "input": None})
    assert (done.returncode, done.stdout.splitlines()[-1][:27]) == (0, "note   query: would process")


def test_nothing_heavy_is_imported(google_cloud: GoogleCloud):
    code = (
        "import sys\nfrom beam_taxi.main import main\nstatus = main(sys.argv[1:])\n"
        "print(status, [m for m in ('apache_beam', 'tensorflow', 'ml_metadata') if m in sys.modules])"
    )
    words = [sys.executable, "-c", code, *command("--preflight")[3:]]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT, env=google_cloud.environment)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_the_plan_has_an_estimate(google_cloud: GoogleCloud):
    done = run(google_cloud, "--plan", "--num_shards", "10", worker_machine_type="n2-highmem-8")
    assert "workers    up to 2 n2-highmem-8, 50 GB, 2 threads for each vCPU" in done.stdout
    assert "estimate   1.07 vCPU hours = (0.000 GB x 30 s + 2 workers x 8 vCPUs x 240 s to start) / 3600" in done.stdout
    assert "total      1 file(s), 16 bytes, 2 columns" in done.stdout


@pytest.mark.parametrize(
    ("runner", "message"),
    [
        ("DataflowRunner", "no Google Cloud credentials found: `gcloud auth application-default login`"),
        ("FnApiRunner", "it is not public, and there are no Google Cloud credentials here; log in with `gcloud auth"),
    ],
)
def test_without_credentials(google_cloud: GoogleCloud, tmp_path: Path, runner: str, message: str):
    environment = without_credentials(google_cloud, tmp_path)
    words = command(runner=runner)
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1:1", "storage.invalid:1"], ids=["no server", "no address"])
def test_cloud_storage_that_is_away_is_reported_within_seconds(google_cloud: GoogleCloud, host: str):
    # `.invalid` never resolves; the proxy of the stand-ins would hide that.
    proxies = {"no_proxy": "127.0.0.1,localhost,storage.invalid"}
    environment = {**google_cloud.environment, **proxies, "STORAGE_EMULATOR_HOST": f"http://{host}"}
    started = time.monotonic()
    done = subprocess.run(command(), capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 2
    assert f"gs://bucket: Cloud Storage does not answer at {host}; check the network" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert time.monotonic() - started < 40


def test_a_public_object_needs_no_credentials(google_cloud: GoogleCloud, tmp_path: Path):
    code = "from beam_taxi import storage; print(storage.match('gs://public/x.csv'))"
    environment = without_credentials(google_cloud, tmp_path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[InputFile(uri='gs://public/x.csv', size=4, version='7')]\n"


def without_credentials(google_cloud: GoogleCloud, folder: Path) -> dict[str, str]:
    """Return variables under which Google's own hosts are asked, and no credentials are found."""
    hidden = ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST")
    kept = {name: value for name, value in google_cloud.environment.items() if name not in hidden}
    return kept | {"CLOUDSDK_CONFIG": str(folder), "GCE_METADATA_HOST": "127.0.0.1:1"}
