"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import hypothesis
import pytest

# A loaded machine is no failure.
hypothesis.settings.register_profile("no time limit", deadline=None)
hypothesis.settings.load_profile("no time limit")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
"""The folder beside the repository that holds the real sample and other large test data."""


TIME_LIMIT_SECONDS = 900
"""For a test with its fixtures: the first test of an engine also fetches it."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Fail a test that hangs."""

    def fail(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"{item.nodeid}: takes longer than {TIME_LIMIT_SECONDS} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(TIME_LIMIT_SECONDS)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with the real data; without it, skip, but fail on CI, where it must be."""
    if (SHARED / "data" / "chicago_taxi.csv").is_file():
        return SHARED
    reason = "the folder shared/ with data/chicago_taxi.csv is not beside the repository"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
