"""A Cloud Storage on this machine: the emulator, and credentials that a token server here accepts."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gcp_storage_emulator.server import create_server
from google.cloud import storage

from tests.cloud.answers import JsonHandler

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
