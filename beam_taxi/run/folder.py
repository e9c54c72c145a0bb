"""The folder of a run: the names of its files, and how they are published."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, TypeVar

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.example_formats import FORMATS, TFRECORD_GZIP
from beam_taxi.run.manifest import ArtifactFile, RunManifest
from beam_taxi.run.profile import Profile
from beam_taxi.run.validation import Validation

Parsed = TypeVar("Parsed")

Holder = Mapping[str, str | int]
"""What a launch says of itself in the claim of its folder."""

MANIFEST = "manifest.json"
"""Written last: without it there is no run."""

EXAMPLES, STATISTICS, SCHEMA, ANOMALIES, REJECTS = "examples", "statistics", "schema", "anomalies", "rejects"
INFERRED_SCHEMA = "inferred_schema"
"""Keys of the artifacts, and their folders in that of the run.

The inferred schema has a folder of its own if another is given, since TFX's readers expect one file in that of a
Schema.
"""

VALIDATION = "validation.json"
"""The judgement of the data, if there is one; the manifest has its summary."""

PROFILE = "profile.json"
"""Counts of every column, by split and slice."""

SKETCHES = "sketches"
"""The folder of the counts that can be merged with those of other runs."""

REPORT, JUNIT, OPENLINEAGE = "report.html", "junit.xml", "openlineage.ndjson"
"""Rendered from the manifest and the artifacts, so the manifest does not list them."""

PRUNED = "pruned.json"
"""The manifest of a run whose files are being removed: without `manifest.json` there is no run."""

PLAN = "_plan"
"""A large plan of the input, for the workers. It stays, since a runner may execute the last step again."""

_NOT_IN_MANIFEST = (REPORT, JUNIT, OPENLINEAGE, PLAN, storage.CLAIM)


def shard_path(split: str, index: int, count: int, example_format: str = TFRECORD_GZIP) -> str:
    """Return the path of a shard below the folder of the Examples; TFRecords are named as TFX names them."""
    one = FORMATS[example_format]
    return f"Split-{split}/{one.prefix}-{index:05d}-of-{count:05d}{one.suffix}"


def rejects_path(index: int, count: int) -> str:
    """Return the path of a unit's rejects below the folder of the Rejects: JSON lines."""
    return f"rejects-{index:05d}-of-{count:05d}.jsonl"


STATISTICS_FILE = "FeatureStats.pb"
"""The name of the one file in the folder of a split's statistics."""


def statistics_path(split: str) -> str:
    """Return the path of a split's statistics below the folder of the ExampleStatistics."""
    return f"Split-{split}/{STATISTICS_FILE}"


def anomalies_path(split: str) -> str:
    """Return the path of a split's anomalies below the folder of the ExampleAnomalies."""
    return f"Split-{split}/SchemaDiff.pb"


def sketches_path(split: str, slice_key: str = "") -> str:
    """Return the path of the counts of a split, or of a slice of it, in the run folder.

    A slice key may have characters that no name of a file can have.
    """
    name = f"slice-{hashlib.sha256(slice_key.encode()).hexdigest()[:32]}" if slice_key else "all"
    return f"{SKETCHES}/Split-{split}/{name}.parquet"


SCHEMA_PATH = "schema.pbtxt"
"""The path of the schema below the folder of the Schema."""


def new_token() -> str:
    """Return a token that no other launch has."""
    return secrets.token_hex(8)


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

    def claim(self, holder: Holder = MappingProxyType({}), token: str = "") -> str:
        """Create the folder for this launch alone, and return its token. Raises UsageError if it exists already.

        `holder` is what the launch says of itself to others that want the folder. A launch that may be interrupted
        brings its own `token`, a new one, to know the folder by.
        """
        token = token or new_token()
        try:
            storage.claim(self.uri, json.dumps({**holder, "token": token}))
        except FileExistsError as error:
            run_id = self.uri.rpartition("/")[2]
            raise UsageError(f"--run_id {run_id}: {self.uri} exists; choose another --run_id") from error
        return token

    def remove_claimed(self, token: str) -> None:
        """Remove the folder of a run whose job has ended, if it belongs to the launch with this token. Raises OSError.

        It does not if the run is complete, was removed, or another launch has claimed the folder since.
        """
        if self.holder().get("token") == token:
            storage.remove_claimed(self.uri)

    def holder(self) -> Holder:
        """Return the token of the launch that the folder belongs to, with what it says of itself; empty if none.

        A run that is complete belongs to no launch.
        """
        claim = self.uri_of(storage.CLAIM)
        try:
            text = storage.read_bytes(claim).decode() if storage.exists(claim) else "{}"
        except FileNotFoundError:
            # It was released between the two looks.
            return {}
        # In older releases the claim was the token alone.
        return json.loads(text) if text.startswith("{") else {"token": text}

    def publish(self, path: str, is_same: storage.IsSame | None = None) -> AbstractContextManager[BinaryIO]:
        """Yield a file that appears at `path`, complete, when the block ends without an exception.

        A file that is there already is kept: the runner may execute a step again, on another machine. Raises
        StorageError unless the file has the same content, or `is_same` accepts it.
        """
        return storage.publish(self.uri, path, is_same)

    def publish_bytes(
        self, artifact: str, path: str, content: bytes, split: str | None = None
    ) -> tuple[ArtifactFile, bytes]:
        """Publish a small file of an artifact; return it with its content, which is that of the first execution."""
        kept = self.publish_first(f"{artifact}/{path}", content)
        return ArtifactFile(path, len(kept), hashlib.sha256(kept).hexdigest(), split), kept

    def publish_first(self, path: str, content: bytes) -> bytes:
        """Publish a small file, and return its content, which is that of the first execution."""
        kept = [content]

        def keep(file: BinaryIO) -> bool:
            kept[0] = file.read()
            return True

        with self.publish(path, keep) as file:
            file.write(content)
        return kept[0]

    def read_validation(self) -> Validation:
        """Return the judgement of the data. Raises UsageError if it does not exist or is not valid."""
        return self._read(VALIDATION, Validation.from_json)

    def read_profile(self) -> Profile:
        """Return the profile of the data. Raises UsageError if it does not exist or is not valid."""
        return self._read(PROFILE, Profile.from_json)

    def _read(self, path: str, parse: Callable[[object], Parsed]) -> Parsed:
        uri = self.uri_of(path)
        try:
            return parse(json.loads(storage.read_bytes(uri)))
        except OSError as error:
            raise UsageError(f"{uri}: cannot be read: {error.strerror or error}") from error
        except (ValueError, UsageError) as error:
            raise UsageError(f"{uri}: {error}") from error

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
        with self.publish(MANIFEST) as file:
            file.write(manifest.to_json_text().encode())
        self.remove_staging()

    def files_of(self, manifest: RunManifest) -> tuple[list[storage.InputFile], list[storage.InputFile]]:
        """Return the files in the folder that the run wrote, and all others, by name."""
        own = {self.uri_of(path) for path in (*manifest.named_files(), *_NOT_IN_MANIFEST, MANIFEST, PRUNED)}
        found = storage.match_below(self.uri)
        return [file for file in found if file.uri in own], [file for file in found if file.uri not in own]

    def manifest_to_remove(self) -> RunManifest | None:
        """Return the manifest of a run that is to be removed, or that `remove` has begun with; None if it is gone."""
        for path in (MANIFEST, PRUNED):
            if storage.exists(self.uri_of(path)):
                return read_manifest(self.uri_of(path))
        return None

    def remove(self, manifest: RunManifest) -> None:
        """Remove the files that a run wrote; others stay. Raises OSError and StorageError.

        The manifest goes first, so that no reader takes the rest for a run, and its copy last. A removal that was
        interrupted is repeated with the manifest that `manifest_to_remove` returns.
        """
        with self.publish(PRUNED, lambda _: True) as file:
            file.write(manifest.to_json_text().encode())
        for paths in ([MANIFEST], [*manifest.named_files(), *_NOT_IN_MANIFEST], [PRUNED]):
            storage.remove_files(self.uri, paths)

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
