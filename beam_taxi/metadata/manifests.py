"""Compare the manifest of a run with its files, and two manifests with each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from beam_taxi import storage
from beam_taxi.metadata.hashes import hash_of_files
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import RunManifest
from beam_taxi.settings import NO_INFLUENCE


def verify_files(manifest: RunManifest) -> Iterator[str]:
    """Yield what differs from the manifest: a file that is missing, has changed, or is not in it."""
    folder = RunFolder(manifest.run_uri)
    expected = {folder.uri_of(path): file for path, file in manifest.named_files().items()}
    folders = [folder.uri_of(key) for key in manifest.artifacts]
    found = {file.uri for uri in folders for file in storage.match_below(uri)}
    yield from (f"{uri}: is not in the manifest" for uri in sorted(found - expected.keys()))
    for uri, file in sorted(expected.items()):
        if uri not in found and not storage.exists(uri):
            yield f"{uri}: is missing"
            continue
        size, digest = storage.hash_file(uri)
        sha256 = digest.hex()
        if (size, sha256) != (file.bytes, file.sha256):
            yield f"{uri}: has {size} bytes, SHA-256 {sha256}; the manifest: {file.bytes}, {file.sha256}"


def what_decides(manifest: RunManifest) -> dict[str, str]:
    """Return, by field, everything that determines the content of a run's artifacts: settings, inputs and versions."""
    settings = {key: value for key, value in manifest.settings.to_json().items() if key not in NO_INFLUENCE}
    hashes = {entry.uri: entry.content_hash or "unknown" for entry in manifest.inputs}
    return {
        **dict(_flatten("settings", settings)),
        **{f"inputs.{uri}": content for uri, content in sorted(hashes.items())},
        **dict(_flatten("versions", manifest.versions)),
    }


def what_came_out(manifest: RunManifest) -> dict[str, str]:
    """Return, by field, the outcome of a run: rows, types and content hashes."""
    return {
        **{f"rows.{entry.uri}": str(entry.rows) for entry in manifest.inputs},
        **{f"splits.{split.name}": str(split.rows) for split in manifest.splits},
        **{f"features.{feature.name}": feature.type for feature in manifest.features},
        **{f"artifacts.{key}": hash_of_files(artifact.files) for key, artifact in manifest.artifacts.items()},
    }


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return name, first and second value of each field that differs; `-` stands for a field that does not exist."""
    return [
        (field, first.get(field, "-"), second.get(field, "-"))
        for field in {**first, **second}
        if first.get(field) != second.get(field)
    ]


def _flatten(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(f"{name}.{key}", inner)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
