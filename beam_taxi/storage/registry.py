"""The file systems by the scheme of a URI. Each is imported on first use."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

from beam_taxi.errors import UsageError
from beam_taxi.storage.base import FileSystem

_LOCAL = ""
_EXTRAS = {
    "s3": ("apache-beam[aws]", "boto3"),
    "hdfs": ("apache-beam[hadoop]", "hdfs"),
    "azfs": ("apache-beam[azure]", "azure"),
}
"""The package that a scheme needs, and a module of it, by scheme."""


def file_system(uri: str) -> FileSystem:
    """Return the file system that serves `uri`, a URI or a local path."""
    return _loaded(_scheme(uri))


def is_remote(uri: str) -> bool:
    """Return whether `uri` has a scheme (`gs://…`), that is, is not a local path."""
    return _scheme(uri) != _LOCAL


def join(folder: str, *parts: str) -> str:
    """Return the path of relative `parts` below a folder, local or remote."""
    return "/".join([folder.rstrip("/"), *parts])


def check_scheme(uri: str) -> None:
    """Raise UsageError if a URI lacks a slash, which would make it a local path, or if its scheme cannot be used."""
    found = re.match(r"(gs|s3|hdfs|bq|https?|file|azfs):/*", uri, re.IGNORECASE)
    if found and not uri.startswith(f"{found[1].lower()}://"):
        raise UsageError(f"{uri}: use {found[1].lower()}://{uri[found.end() :]}")
    if found and found[1] in ("http", "https"):
        raise UsageError(f"{uri}: {found[1]}:// is not supported; use a local path, or gs://BUCKET/…")
    if found and found[1] == "file" and not uri.startswith("file:///"):
        raise UsageError(f"{uri}: must be file:///PATH, on this machine")
    package, module = _EXTRAS.get(_scheme(uri), ("", ""))
    if module and find_spec(module) is None:
        raise UsageError(f"{uri}: {_scheme(uri)}:// needs another package: pip install '{package}'")


def _scheme(uri: str) -> str:
    scheme, separator, _ = uri.partition("://")
    return scheme if separator and scheme != "file" else _LOCAL


def _local() -> FileSystem:
    from beam_taxi.storage.local import LocalFileSystem

    return LocalFileSystem()


def _cloud_storage() -> FileSystem:
    from beam_taxi.storage.gcs import CloudStorage

    return CloudStorage()


def _beam() -> FileSystem:
    from beam_taxi.storage.beam import BeamFileSystem

    return BeamFileSystem()


# Importing Google's own client takes a fifth of the time of importing Beam.
_LOADERS: dict[str, Callable[[], FileSystem]] = {_LOCAL: _local, "gs": _cloud_storage}


@cache
def _loaded(scheme: str) -> FileSystem:
    return _LOADERS.get(scheme, _beam)()
