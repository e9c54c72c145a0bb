"""Days in Cloud Storage: which files are found, and a backfill of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud import storage

from beam_taxi.dates import DateSettings
from beam_taxi.errors import MissingDays
from beam_taxi.settings import Settings
from beam_taxi.sources.days import find_days
from beam_taxi.sources.plan import plan_input
from tests.cloud.conftest import GoogleCloud

PATTERN = "gs://bucket/daily/day={YYYY}-{MM}-{DD}/v{VERSION}/*.csv"
NAMES = ("day=2024-02-28/v1/a.csv", "day=2024-02-29/v9/a.csv", "day=2024-02-29/v10/a.csv", "day=2024-02-29/v10/b.csv")


@pytest.fixture(scope="module")
def daily(bucket: storage.Bucket) -> storage.Bucket:
    for name in NAMES:
        bucket.blob(f"daily/{name}").upload_from_string("a,b\n1,x\n2,y\n")
    return bucket


def settings_of(*dates: object) -> Settings:
    return Settings((PATTERN,), "gs://bucket/out/r", "r", dates=DateSettings(*dates))  # type: ignore[arg-type]


def test_the_highest_version_of_each_day(daily: storage.Bucket):
    settings = settings_of("2024-02-29", 2)
    days, plan = find_days(settings), plan_input(settings, {})
    assert days.version == 10
    expected = [f"gs://bucket/daily/{name}" for name in NAMES if "v9" not in name]
    assert sorted(source.info.uri for source in plan.sources) == sorted(expected)
    assert plan.columns == ("a", "b", "day")


def test_a_day_without_objects(daily: storage.Bucket):
    with pytest.raises(MissingDays, match="no file for 2024-03-01, 2024-03-02"):
        find_days(settings_of("2024-03-02", 3))


def test_a_backfill_of_days_goes_on(google_cloud: GoogleCloud, daily: storage.Bucket, tmp_path: Path):
    store = ["--metadata_store", f"sqlite:///{tmp_path}/metadata.sqlite"]
    words = [sys.executable, "-m", "beam_taxi", "backfill", "--from", "2024-02-28", "--to", "2024-03-01"]
    words += ["--input", PATTERN, "--output", "gs://bucket/backfilled", "--log_format", "json", *store]
    for states in (["complete", "complete", "missing"], ["exists", "exists", "missing"]):
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=google_cloud.environment)
        assert done.returncode == 2, done.stderr
        assert [day["state"] for day in json.loads(done.stdout)["days"]] == states
    names = [blob.name for blob in daily.list_blobs(prefix="backfilled/") if blob.name.endswith("/manifest.json")]
    manifests = [json.loads(daily.blob(name).download_as_bytes()) for name in sorted(names)]
    assert [(one["span"], one["version"]) for one in manifests] == [(19781, 1), (19782, 10)]

    prune = [sys.executable, "-m", "beam_taxi", "runs", "prune", "--keep", "1", "--yes", *store]
    done = subprocess.run(prune, capture_output=True, text=True, check=False, env=google_cloud.environment)
    assert (done.returncode, done.stderr) == (0, "")
    left = {blob.name.split("/")[1][: len("2024-02-28")] for blob in daily.list_blobs(prefix="backfilled/")}
    assert left == {"2024-02-29"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=google_cloud.environment)
    assert [day["state"] for day in json.loads(done.stdout)["days"]] == ["pruned", "exists", "missing"]
