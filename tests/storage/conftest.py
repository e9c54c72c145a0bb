"""A folder in each kind of storage, and Cloud Storage's emulator with a record of what is asked of it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage as google_storage

from beam_taxi.storage import gcs
from tests.cloud.conftest import bucket, cloud
from tests.storage.memory_store import MemoryStore

__all__ = ["bucket", "cloud"]


@dataclass(frozen=True)
class Place:
    """An empty folder, and how a test removes a file in it."""

    uri: str
    remove: Callable[[str], Any]


@dataclass
class Requests:
    """The requests that were sent to Cloud Storage."""

    urls: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)

    def clear(self) -> None:
        self.urls.clear()
        self.ranges.clear()


@pytest.fixture
def cloud_storage(
    bucket: google_storage.Bucket, cloud: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[google_storage.Bucket]:
    """Yield the bucket that gs://bucket names in this process."""
    for name, value in cloud.items():
        monkeypatch.setenv(name, value)
    gcs.client.cache_clear()
    yield bucket
    gcs.client.cache_clear()


@pytest.fixture
def requests(cloud_storage: google_storage.Bucket, monkeypatch: pytest.MonkeyPatch) -> Requests:
    """Return the record of the requests of our client, empty at first."""
    record = Requests()
    session = gcs.client()._http
    send = session.request

    def recording(method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        record.urls.append(f"{method} {url}")
        headers = {name.lower(): value for name, value in (kwargs.get("headers") or {}).items()}
        record.ranges += [headers["range"]] if "range" in headers else []
        return send(method, url, *args, **kwargs)

    monkeypatch.setattr(session, "request", recording)
    return record


@pytest.fixture(params=["local", "gs", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a folder on the local disk, in Cloud Storage and in a store that only Beam knows."""
    name = uuid.uuid4().hex
    if request.param == "gs":
        bucket = request.getfixturevalue("cloud_storage")
        return Place(f"gs://bucket/{name}", lambda uri: bucket.blob(uri.removeprefix("gs://bucket/")).delete())
    if request.param == "memory":
        return Place(f"memory://{name}", MemoryStore.objects.pop)
    return Place(str(tmp_path), os.unlink)
