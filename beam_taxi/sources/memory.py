"""Memory for short-lived batches, and what is left of large objects."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from typing import Any

import pyarrow as pa


def keep_freed_memory() -> None:
    """Make Arrow use mimalloc, which keeps freed memory for the next batch.

    Arrow's former default, jemalloc, returns it to the system at once, so every page of the next batch faults.
    """
    if "mimalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.mimalloc_memory_pool())


def release_freed_memory() -> None:
    """Return the memory of freed objects to the system, where the C library is glibc.

    It keeps memory below what is still used, so hundreds of megabytes after many objects: malloc_trim(3).
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _malloc_trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
