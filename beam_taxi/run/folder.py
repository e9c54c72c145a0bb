"""The folder of a run: the names of its files, and how they are published."""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.run.manifest import ArtifactFile, RunManifest

MANIFEST = "manifest.json"
"""Written last: without it there is no run."""

EXAMPLES, STATISTICS, SCHEMA, ANOMALIES, REJECTS = "examples", "statistics", "schema", "anomalies", "rejects"
"""Keys of the artifacts, and their folders in that of the run."""

REPORT = "report.html"
"""Rendered from the manifest and the artifacts, so the manifest does not list it."""


def shard_path(split: str, index: int, count: int) -> str:
    """Return the path of a shard below the folder of the Examples, as TFX names it."""
    return f"Split-{split}/data_tfrecord-{index:05d}-of-{count:05d}.gz"


def rejects_path(index: int, count: int) -> str:
    """Return the path of a unit's rejects below the folder of the Rejects: JSON lines."""
    return f"rejects-{index:05d}-of-{count:05d}.jsonl"


def statistics_path(split: str) -> str:
    """Return the path of a split's statistics below the folder of the ExampleStatistics."""
    return f"Split-{split}/FeatureStats.pb"


SCHEMA_PATH = "schema.pbtxt"
"""The path of the schema below the folder of the Schema."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run at `uri`, local or remote. It belongs to the run alone.

    folder = RunFolder("gs://bucket/out/RUN")
    folder.read_manifest().splits
    """

    uri: str

    def uri_of(self, path: str) -> str:
        """Return the URI of a file by its path in the folder."""
        return storage.join(self.uri, path)

    def claim(self) -> None:
        """Create the folder for this launch alone. Raises UsageError if it exists already."""
        try:
            storage.claim(self.uri)
        except FileExistsError as error:
            raise UsageError(f"{self.uri} exists; choose another --run_id") from error

    def remove_claimed(self) -> None:
        """Remove the folder, which this launch has claimed; its job must have ended. Raises OSError."""
        storage.remove_claimed(self.uri)

    def publish(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Yield a file that appears at `path`, complete, when the block ends without an exception."""
        return storage.publish(self.uri, path)

    def publish_bytes(self, artifact: str, path: str, content: bytes, split: str | None = None) -> ArtifactFile:
        """Publish a small file of an artifact."""
        with self.publish(f"{artifact}/{path}") as file:
            file.write(content)
        return ArtifactFile(path, len(content), hashlib.sha256(content).hexdigest(), split)

    def is_whole(self) -> bool:
        """Return whether the run is complete, that is, has its manifest."""
        return storage.exists(self.uri_of(MANIFEST))

    def read_manifest(self) -> RunManifest:
        """Return the manifest. Raises UsageError if it does not exist or is not valid."""
        return read_manifest(self.uri_of(MANIFEST))

    def write_manifest(self, manifest: RunManifest) -> None:
        """Publish the manifest, which makes the run visible to readers.

        Raises BeamTaxiError if a file that it lists is missing from a local folder: a launcher that gives up a run
        removes its files.
        """
        storage.check_published(self.uri, manifest.named_files())
        self.remove_staging()
        with self.publish(MANIFEST) as file:
            file.write(manifest.to_json_text().encode())
        self.remove_staging()

    def remove_staging(self) -> None:
        """Remove what failed attempts left behind in a local folder."""
        storage.remove_staging(self.uri)


def read_manifest(uri: str) -> RunManifest:
    """Return the manifest at a URI, which is its own or that of the run folder. Raises UsageError."""
    place = uri if uri.endswith(".json") else storage.join(uri, MANIFEST)
    try:
        return RunManifest.from_json(json.loads(storage.read_bytes(place)))
    except OSError as error:
        raise UsageError(f"{place}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{place}: not the manifest of a run") from error
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error
