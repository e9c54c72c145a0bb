"""The content hashes of the input before a run, equal to those that its first pass computes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from beam_taxi.sources.plan import TablePlan


def content_hashes(plan: TablePlan) -> list[str]:
    """Return the content hash of each source. Raises DataError if a source changes while being read, and OSError."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda source: source.hash_content(plan.part_bytes), plan.sources))
