"""The manifest of a run: what it read, what it produced, and everything that determined the result.

It is the only thing that leaves the graph. Its readers (ML Metadata, the report, the terminal, the cache) know nothing
else about a run, and its writer knows none of them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from beam_taxi.errors import UsageError
from beam_taxi.run.leakage import Leakage
from beam_taxi.run.typed_json import InvalidJsonError, from_json
from beam_taxi.run.validation import Summary
from beam_taxi.settings import Settings
from beam_taxi.splitting import upgraded

MANIFEST_VERSION = 1
"""Incremented if the meaning of a key changes, but not for a new key."""


@dataclass(frozen=True)
class ArtifactFile:
    """A file: its path below the folder of its artifact, size in bytes, SHA-256; split, slice and rows if any.

    `content_sha256` is the hash of what a compressed file contains; the compressed bytes depend on the processor.
    """

    path: str
    bytes: int
    sha256: str
    split: str | None = None
    rows: int | None = None
    content_sha256: str | None = None
    slice: str | None = None


@dataclass(frozen=True)
class Artifact:
    """An output of a run: its key, which is also its folder in the run, its type in ML Metadata and its files.

    Transforms return parts of artifacts, each with some of the files; `merge_artifacts` joins them.
    """

    key: str
    type: str
    files: tuple[ArtifactFile, ...]


def merge_artifacts(parts: Iterable[Artifact]) -> dict[str, Artifact]:
    """Return whole artifacts by key, from parts in any order; keys and files are sorted."""
    files: dict[tuple[str, str], list[ArtifactFile]] = {}
    for part in parts:
        files.setdefault((part.key, part.type), []).extend(part.files)
    return {
        key: Artifact(key, type_, tuple(sorted(found, key=lambda file: file.path)))
        for (key, type_), found in sorted(files.items())
    }


@dataclass(frozen=True)
class InputEntry:
    """An input and what became of it; whatever is unknown before the run has a default.

    The prefix of `content_hash` names how it was built. `rejects` counts bad rows by reason code, `split_rows` rows by
    split. `columns` has the columns as they are stored, if they are not those of the run in their order.
    """

    uri: str
    format: str
    size: int
    content_hash: str | None = None
    rows: int | None = None
    blank_lines: int = 0
    rejects: Mapping[str, int] = field(default_factory=dict)
    split_rows: Mapping[str, int] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None

    @property
    def records(self) -> int:
        """Rows, good and bad."""
        return (self.rows or 0) + sum(self.rejects.values())


@dataclass(frozen=True)
class SplitEntry:
    """A split: its share is `weight` over the sum of the weights, if a hash decides; `rows` are None before the run."""

    name: str
    weight: int | None = None
    rows: int | None = None


@dataclass(frozen=True)
class FeatureEntry:
    """A feature and the type of its values: INT, FLOAT or STRING, or MISSING if it has none."""

    name: str
    type: str


@dataclass(frozen=True)
class PartEntry:
    """A run that was merged into this one: the URI of its folder, its id, and its digest."""

    uri: str
    run_id: str
    digest: str


@dataclass(frozen=True)
class RunManifest:
    """A run. A planned run has no artifacts, and nothing that is known only from the data.

    `started` is in ISO 8601; `columns` are in the order of the first input, `features` in that of the Examples.
    `versions` has everything that determines the content of the artifacts; `code` is a hash of this package's source.
    `validation` is the summary of the judgement, whose file is `validation_file`, if there is one.
    `profile_file` is that of the profile, and `sketch_files` are those of the counts that can be merged, by split and
    slice; earlier releases wrote neither. `parts` are the runs of which this one was merged; others have none.

    `given` has the URIs of the given schema and checks, by the names of their options; their texts are in `settings`.
    `baseline_sha256` is the hash of the statistics that the data are compared with: of a run, as the content of its
    artifact has it, else of the file. `statistics_options` is JSON that TFDV's `StatsOptions.from_json` reads: the
    options of the statistics, without the given schema.

    `span` is the day of the run in days since 1970-01-01, None without `--date`; `version` is that of its files, None
    without `{VERSION}` in their names. `leakage` says whether a key is in several splits; it is None if that cannot be.
    """

    run_id: str
    pipeline_name: str
    run_uri: str
    settings: Settings
    settings_sha256: str
    versions: Mapping[str, str]
    inputs: tuple[InputEntry, ...]
    splits: tuple[SplitEntry, ...]
    started: str = ""
    columns: tuple[str, ...] = ()
    features: tuple[FeatureEntry, ...] = ()
    warnings: tuple[str, ...] = ()
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    validation: Summary = field(default_factory=Summary)
    validation_file: ArtifactFile | None = None
    profile_file: ArtifactFile | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    baseline_sha256: str | None = None
    statistics_options: str | None = None
    span: int | None = None
    version: int | None = None
    sketch_files: tuple[ArtifactFile, ...] = ()
    parts: tuple[PartEntry, ...] = ()
    leakage: Leakage | None = None

    def named_files(self) -> dict[str, ArtifactFile]:
        """Return every file that the manifest names, by its path in the run folder."""
        files = {f"{one.key}/{file.path}": file for one in self.artifacts.values() for file in one.files}
        own = (self.validation_file, self.profile_file, *self.sketch_files)
        return files | {file.path: file for file in own if file is not None}

    def digest(self) -> str:
        """Return the SHA-256 of what identifies the result: pipeline, settings, content of the inputs and artifacts.

        Two runs have the same digest if they wrote the same records of the same inputs, wherever and whenever.
        """
        lines = [f"pipeline {self.pipeline_name}", f"settings {self.settings_sha256}"]
        lines += [f"input {one.uri} {one.content_hash}" for one in self.inputs]
        lines += [f"part {one.digest}" for one in self.parts]
        for key, artifact in sorted(self.artifacts.items()):
            lines += [f"{key}/{one.path} {one.content_sha256 or one.sha256}" for one in artifact.files]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()

    def count_rejects(self) -> Counter[str]:
        """Return the rejected rows by reason code."""
        return sum((Counter(entry.rejects) for entry in self.inputs), Counter())

    def to_json(self) -> dict[str, object]:
        """Return the manifest as JSON values; `from_json` is the inverse."""
        values: dict[str, Any] = {"manifest_version": MANIFEST_VERSION}
        values |= {name: value for name, value in vars(self).items() if name not in ("settings", "artifacts")}
        values["settings"] = self.settings.to_json()
        values["validation"] = asdict(self.validation)
        values["leakage"] = None if self.leakage is None else asdict(self.leakage)
        for name in ("validation_file", "profile_file"):
            file = getattr(self, name)
            values[name] = None if file is None else _without_none(vars(file))
        for name in ("inputs", "splits", "features", "sketch_files", "parts"):
            values[name] = [_without_none(asdict(one)) for one in values[name]]
        values["artifacts"] = {
            key: {"type": one.type, "path": key, "files": [_without_none(vars(file)) for file in one.files]}
            for key, one in self.artifacts.items()
        }
        return values

    def to_json_text(self) -> str:
        """Return the content of manifest.json."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(values: object) -> RunManifest:
        """Return the manifest that `to_json` wrote. Raises UsageError, which says what is wrong."""
        if not isinstance(values, dict) or not values.keys() >= _KEYS:
            raise UsageError("not the manifest of a run")
        if values.get("manifest_version") != MANIFEST_VERSION:
            found = values.get("manifest_version")
            raise UsageError(f"manifest version {found!r}; this release of beam_taxi reads version {MANIFEST_VERSION}")
        try:
            artifacts = {key: {**one, "key": key} for key, one in values["artifacts"].items()}
            settings = upgraded(values["settings"])
            return from_json(RunManifest, {**values, "artifacts": artifacts, "settings": settings})
        except (AttributeError, TypeError, InvalidJsonError) as error:
            raise UsageError(f"invalid manifest: {error}") from error


_KEYS = {"run_id", "run_uri", "settings", "inputs", "splits", "artifacts"}


def _without_none(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
