"""How many units of work a table is cut into."""

from __future__ import annotations

from collections.abc import Sequence

from beam_taxi.errors import UsageError
from beam_taxi.settings import MOST_SHARDS, Settings
from beam_taxi.sources.source import SourceInfo

UNIT_BYTES = 32 << 20
MOST_UNITS = 16_384
"""Beyond 512 GiB there are not more units but larger ones.

Those of 10 TB have 610 MB, which take one core 18 s and give shards of 100 to 200 MB, a good size for readers. There
are several units for each core of a thousand workers, so that unequal units even out, and one worker still records all
units within seconds.
"""


def units_for(size: int, settings: Settings) -> int:
    """Return how many units so many bytes should have. Raises UsageError if the settings ask for too many."""
    unit_bytes = settings.unit_bytes or max(UNIT_BYTES, -(-size // MOST_UNITS))
    count = settings.num_shards or -(-size // unit_bytes)
    if count > MOST_SHARDS:
        least = -(-size // MOST_SHARDS)
        raise UsageError(
            f"--unit_bytes {unit_bytes}: would cut {size:,} bytes into {count:,} shards, and {MOST_SHARDS:,} are the "
            f"limit; use {least} or more"
        )
    return count


def most_units(sources: Sequence[SourceInfo]) -> int | None:
    """Return how many units of equal size the sources, laid end to end, can be cut into; None is any number."""
    size = sum(one.size for one in sources)
    return min((-(-one.most_units * size // one.size) for one in sources if one.most_units is not None), default=None)
