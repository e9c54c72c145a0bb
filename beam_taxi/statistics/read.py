"""Read the statistics of a run or a split, or a file of statistics, local or remote."""

from __future__ import annotations

import os
from typing import TypeAlias

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.run.folder import MANIFEST, STATISTICS, STATISTICS_FILE, RunFolder, read_manifest, statistics_path
from beam_taxi.run.manifest import RunManifest

AnyStatistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
"""The statistics of a split: of all rows, and of each slice."""


def read_statistics(uri: str) -> dict[str, AnyStatistics]:
    """Return the statistics of a run's splits, of a split's folder, or of a file, by name of the split.

    Raises UsageError on anything else.

        read_statistics("out/RUN")["train"].datasets[0].num_examples
    """
    uri = storage.absolute(uri)
    if RunFolder(uri).is_whole():
        return statistics_of_run(uri, read_manifest(uri))
    if storage.exists(storage.join(uri, STATISTICS_FILE)):
        return {_split(uri): _read(storage.join(uri, STATISTICS_FILE))}
    if not storage.is_remote(uri) and os.path.isdir(uri):
        raise UsageError(f"{uri}: has neither {MANIFEST} nor {STATISTICS_FILE}: not a finished run or a split")
    folder, name = os.path.split(uri)
    if name == MANIFEST:
        return statistics_of_run(folder, read_manifest(uri))
    return {_split(folder) if name == STATISTICS_FILE else name: _read(uri)}


def statistics_of_run(uri: str, manifest: RunManifest) -> dict[str, AnyStatistics]:
    """Return the statistics of the splits of the run at `uri`. Raises UsageError."""
    folder = RunFolder(uri)
    return {
        split.name: _read(folder.uri_of(f"{STATISTICS}/{statistics_path(split.name)}")) for split in manifest.splits
    }


def _split(folder: str) -> str:
    return folder.rsplit("/", 1)[-1].removeprefix("Split-")


def _read(uri: str) -> AnyStatistics:
    """Read a DatasetFeatureStatisticsList, serialized, or as text if the name ends in .pbtxt."""
    try:
        content = storage.read_bytes(uri)
    except OSError as error:
        raise UsageError(f"{uri}: cannot be read: {error.strerror or error}") from error
    try:
        if uri.endswith(".pbtxt"):
            found = text_format.Parse(content.decode(), statistics_pb2.DatasetFeatureStatisticsList())
        else:
            found = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError):
        found = statistics_pb2.DatasetFeatureStatisticsList()
    if not found.datasets:
        raise UsageError(f"{uri}: contains no statistics; choose a run, a split or a file of statistics")
    return found
