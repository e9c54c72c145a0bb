"""Memory for short-lived batches."""

from __future__ import annotations

import pyarrow as pa


def keep_freed_memory() -> None:
    """Make Arrow use mimalloc, which keeps freed memory for the next batch.

    Arrow's former default, jemalloc, returns it to the system at once, so every page of the next batch faults.
    """
    if "mimalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.mimalloc_memory_pool())
