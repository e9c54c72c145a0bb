"""Credentials: of an impersonated account in every call, and passwords that workers read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import storage as google_storage

from beam_taxi.errors import UsageError
from beam_taxi.metadata.secrets import read_secret
from beam_taxi.storage import credentials, gcs_client
from tests.cloud.conftest import GoogleCloud
from tests.cloud.dataflow_service import ENDPOINT
from tests.cloud.launch import run_in_child

ACCOUNT = "launcher@project.iam.gserviceaccount.com"
CALLER = "tester@project.iam.gserviceaccount.com"
SECRET = "projects/project/secrets/password/versions/latest"


@pytest.fixture(autouse=True)
def _chosen_again() -> Iterator[None]:
    yield
    credentials.use("", None)
    gcs_client.client.cache_clear()


def test_every_call_is_made_by_the_impersonated_account(google_cloud: GoogleCloud):
    google_cloud.dataflow.state = "JOB_STATE_RUNNING"
    done = run_in_child(google_cloud, "--no_wait", run_id="impersonated", impersonate_service_account=ACCOUNT)
    assert done.returncode == 0, done.stderr
    made = google_cloud.dataflow.callers
    assert {host for host, _ in made} >= {"dataflow.test", "serviceusage.googleapis.com"}
    assert {token for host, token in made if host != "iamcredentials.googleapis.com"} == {f"Bearer of {ACCOUNT}"}
    assert set(google_cloud.storage.callers) - {""} == {f"Bearer of {ACCOUNT}"}


def test_an_impersonation_that_is_denied_is_reported_early(google_cloud: GoogleCloud):
    google_cloud.dataflow.denied_accounts = {ACCOUNT}
    done = run_in_child(google_cloud, "--preflight", impersonate_service_account=ACCOUNT)
    assert done.returncode == 2
    fault = f"--impersonate_service_account {ACCOUNT}: denied: Permission 'iam.serviceAccounts.getAccessToken' denied"
    assert fault in done.stdout
    grant = f"`gcloud iam service-accounts add-iam-policy-binding {ACCOUNT} --member serviceAccount:{CALLER} --role"
    assert grant in done.stdout
    assert google_cloud.dataflow.created == []


def test_each_account_of_a_chain_needs_the_role_on_the_next(in_this_process: GoogleCloud):
    in_this_process.dataflow.denied_accounts = {"b@p"}
    credentials.use("a@p,b@p", None)
    grants = re.findall(r"add-iam-policy-binding (\S+) --member (\S+) --role (\S+)`", credentials.fault())
    role = "roles/iam.serviceAccountTokenCreator"
    assert grants == [("a@p", f"serviceAccount:{CALLER}", role), ("b@p", "serviceAccount:a@p", role)]


def test_an_api_that_is_off_is_enabled(in_this_process: GoogleCloud):
    in_this_process.dataflow.denied_accounts = {ACCOUNT}
    in_this_process.dataflow.denial = "IAM Service Account Credentials API has not been used in project 12 before."
    credentials.use(ACCOUNT, "project")
    fix = "`gcloud services enable iamcredentials.googleapis.com --project project`"
    assert credentials.fault().endswith(f": denied: {in_this_process.dataflow.denial}; {fix}")


def test_the_own_credentials_are_not_blamed_on_the_impersonated_account(
    in_this_process: GoogleCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    key = json.loads(Path(in_this_process.variables["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    refused = tmp_path / "key.json"
    refused.write_text(json.dumps({**key, "token_uri": f"{ENDPOINT}/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(refused))
    in_this_process.dataflow.token_refusals = ["invalid_grant"]
    credentials.use(ACCOUNT, None)
    fault = credentials.fault()
    assert fault.startswith("the Google Cloud credentials were refused: ")
    assert fault.endswith("`gcloud auth application-default login`")


PASSWORDS = {
    "a variable": ({}, "workers on other machines do not have the variable BEAM_TAXI_METADATA_PASSWORD"),
    "a file": ({"metadata_password_file": "setup.py"}, "workers on other machines do not have the file setup.py"),
    "a secret": ({"metadata_password_file": SECRET}, ""),
    "an object": ({"metadata_password_file": "gs://bucket/password"}, ""),
}


@pytest.mark.parametrize(("options", "fault"), PASSWORDS.values(), ids=PASSWORDS)
def test_workers_must_have_the_password(
    google_cloud: GoogleCloud, bucket: google_storage.Bucket, options: dict[str, str], fault: str
):
    bucket.blob("password").upload_from_string("letmein\n")
    google_cloud.dataflow.secrets = {SECRET: "letmein"}
    store = {"metadata_store": "mysql://me@10.0.0.1/mlmd", "record_on": "worker"}
    done = run_in_child(google_cloud, "--preflight", **store, **options)
    assert ("--record_on worker: " in done.stdout) == bool(fault)
    assert fault in done.stdout
    assert "letmein" not in done.stdout + done.stderr


@pytest.fixture
def in_this_process(google_cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch) -> GoogleCloud:
    for name, value in google_cloud.variables.items():
        monkeypatch.setenv(name, value)
    return google_cloud


def test_passwords_are_read_where_workers_can_read_them(in_this_process: GoogleCloud, bucket: google_storage.Bucket):
    bucket.blob("password").upload_from_string("letmein\n")
    in_this_process.dataflow.secrets = {SECRET: "from a secret"}
    assert read_secret("gs://bucket/password") == "letmein"
    assert read_secret(SECRET) == "from a secret"


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("gs://bucket/none", "object not found"),
        ("projects/project/secrets/password", "is not a version of a secret; use projects/"),
        ("projects/project/secrets/other/versions/1", "access is denied; `gcloud secrets add-iam-policy-binding other"),
    ],
)
def test_a_password_that_cannot_be_read(in_this_process: GoogleCloud, reference: str, fault: str):
    with pytest.raises(UsageError, match=re.escape(f"--metadata_password_file {reference}: {fault}")):
        read_secret(reference)


def test_a_chain_of_impersonations():
    assert credentials.chain("a@x, b@x") == ("a@x", "b@x")
    assert credentials.chain("") == ()
