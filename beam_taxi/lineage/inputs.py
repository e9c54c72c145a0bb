"""The input datasets of a run: what was given as `--input`, whose names are the same from run to run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from beam_taxi import storage
from beam_taxi.lineage.naming import DatasetName, dataset_name, to_uri
from beam_taxi.run.manifest import FeatureEntry, InputEntry, RunManifest

_TABLES = "bq://"
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
    given = _given(manifest.settings.input)
    grouped: dict[str, list[InputEntry]] = {}
    for entry in manifest.inputs:
        grouped.setdefault(_uri_of(entry.uri, given), []).append(entry)
    return tuple(Input(uri, tuple(entries)) for uri, entries in grouped.items())


def _given(patterns: Iterable[str]) -> list[str]:
    """Return what patterns start with, up to the last slash before a wildcard; the longest first."""
    absolute = [one if one.startswith(_TABLES) else storage.absolute(one) for one in patterns]
    folders = [one[: found.start()].rpartition("/")[0] for one in absolute if (found := re.search(r"[*?[{]", one))]
    return sorted({*absolute, *folders}, key=lambda one: (-len(one), one))


def _uri_of(uri: str, given: Iterable[str]) -> str:
    """Return the URI of the dataset that a file or table is or belongs to."""
    for one in given:
        if uri == one or uri.startswith(f"{one.rstrip('/')}/"):
            return one
    # A relative path in the manifest of a run that was launched in another folder, or a query.
    return uri if uri.startswith(_TABLES) else uri.rpartition("/")[0]


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
