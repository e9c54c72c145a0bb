"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import hypothesis
import pytest

from tests.surroundings import shut_out

# Here and not in scripts/test.sh, so that it holds for one test in an editor, too, and for each worker of pytest-xdist;
# and on import, before a fixture or a library reads a variable.
shut_out()

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


SLOW_FIXTURES = {"browser", "bucket", "cloud", "cluster", "engine", "mariadb_server", "grpc_store"}
"""What starts a server, a browser or an engine: a test that uses one is slow."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a server or the whole machine as slow."""
    for item in items:
        if not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())) or item.get_closest_marker("alone"):
            item.add_marker("slow")


_LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count what the quick tests leave out, by folder; another choice is the user's own."""
    if "not slow" not in items[0].config.option.markexpr:
        return
    left_out = items[0].config.stash.setdefault(_LEFT_OUT, Counter())
    left_out.update(str(Path(item.nodeid.partition("::")[0]).parent) for item in items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send what was left out from a worker of pytest-xdist; all have left out the same."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(session.config.stash.get(_LEFT_OUT, Counter()))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Receive what a worker of pytest-xdist has left out; one that died has sent nothing."""
    if left_out := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[_LEFT_OUT] = Counter(left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what was left out."""
    if left_out := config.stash.get(_LEFT_OUT, None):
        terminalreporter.section("left out")
        folders = ", ".join(f"{folder} {count}" for folder, count in sorted(left_out.items()))
        terminalreporter.line(f"{left_out.total()} tests are left out: {folders}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with the real data; without it, skip, but fail on CI, where it must be."""
    if (SHARED / "data" / "chicago_taxi.csv").is_file():
        return SHARED
    reason = "the folder shared/ with data/chicago_taxi.csv is not beside the repository"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
