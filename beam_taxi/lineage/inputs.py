"""The input datasets of a run: what was given as `--input`, whose names are the same from run to run."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from beam_taxi import storage
from beam_taxi.lineage.naming import DatasetName, dataset_name, to_uri
from beam_taxi.run.manifest import FeatureEntry, InputEntry, RunManifest

_TABLES = "bq://"
_WILDCARD = re.compile(r"[*?[{]")
_TYPES = {"INT": "long", "FLOAT": "float", "STRING": "string"}
"""Types of features by the names that readers of lineage know."""


@dataclass(frozen=True)
class Input:
    """A dataset at `uri`: a file, a table, or a folder with the files that a pattern names."""

    uri: str
    entries: tuple[InputEntry, ...]

    @property
    def name(self) -> DatasetName:
        """The name of the dataset."""
        return dataset_name(self.uri)

    @property
    def source(self) -> tuple[str, str]:
        """The name of where the dataset is, and its URI."""
        return self.name.namespace, to_uri(self.uri)

    @property
    def type(self) -> tuple[str, str]:
        """The type of the dataset, and its formats."""
        formats = "+".join(sorted({one.format.upper() for one in self.entries}))
        return ("TABLE" if self.uri.startswith(_TABLES) else "FILE"), formats

    @property
    def size(self) -> int:
        """Bytes, as they are stored."""
        return sum(one.size for one in self.entries)

    @property
    def rows(self) -> int | None:
        """Rows, good and bad, None before the run."""
        known = [one.records for one in self.entries if one.rows is not None]
        return sum(known) if len(known) == len(self.entries) else None

    @property
    def version(self) -> str | None:
        """What changes with the content: the content hash of a file, a hash of those of several."""
        hashes = [one.content_hash for one in self.entries]
        if len(hashes) == 1:
            return hashes[0]
        if None in hashes:
            return None
        lines = "".join(f"{one.uri} {one.content_hash}\n" for one in self.entries)
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def inputs_of(manifest: RunManifest) -> tuple[Input, ...]:
    """Return the input datasets of a run, in the order of its inputs.

    Files that a pattern or a folder names are one dataset: the folder above the first wildcard.
    """
    given = [_Given(pattern) for pattern in manifest.settings.input]
    grouped: dict[str, list[InputEntry]] = {}
    for entry in manifest.inputs:
        grouped.setdefault(_uri_of(entry.uri, given), []).append(entry)
    return tuple(Input(uri, tuple(entries)) for uri, entries in grouped.items())


class _Given:
    """A path or pattern that was given as an input, and what is the same in all files that it names."""

    def __init__(self, pattern: str) -> None:
        is_local = not storage.is_remote(pattern)
        if is_local and not pattern.startswith(("/", "file://")):
            # The folder that a relative path starts from is not in the manifest.
            self._parts = [part for part in os.path.normpath(pattern).split("/") if part not in (".", "..")]
        else:
            self._parts = []
        self._whole = storage.absolute(pattern) if is_local else pattern
        wildcard = _WILDCARD.search(self._whole)
        self._fixed = self._whole if wildcard is None else self._whole[: wildcard.start()].rpartition("/")[0]

    def dataset_of(self, uri: str) -> str | None:
        """Return the URI of the dataset that a file is or belongs to, None if this does not name the file."""
        if self._parts:
            return self._from_relative(uri.split("/"))
        if uri == self._whole:
            return uri
        return self._fixed if uri.startswith(f"{self._fixed.rstrip('/')}/") else None

    def _from_relative(self, parts: Sequence[str]) -> str | None:
        """Look for the path at the end of a file's, and then before: it may name a folder above."""
        count = len(self._parts)
        fixed = next((n for n, part in enumerate(self._parts) if _WILDCARD.search(part)), count)
        for start in range(len(parts) - count, 0, -1):
            found = parts[start : start + count]
            if found == self._parts:
                return "/".join(parts[: start + count])
            if all(map(fnmatchcase, found, self._parts)):
                return "/".join(parts[: start + fixed])
        return None


def _uri_of(uri: str, given: Iterable[_Given]) -> str:
    """Return the URI of the dataset that a file or table is or belongs to."""
    if uri.startswith(_TABLES):
        # It has no folder, even if it was given by the placeholders of a day.
        return uri
    found = [one for one in (pattern.dataset_of(uri) for pattern in given) if one is not None]
    # The folder `.` has no name that was given.
    return max(found, key=len, default=uri.rpartition("/")[0])


def stored_columns(manifest: RunManifest, entries: Iterable[InputEntry]) -> list[str]:
    """Return the columns of inputs by the names that they have there."""
    found = dict[str, None]()
    for entry in entries:
        found |= dict.fromkeys(manifest.columns if entry.columns is None else entry.columns)
    return list(found)


def stored_names(manifest: RunManifest) -> dict[str, str]:
    """Return the name of each feature's column in the inputs."""
    stored = {new: old for old, new in manifest.settings.columns.names.items()}
    return {one.name: stored.get(one.name, one.name) for one in manifest.features}


def types_of(features: Iterable[FeatureEntry]) -> Mapping[str, str | None]:
    """Return the types of features by name, None for those without any value."""
    return {one.name: _TYPES.get(one.type) for one in features}
