"""A connection to an ML Metadata store from a URI."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from beam_taxi.errors import UsageError

_SQLITE = "sqlite:///"


def sqlite_path(uri: str) -> str:
    """Return the absolute path of `sqlite:///PATH`; an absolute PATH makes four slashes. Raises UsageError."""
    if not uri.startswith(_SQLITE) or uri == _SQLITE:
        raise UsageError(f"--metadata_store {uri}: give sqlite:///PATH or none")
    return os.path.abspath(uri.removeprefix(_SQLITE))


@contextmanager
def open_for_writing(uri: str) -> Iterator[Any]:
    """Yield a MetadataStore that no other writer of this package has at the same time.

    ML Metadata gives up on a busy SQLite file with "Concurrent writes aborted", so writers queue at a lock file.
    Raises UsageError where the path cannot be written.
    """
    from ml_metadata import MetadataStore
    from ml_metadata.proto import metadata_store_pb2

    pb: Any = metadata_store_pb2
    path = sqlite_path(uri)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        lock = os.open(path + ".lock", os.O_CREAT | os.O_WRONLY, 0o644)
    except OSError as error:
        raise UsageError(f"--metadata_store {uri}: {error.strerror}: {error.filename}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = path
        config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        yield MetadataStore(config)
    finally:
        os.close(lock)
