"""The content hashes of the input before a run, equal to those that its first pass computes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.source import AnySource
from beam_taxi.sources.stored_file import PART_BYTES


def content_hashes(plan: TablePlan) -> list[str]:
    """Return the content hash of each source. Raises DataError if a source changes while being read, and OSError."""
    return hashes_of(plan.sources, plan.part_bytes)


def hashes_of(sources: Iterable[AnySource], part_bytes: int = PART_BYTES) -> list[str]:
    """Return the content hash of each source, as `content_hashes` does."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda source: source.hash_content(part_bytes), sources))
