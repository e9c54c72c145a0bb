"""Many writers at once, and writers that are killed: nothing lost, nothing double, nothing partial."""

from __future__ import annotations

import pytest

from tests.metadata import chaos, runs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("same", [False, True], ids=["distinct", "same"])
def test_processes_that_start_and_record_at_once(any_store: str, same: bool):
    found = chaos.record_at_once(any_store, processes=4, runs_each=3, same=same)
    assert found == {"recorded": 3 if same else 12, "failed": 0, "lost": 0, "double": 0}


def test_kill_9_at_random_points_leaves_nothing_partial(any_store: str):
    found = chaos.kill_recorders(any_store, kills=10)
    assert found["COMPLETE"] > 0
    assert not any(found[bad] for bad in chaos.BAD), found
    runs.record_run(any_store, "next")
