"""Keep what libraries write away from the terminal, and their imports fast."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

from beam_taxi.launch.stderr import is_verbose


def quieten() -> None:
    """Hide the notes that libraries write when they are imported, and log messages below errors, unless verbose."""
    logging.basicConfig(level=logging.INFO if is_verbose() else logging.ERROR)
    if is_verbose():
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("beam_taxi").setLevel(logging.ERROR)


def set_log_levels(log_level: int, beam_log_level: int) -> None:
    """Set the levels from which messages of libraries and of Beam are logged, unless verbose."""
    if not is_verbose():
        logging.getLogger().setLevel(log_level)
        logging.getLogger("apache_beam").setLevel(beam_log_level)


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what libraries and subprocesses write to standard error while the block runs, unless verbose."""
    if is_verbose():
        yield
        return
    kept = os.dup(2)
    try:
        with open(os.devnull, "w", encoding="utf-8") as nothing, redirect_stderr(nothing):
            os.dup2(nothing.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def without_collection() -> Iterator[None]:
    """Keep the garbage collector off the first imports, whose objects stay: it takes a quarter of their time."""
    if "apache_beam" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Timings(dict[str, float]):
    """Seconds by part of a launch."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to a part."""
        start = time.perf_counter()
        yield
        self[name] = self.get(name, 0.0) + time.perf_counter() - start
