"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# A loaded machine is no failure.
hypothesis.settings.register_profile("no time limit", deadline=None)
hypothesis.settings.load_profile("no time limit")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
"""The folder beside the repository that holds the real sample and other large test data."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with the real data; without it, skip, but fail on CI, where it must be."""
    if (SHARED / "data" / "chicago_taxi.csv").is_file():
        return SHARED
    reason = "the folder shared/ with data/chicago_taxi.csv is not beside the repository"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
