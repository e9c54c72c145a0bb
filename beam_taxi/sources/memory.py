"""The memory of batches that come and go."""

from __future__ import annotations

import pyarrow as pa


def keep_freed_memory() -> None:
    """Have Arrow take memory from mimalloc, which keeps what was freed for the next batch.

    Arrow's former default, jemalloc, gives it back at once, and every page of the next batch is a page fault.
    """
    if "mimalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.mimalloc_memory_pool())
