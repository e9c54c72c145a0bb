"""The content hashes of the input before a run, the same as those that its first pass finds."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

from beam_taxi import storage
from beam_taxi.sources.plan import InputPlan, iter_blocks
from beam_taxi.sources.units import content_hash

_CHUNK = 1 << 20


def content_hashes(plan: InputPlan) -> list[str]:
    """Return the content hash of each file of the plan. Raises DataError where one changes meanwhile, and OSError."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda file: _content_hash(plan, file), range(len(plan.files))))


def _content_hash(plan: InputPlan, number: int) -> str:
    file = plan.files[number]
    if file.table is not None:
        return file.table.content_hash
    digests = []
    with storage.open_input(file.uri) as stored:
        for block in iter_blocks(plan, number):
            sha256, missing = hashlib.sha256(), block.end - block.start
            while chunk := stored.read(min(missing, _CHUNK)):
                sha256.update(chunk)
                missing -= len(chunk)
            digests.append(sha256.digest())
    storage.check_unchanged(file.uri, file.size, file.modified)
    return content_hash(digests)
