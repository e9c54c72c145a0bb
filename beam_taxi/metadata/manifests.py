"""The manifest of a run, from wherever it is, and what can be said from it alone."""

from __future__ import annotations

import json
from typing import Any

from beam_taxi import storage
from beam_taxi.errors import UsageError


def read_manifest(uri: str) -> dict[str, Any]:
    """Return the manifest. Raises UsageError where it cannot be read or is none."""
    try:
        manifest = json.loads(storage.read_bytes(uri))
    except OSError as error:
        raise UsageError(f"--manifest {uri}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(f"--manifest {uri}: is not JSON: {error}") from None
    if not isinstance(manifest, dict) or "artifacts" not in manifest:
        raise UsageError(f"--manifest {uri}: is not the manifest of a run")
    return manifest
