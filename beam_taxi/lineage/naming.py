"""The names of datasets, by OpenLineage's conventions (https://openlineage.io/docs/spec/naming)."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

_BIGQUERY = "bq"
_OBJECT_STORES = ("gs", "s3")
_ROOT = "/"


class DatasetName(NamedTuple):
    """The namespace of a dataset, and its name within it."""

    namespace: str
    name: str


def dataset_name(uri: str) -> DatasetName:
    """Return the name of the dataset at a URI or an absolute local path.

    dataset_name("/data/a.csv")  # ("file", "/data/a.csv")
    dataset_name("gs://bucket/in/a.csv")  # ("gs://bucket", "in/a.csv")
    dataset_name("bq://project.dataset.table")  # ("bigquery", "project.dataset.table")
    """
    scheme, path = _split(uri)
    if scheme == "file":
        return DatasetName("file", path.rstrip("/") or _ROOT)
    if scheme == _BIGQUERY:
        return DatasetName("bigquery", path)
    authority, _, name = path.partition("/")
    name = name.rstrip("/")
    return DatasetName(f"{scheme}://{authority}", name or _ROOT if scheme in _OBJECT_STORES else f"/{name}")


def to_uri(uri: str) -> str:
    """Return a URI of what is at a URI or an absolute local path, with what a URI cannot have escaped."""
    scheme, path = _split(uri)
    return f"{scheme}://{quote(path, safe='/:@')}"


def _split(uri: str) -> tuple[str, str]:
    scheme, separator, path = uri.partition("://")
    return (scheme, path) if separator else ("file", uri)
