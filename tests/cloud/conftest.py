"""A Cloud Storage on this machine: the emulator, and credentials that a token server here accepts."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gcp_storage_emulator.server import create_server
from google.cloud import storage

from tests.cloud.answers import JsonHandler
from tests.cloud.dataflow_service import Dataflow, StorageFaults, serving, storage_with_faults

BUCKET = "bucket"


class _Tokens(JsonHandler):
    def do_POST(self) -> None:
        self.answer({"access_token": "token", "expires_in": 3600, "token_type": "Bearer"})


def _credentials(token_uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "project",
        "client_email": "tester@project.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "private_key_id": "1",
        "token_uri": token_uri,
    }


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield the environment variables under which gs://bucket is the emulator's."""
    tokens = ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)
    threading.Thread(target=tokens.serve_forever, daemon=True).start()
    credentials = Path(tmp_path_factory.mktemp("cloud"), "credentials.json")
    credentials.write_text(json.dumps(_credentials(f"http://127.0.0.1:{tokens.server_port}/token")))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    emulator = create_server("127.0.0.1", port, True, BUCKET)
    emulator.start()
    yield {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        "GOOGLE_CLOUD_PROJECT": "project",
    }
    emulator.stop()
    tokens.shutdown()


@pytest.fixture(scope="session")
def bucket(cloud: dict[str, str]) -> Iterator[storage.Bucket]:
    """Yield gs://bucket through Google's own client."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.items():
            patch.setenv(name, value)
        yield storage.Client(project="project").bucket(BUCKET)


@pytest.fixture(scope="session")
def _services(
    cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Dataflow, StorageFaults, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("services")
    with serving(folder) as (dataflow, proxy), storage_with_faults(cloud["STORAGE_EMULATOR_HOST"]) as (faults, host):
        yield dataflow, faults, {**cloud, **proxy, "STORAGE_EMULATOR_HOST": host}


@dataclass(frozen=True)
class GoogleCloud:
    """The stand-ins of Dataflow and Cloud Storage, and the environment variables under which they are found."""

    dataflow: Dataflow
    storage: StorageFaults
    variables: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables}


@pytest.fixture
def google_cloud(_services: tuple[Dataflow, StorageFaults, dict[str, str]], bucket: storage.Bucket) -> GoogleCloud:
    """Return the stand-ins as they are at first, with gs://bucket in us-east1."""
    found = GoogleCloud(*_services)
    found.dataflow.reset()
    found.storage.reset()
    found.storage.locations["bucket"] = {"location": "US-EAST1", "locationType": "region"}
    bucket.blob("in/x.csv").upload_from_string('a,b\n1,"x\ny"\n2,z\n')
    return found
