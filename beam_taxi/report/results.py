"""What a report is made from: a run, a split or a file of statistics, local or remote."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.run.folder import (
    ANOMALIES,
    MANIFEST,
    SCHEMA,
    SCHEMA_PATH,
    STATISTICS,
    RunFolder,
    read_manifest,
    statistics_path,
)
from beam_taxi.run.manifest import RunManifest
from beam_taxi.statistics.splits import overall

_STATISTICS = "FeatureStats.pb"


@dataclass(frozen=True)
class Results:
    """Statistics by split, in order, and what else is known; `anomalies` are by split, if the data was validated."""

    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatistics]
    manifest: RunManifest | None = None
    schema: schema_pb2.Schema | None = None
    anomalies: Mapping[str, anomalies_pb2.Anomalies] = field(default_factory=dict)
    name: str = ""


def read(uri: str) -> Results:
    """Read a run folder, a split's folder or a file of statistics. Raises UsageError on anything else."""
    uri = storage.absolute(uri)
    if RunFolder(uri).is_whole():
        return read_run(uri, read_manifest(uri))
    if storage.exists(storage.join(uri, _STATISTICS)):
        split = uri.rsplit("/", 1)[-1].removeprefix("Split-")
        return Results({split: _read_statistics(storage.join(uri, _STATISTICS))}, name=uri)
    if not storage.is_remote(uri) and os.path.isdir(uri):
        raise UsageError(f"{uri}: has neither {MANIFEST} nor {_STATISTICS}: not a finished run or a split")
    folder, name = os.path.split(uri)
    if name == MANIFEST:
        return read_run(folder, read_manifest(uri))
    split = folder.rsplit("/", 1)[-1].removeprefix("Split-") if name == _STATISTICS else name
    return Results({split: _read_statistics(uri)}, name=uri)


def read_run(uri: str, manifest: RunManifest) -> Results:
    """Read the results of the run at `uri`. Raises UsageError."""
    folder = RunFolder(uri)
    statistics = {
        split.name: _read_statistics(folder.uri_of(f"{STATISTICS}/{statistics_path(split.name)}"))
        for split in manifest.splits
    }
    schema = text_format.Parse(_read(folder.uri_of(f"{SCHEMA}/{SCHEMA_PATH}")).decode(), schema_pb2.Schema())
    anomalies = {}
    for file in manifest.artifacts[ANOMALIES].files if ANOMALIES in manifest.artifacts else ():
        content = _read(folder.uri_of(f"{ANOMALIES}/{file.path}"))
        anomalies[file.split or ""] = anomalies_pb2.Anomalies.FromString(content)
    return Results(statistics, manifest, schema, anomalies, manifest.run_id)


def _read(uri: str) -> bytes:
    try:
        return storage.read_bytes(uri)
    except OSError as error:
        raise UsageError(f"{uri}: cannot be read: {error.strerror or error}") from error


def _read_statistics(uri: str) -> statistics_pb2.DatasetFeatureStatistics:
    """Read a DatasetFeatureStatisticsList, serialized or, if the name ends in .pbtxt, as text."""
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
