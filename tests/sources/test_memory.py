"""Memory that is given back."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from beam_taxi.sources.memory import release_freed_memory


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_below_what_is_used_is_released():
    objects = [bytes(1000) for _ in range(100_000)]
    last = objects[-1]
    del objects
    before = resident()
    release_freed_memory()
    assert before - resident() > 50e6
    assert len(last) == 1000
