"""What a report is made from: a run, a split or a file of statistics, local or remote."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.run.folder import MANIFEST, SCHEMA, SCHEMA_PATH, RunFolder, read_manifest
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.profile import Profile
from beam_taxi.run.validation import Validation
from beam_taxi.statistics.estimate import estimated_profile
from beam_taxi.statistics.read import AnyStatistics, read_statistics, statistics_of_run
from beam_taxi.statistics.splits import overall


@dataclass(frozen=True)
class Results:
    """The profile, statistics by split, in order, and what else is known.

    `validation` is None if nothing judged the data.
    """

    profile: Profile
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatistics]
    manifest: RunManifest | None = None
    schema: schema_pb2.Schema | None = None
    validation: Validation | None = None
    name: str = ""


def read(uri: str) -> Results:
    """Read a run folder, a split's folder or a file of statistics. Raises UsageError on anything else."""
    uri = storage.absolute(uri)
    folder, name = os.path.split(uri)
    if name == MANIFEST:
        return read_run(folder, read_manifest(uri))
    if RunFolder(uri).is_whole():
        return read_run(uri, read_manifest(uri))
    statistics = read_statistics(uri)
    return Results(estimated_profile(statistics), _overall(statistics), name=uri)


def read_run(uri: str, manifest: RunManifest) -> Results:
    """Read the results of the run at `uri`. Raises UsageError."""
    folder = RunFolder(uri)
    statistics = statistics_of_run(uri, manifest)
    profile = estimated_profile(statistics) if manifest.profile_file is None else folder.read_profile()
    schema = text_format.Parse(_read(folder.uri_of(f"{SCHEMA}/{SCHEMA_PATH}")).decode(), schema_pb2.Schema())
    validation = None if manifest.validation_file is None else folder.read_validation()
    return Results(profile, _overall(statistics), manifest, schema, validation, manifest.run_id)


def _overall(statistics: Mapping[str, AnyStatistics]) -> dict[str, statistics_pb2.DatasetFeatureStatistics]:
    return {split: overall(found) for split, found in statistics.items()}


def _read(uri: str) -> bytes:
    try:
        return storage.read_bytes(uri)
    except OSError as error:
        raise UsageError(f"{uri}: cannot be read: {error.strerror or error}") from error
