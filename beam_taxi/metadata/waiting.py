"""How long a store may take to answer, and the sign of life in the meantime."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

from beam_taxi.metadata.stores.base import StoreStalled

T = TypeVar("T")
Show = Callable[[float], None]
"""Called in another thread, every two seconds, with the seconds that a store has been waited for."""

CALL_SECONDS = 30.0
"""The limit of a call."""
AGAIN_SECONDS = 10.0
"""The limit of a call to a store that did not answer the last one, so that nobody waits again and again."""
_TICK_SECONDS = 2.0


class OutOfTimeError(Exception):
    """Something took longer than it was given."""


class _Process:
    """What this process knows: which stores did not answer, by their URIs, and what shows that one is waited for."""

    stalled: set[str] = set()
    show: Show | None = None


def limit_of(uri: str) -> float:
    """Return the limit of a call to a store, in seconds."""
    return AGAIN_SECONDS if has_stalled(uri) else CALL_SECONDS


def has_stalled(uri: str) -> bool:
    """Return whether a store did not answer the last time."""
    return uri in _Process.stalled


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """Let `show` be called while a store is waited for in the block."""
    before, _Process.show = _Process.show, show
    try:
        yield
    finally:
        _Process.show = before


@contextmanager
def waiting_for(uri: str) -> Iterator[None]:
    """Show that a store is waited for while the block runs.

    StoreStalled, or an interrupt by a user who has seen that, means that the store has stalled.
    """
    done, ticks = threading.Event(), [0.0]
    ticker = None if _Process.show is None else threading.Thread(target=_tick, args=(_Process.show, done, ticks))
    if ticker is not None:
        ticker.daemon = True
        ticker.start()
    try:
        yield
        _Process.stalled.discard(uri)
    except StoreStalled:
        _Process.stalled.add(uri)
        raise
    except KeyboardInterrupt:
        if ticks[0]:
            _Process.stalled.add(uri)
        raise
    finally:
        done.set()
        if ticker is not None:
            ticker.join()


def _tick(show: Show, done: threading.Event, ticks: list[float]) -> None:
    while not done.wait(_TICK_SECONDS):
        ticks[0] += _TICK_SECONDS
        show(ticks[0])


def in_time(work: Callable[[], T], seconds: float, undo: Callable[[T], object] = lambda _: None) -> T:
    """Return what `work` returns. Raises OutOfTimeError if that takes too long, and whatever `work` raises.

    A system call that hangs cannot be ended: its thread is left behind, and its result, if it ever has one, is undone.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    if wait([future], seconds).done:
        return future.result()

    def late(done: Future[T]) -> None:
        if done.exception() is None:
            undo(done.result())

    future.add_done_callback(late)
    raise OutOfTimeError
