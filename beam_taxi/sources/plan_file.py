"""A large plan as a file, since the graph of a job has a copy of the plan for each step that needs it."""

from __future__ import annotations

import hashlib
import pickle
import zlib
from dataclasses import dataclass, fields
from functools import lru_cache
from threading import Lock

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError
from beam_taxi.sources.plan import TablePlan

MOST_SOURCES = 100
MOST_BYTES = 256 << 10
"""A plan of more sources, or more bytes when it is pickled, is written to a file.

Beam takes about 5 ms for each source to put it into all steps. A table in BigQuery is one source that may have
thousands of streams, each with a name of a hundred bytes.
"""
_LOCK = Lock()


@dataclass(frozen=True)
class StoredPlan(TablePlan):
    """A plan that is pickled as the URI and the SHA-256 digest of its file, which each process reads once."""

    uri: str = ""
    sha256: bytes = b""

    def __reduce__(self) -> tuple[object, ...]:
        return _load, (self.uri, self.sha256)


def store_plan(plan: TablePlan, run_uri: str, path: str) -> TablePlan:
    """Return the plan for the steps of a graph; a large one is written to a file, which they read. Raises OSError.

    `path` is that of the file in the folder of the run.
    """
    values = {field.name: getattr(plan, field.name) for field in fields(TablePlan)}
    pickled = pickle.dumps(values)
    if len(plan.sources) <= MOST_SOURCES and len(pickled) <= MOST_BYTES:
        return plan
    content = zlib.compress(pickled, 1)
    with storage.publish(run_uri, path) as file:
        file.write(content)
    return StoredPlan(**values, uri=storage.join(run_uri, path), sha256=hashlib.sha256(content).digest())


def _load(uri: str, sha256: bytes) -> TablePlan:
    """Raises BeamTaxiError if the file is not the one that was written."""
    with _LOCK:
        return _read(uri, sha256)


@lru_cache(maxsize=1)
def _read(uri: str, sha256: bytes) -> TablePlan:
    content = storage.read_bytes(uri)
    if hashlib.sha256(content).digest() != sha256:
        raise BeamTaxiError(f"{uri}: is not the plan of this run")
    return StoredPlan(**pickle.loads(zlib.decompress(content)), uri=uri, sha256=sha256)
