"""What a report is made from: a run, a split or a file of statistics, wherever it lies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from beam_taxi import layout, storage
from beam_taxi.errors import UsageError

ALL_ROWS = "All Examples"
"""TFDV's name of the data set of all rows, where it stands beside slices."""

_STATISTICS = "FeatureStats.pb"


@dataclass(frozen=True)
class Source:
    """Statistics by split, in order, and what is known beside them; `anomalies` by split where rows were validated."""

    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatistics]
    manifest: Mapping[str, Any] | None = None
    schema: schema_pb2.Schema | None = None
    anomalies: Mapping[str, anomalies_pb2.Anomalies] = field(default_factory=dict)
    name: str = ""


def overall(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> statistics_pb2.DatasetFeatureStatistics:
    """Return the data set of all rows."""
    by_name = {dataset.name: dataset for dataset in statistics.datasets}
    found: statistics_pb2.DatasetFeatureStatistics = by_name.get(ALL_ROWS, statistics.datasets[0])
    return found


def read(uri: str) -> Source:
    """Read a run folder, a split's folder or a file of statistics. Raises UsageError on anything else."""
    uri = storage.absolute(uri)
    if storage.exists(storage.join(uri, layout.MANIFEST)):
        return _read_run(uri)
    if storage.exists(storage.join(uri, _STATISTICS)):
        split = uri.rsplit("/", 1)[-1].removeprefix("Split-")
        return Source({split: _read_statistics(storage.join(uri, _STATISTICS))}, name=uri)
    if not storage.is_remote(uri) and os.path.isdir(uri):
        raise UsageError(f"{uri}: has neither {layout.MANIFEST} nor {_STATISTICS}: it is no finished run and no split")
    folder, name = os.path.split(uri)
    if name == layout.MANIFEST:
        return _read_run(folder)
    split = folder.rsplit("/", 1)[-1].removeprefix("Split-") if name == _STATISTICS else name
    return Source({split: _read_statistics(uri)}, name=uri)


def _read_run(uri: str) -> Source:
    manifest = layout.read_manifest(uri)
    names = [split["name"] for split in manifest["splits"]]
    artifacts = manifest["artifacts"]
    statistics = {name: _read_statistics(storage.join(uri, layout.statistics_path(name))) for name in names}
    schema = text_format.Parse(_read(storage.join(uri, layout.SCHEMA_PATH)).decode(), schema_pb2.Schema())
    anomalies = {}
    for file in artifacts.get("anomalies", {}).get("files", []):
        content = _read(storage.join(uri, artifacts["anomalies"]["path"], file["path"]))
        anomalies[file["split"]] = anomalies_pb2.Anomalies.FromString(content)
    return Source(statistics, manifest, schema, anomalies, manifest["run_id"])


def _read(uri: str) -> bytes:
    try:
        return storage.read_bytes(uri)
    except OSError as error:
        raise UsageError(f"{uri}: cannot be read: {error.strerror or error}") from None


def _read_statistics(uri: str) -> statistics_pb2.DatasetFeatureStatistics:
    """Read a DatasetFeatureStatisticsList, serialized or, where the name ends in .pbtxt, as text."""
    content = _read(uri)
    try:
        if uri.endswith(".pbtxt"):
            found = text_format.Parse(content.decode(), statistics_pb2.DatasetFeatureStatisticsList())
        else:
            found = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError):
        found = statistics_pb2.DatasetFeatureStatisticsList()
    if not found.datasets:
        raise UsageError(f"{uri}: holds no statistics: give a run, a split or a DatasetFeatureStatisticsList")
    return overall(found)
