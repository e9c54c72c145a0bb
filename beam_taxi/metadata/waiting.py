"""How long a store may take to answer, and the sign of life in the meantime."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ClassVar, TypeVar

from beam_taxi.metadata.stores.base import StoreStalled

T = TypeVar("T")
Tick = Callable[[float], None]
"""Called in another thread, every second, with the seconds that a store has been waited for."""
Shown = Callable[[], AbstractContextManager[Tick]]
"""Entered while an operation of a store goes on."""

CALL_SECONDS = 30.0
"""The limit of a call."""
AGAIN_SECONDS = 10.0
"""The limit of a call to a store that did not answer the last one, so that nobody waits again and again."""
_TICK_SECONDS = 1.0


class OutOfTimeError(Exception):
    """Something took longer than it was given."""


def _ignore(seconds: float) -> None:
    pass


class _Process:
    """What this process knows: which stores did not answer, by their URIs, and who tells the user."""

    stalled: ClassVar[set[str]] = set()
    shown: ClassVar[Shown] = staticmethod(lambda: nullcontext(_ignore))


def limit_of(uri: str) -> float:
    """Return the limit of a call to a store, in seconds."""
    return AGAIN_SECONDS if has_stalled(uri) else CALL_SECONDS


def has_stalled(uri: str) -> bool:
    """Return whether a store did not answer the last time."""
    return uri in _Process.stalled


@contextmanager
def shown_by(shown: Shown) -> Iterator[None]:
    """Let `shown` tell the user that a store is waited for, until the block ends."""
    before, _Process.shown = _Process.shown, shown
    try:
        yield
    finally:
        _Process.shown = before


@contextmanager
def waiting_for(uri: str) -> Iterator[None]:
    """Show that a store is waited for while the block runs.

    StoreStalled, or an interrupt by a user who has waited for a second, means that the store has stalled.
    """
    with _Process.shown() as tick, _ticking(tick) as is_told:
        try:
            yield
            _Process.stalled.discard(uri)
        except StoreStalled:
            _Process.stalled.add(uri)
            raise
        except KeyboardInterrupt:
            if is_told():
                _Process.stalled.add(uri)
            raise


@contextmanager
def _ticking(tick: Tick) -> Iterator[Callable[[], bool]]:
    """Call `tick` until the block ends; yield a function that returns whether it has been called."""
    done, told = threading.Event(), threading.Event()

    def run() -> None:
        seconds = 0.0
        while not done.wait(_TICK_SECONDS):
            seconds += _TICK_SECONDS
            tick(seconds)
            told.set()

    ticker = threading.Thread(target=run, daemon=True)
    ticker.start()
    try:
        yield told.is_set
    finally:
        done.set()
        ticker.join()


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
