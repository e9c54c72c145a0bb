"""The run folder: names of files, and the manifest."""

from __future__ import annotations

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import beam_taxi
from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.settings import Settings

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
_MANIFEST_KEYS = {"run_id", "run_uri", "settings", "inputs", "splits", "artifacts"}
_VERSIONS = ("apache-beam", "tensorflow-data-validation", "tensorflow-metadata", "pyarrow", "numpy", "isal")

REPORT = "report.html"
"""For people; under `files` in the manifest, since it is no artifact of ML Metadata."""


@dataclass(frozen=True)
class WrittenFile:
    """A file of a run: its path in the run folder, size in bytes and SHA-256; rows and split where it has them."""

    path: str
    bytes: int
    sha256: str
    split: str | None = None
    rows: int | None = None


def shard_path(split: str, index: int, count: int) -> str:
    """Return the path of a shard of Examples in the run folder, as TFX names it."""
    return f"examples/Split-{split}/data_tfrecord-{index:05d}-of-{count:05d}.gz"


def rejects_path(index: int, count: int) -> str:
    """Return the path of the rejects of a unit in the run folder: JSON lines."""
    return f"rejects/rejects-{index:05d}-of-{count:05d}.jsonl"


def statistics_path(split: str) -> str:
    """Return the path of the statistics of a split in the run folder."""
    return f"statistics/Split-{split}/FeatureStats.pb"


SCHEMA_PATH = "schema/schema.pbtxt"


def artifact_entry(type_name: str, files: list[WrittenFile]) -> dict[str, Any]:
    """Return an artifact as the manifest lists it; all files lie in the folder that their paths begin with."""
    folder = files[0].path.split("/")[0]
    entries = [file_entry(file) for file in sorted(files, key=lambda f: f.path)]
    for entry in entries:
        entry["path"] = entry["path"].removeprefix(folder + "/")
    return {"type": type_name, "path": folder, "files": entries}


def file_entry(file: WrittenFile) -> dict[str, Any]:
    """Return a file as the manifest lists it."""
    entry: dict[str, Any] = {"path": file.path, "bytes": file.bytes, "sha256": file.sha256}
    entry |= {} if file.split is None else {"split": file.split}
    entry |= {} if file.rows is None else {"rows": file.rows}
    return entry


def versions() -> dict[str, str]:
    """Return the versions of what decides the content of a run; `code` is a hash of this package's source."""
    code = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        code.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    found = {name: version(name) for name in _VERSIONS}
    return {
        "beam_taxi": beam_taxi.__version__,
        "code": f"sha256:{code.hexdigest()}",
        "python": platform.python_version(),
        **found,
    }


def check_versions(expected: Mapping[str, str]) -> None:
    """Raise BeamTaxiError where this process, a worker, has other versions than the launcher `expected`."""
    found = versions() if expected else {}
    wrong = [
        f"{name} {found.get(name)} instead of {wanted}"
        for name, wanted in expected.items()
        if found.get(name) != wanted
    ]
    if wrong:
        raise BeamTaxiError(f"a worker has {', '.join(wrong)}: install on the workers what the launcher has")


def named_files(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return every file that a manifest names, by its path in the run folder: its entry."""
    found = {file["path"]: file for file in manifest.get("files", ())}
    for artifact in manifest["artifacts"].values():
        found |= {f"{artifact['path']}/{file['path']}": file for file in artifact["files"]}
    return found


def count_rejects(manifest: Mapping[str, Any]) -> Counter[str]:
    """Return the rejects of a run by reason code."""
    return sum((Counter(one["rejects"]) for one in manifest["inputs"]), Counter())


def planned_manifest(settings: Settings, files: Iterable[tuple[str, str, int]]) -> dict[str, Any]:
    """Return what the manifest will say, as far as it is known before the run; `files` are URIs, formats and sizes."""
    return {
        "run_id": settings.run_id,
        "pipeline_name": settings.pipeline_name,
        "run_uri": settings.run_uri,
        "settings": settings.to_json(),
        "settings_sha256": settings.sha256(),
        "versions": versions(),
        "inputs": [{"uri": uri, "format": format_, "size": size} for uri, format_, size in files],
        "splits": [{"name": split.name, "weight": split.weight} for split in settings.splits],
        "artifacts": {},
    }


def write_manifest(run_uri: str, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, whole or not at all: from then on the run exists for readers."""
    with storage.publish(run_uri, MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")


def read_manifest(uri: str) -> dict[str, Any]:
    """Return the manifest of a run, by its own URI or the run's folder. Raises UsageError where there is none."""
    place = uri if uri.endswith(".json") else storage.join(uri, MANIFEST)
    try:
        manifest = json.loads(storage.read_bytes(place))
    except OSError as error:
        raise UsageError(f"{place}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or not manifest.keys() >= _MANIFEST_KEYS:
        raise UsageError(f"{place}: is not the manifest of a run")
    return manifest
