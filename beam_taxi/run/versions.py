"""The versions of everything that determines the content of a run, and the check that workers have the same."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

import beam_taxi
from beam_taxi.errors import BeamTaxiError

_LIBRARIES = ("apache-beam", "tensorflow-data-validation", "tensorflow-metadata", "pyarrow", "numpy", "isal")
NOT_ON_WORKERS = "samples"
"""The part of this package that workers do not have."""


def versions(package: str = "") -> dict[str, str]:
    """Return versions by name; `code` is a hash of the part of this package's source that workers have.

    `package` is one that the run uses beyond the requirements, if any.
    """
    return {
        "beam_taxi": beam_taxi.__version__,
        "code": f"sha256:{_hash_of_code()}",
        "python": platform.python_version(),
        **{name: version(name) for name in filter(None, (*_LIBRARIES, package))},
    }


@cache
def _hash_of_code() -> str:
    code = hashlib.sha256()
    folder = Path(__file__).parents[1]
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder)
        if name.parts[0] != NOT_ON_WORKERS:
            code.update(f"{name}\n".encode() + path.read_bytes())
    return code.hexdigest()


def worker_versions() -> dict[str, str]:
    """Return the versions that a worker must have; its Python may be another."""
    return {name: found for name, found in versions().items() if name != "python"}


def check_versions(expected: Mapping[str, str]) -> None:
    """Raise BeamTaxiError if this process, a worker, does not have the versions that the launcher expects."""
    found = versions() if expected else {}
    wrong = [
        f"{name} {found.get(name)} instead of {wanted}"
        for name, wanted in expected.items()
        if found.get(name) != wanted
    ]
    if wrong:
        raise BeamTaxiError(f"a worker has {', '.join(wrong)}: install the launcher's versions on the workers")
