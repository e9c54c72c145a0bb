"""Manifests of runs: hold their files against them, compare two."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from beam_taxi import layout, storage
from beam_taxi.metadata.nodes import hash_of_files
from beam_taxi.settings import NO_INFLUENCE


def verify_files(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is not as the manifest says: a file that is missing, changed, or should not be there."""
    root = manifest["run_uri"]
    expected = {storage.join(root, path): entry for path, entry in layout.named_files(manifest).items()}
    folders = {os.path.dirname(uri) for uri in expected} - {root}
    found = {file.uri for folder in folders for file in storage.match(folder + "/*")}
    yield from (f"{uri}: is not in the manifest" for uri in sorted(found - expected.keys()))
    for uri, file in sorted(expected.items()):
        if uri not in found and not storage.exists(uri):
            yield f"{uri}: is missing"
            continue
        size, digest = storage.hash_file(uri)
        sha256 = digest.hex()
        if (size, sha256) != (file["bytes"], file["sha256"]):
            yield f"{uri}: has {size} bytes, SHA-256 {sha256}; the manifest: {file['bytes']}, {file['sha256']}"


def what_decides(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return, field by field, what decides the content of a run's artifacts: settings, inputs and versions."""
    settings = {key: value for key, value in manifest["settings"].items() if key not in NO_INFLUENCE}
    files = {one["uri"]: one["content_hash"] for one in manifest["inputs"]}
    return {
        **dict(_flat("settings", settings)),
        **{f"inputs.{uri}": content for uri, content in sorted(files.items())},
        **dict(_flat("versions", manifest["versions"])),
    }


def what_came_out(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return, field by field, what a run has made: rows, types and content hashes."""
    return {
        **{f"rows.{one['uri']}": str(one["rows"]) for one in manifest["inputs"]},
        **{f"splits.{one['name']}": str(one["rows"]) for one in manifest["splits"]},
        **{f"features.{one['name']}": one["type"] for one in manifest["features"]},
        **{f"artifacts.{key}": hash_of_files(entry["files"]) for key, entry in manifest["artifacts"].items()},
    }


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return field, first and second value where they differ; `-` where one has no such field."""
    return [
        (field, first.get(field, "-"), second.get(field, "-"))
        for field in {**first, **second}
        if first.get(field) != second.get(field)
    ]


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
