"""One hash for the files of an artifact, for all inputs, or for a text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from beam_taxi.metadata.texts import storable
from beam_taxi.run.manifest import ArtifactFile, InputEntry


def hash_of_files(files: Iterable[ArtifactFile]) -> str:
    """Return one hash for the files of an artifact: SHA-256 of their sorted paths and hashes."""
    return _hash_lines(f"{file.path} {file.sha256}\n" for file in files)


def fingerprint(entries: Iterable[InputEntry]) -> str:
    """Return one hash for the inputs: SHA-256 of their sorted URIs and content hashes."""
    return _hash_lines(f"{entry.uri} {entry.content_hash}\n" for entry in entries)


def hash_of_text(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, which is that of the file that holds it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_lines(lines: Iterable[str]) -> str:
    return hash_of_text(storable("".join(sorted(lines))))
