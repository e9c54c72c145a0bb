"""The output datasets of a run: each split of the Examples, and each other artifact."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from beam_taxi import storage
from beam_taxi.run.folder import EXAMPLES
from beam_taxi.run.manifest import ArtifactFile, RunManifest


@dataclass(frozen=True)
class Output:
    """A folder of files; `split` is that of Examples."""

    uri: str
    type: str
    files: tuple[ArtifactFile, ...]
    split: str | None = None

    @property
    def size(self) -> int:
        """Bytes, as they are stored."""
        return sum(one.bytes for one in self.files)

    @property
    def rows(self) -> int | None:
        """Rows, None of what has no rows of its own."""
        return sum(one.rows or 0 for one in self.files) if self.split is not None else None

    @property
    def version(self) -> str:
        """What changes with the content of the files."""
        lines = "".join(f"{one.path} {one.content_sha256 or one.sha256}\n" for one in self.files)
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def outputs_of(manifest: RunManifest) -> tuple[Output, ...]:
    """Return the output datasets. Training code reads a split, so each split of the Examples is one."""
    found = list[Output]()
    for key, artifact in manifest.artifacts.items():
        uri = storage.join(manifest.run_uri, key)
        if key == EXAMPLES:
            found += _splits(uri, artifact.type, artifact.files)
        else:
            found.append(Output(uri, artifact.type, artifact.files))
    return tuple(found)


def _splits(uri: str, type_: str, files: Sequence[ArtifactFile]) -> Iterable[Output]:
    for folder in dict.fromkeys(one.path.rpartition("/")[0] for one in files):
        those = tuple(one for one in files if one.path.rpartition("/")[0] == folder)
        yield Output(storage.join(uri, folder), type_, those, those[0].split)
