"""Signals that ask this process to end: Ctrl-C, SIGTERM and SIGHUP, each raised once in the main thread."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS = 0.5
"""A second signal within this time, as of an impatient user or a supervisor, does not disturb the unwinding."""


class Interrupt(KeyboardInterrupt):
    """A signal asked this process to end."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__("interrupted" if number == signal.SIGINT else f"ended by {number.name}")
        self.number = number

    @property
    def wants_cancel(self) -> bool:
        """Whether a user asked for it. A host that shuts down does not want jobs elsewhere to end."""
        return self.number == signal.SIGINT

    @property
    def exit_status(self) -> int:
        """The exit status of the process: that of a failure for Ctrl-C, else 128 plus the number of the signal."""
        return 1 if self.wants_cancel else 128 + self.number


class _Handler:
    """The state of the handler; a process has one."""

    def __init__(self) -> None:
        self.received: Interrupt | None = None
        self.is_held = False
        self.was_ignored = False
        self.first: Callable[[], None] = _nothing
        self.receiver: Callable[[signal.Signals], None] | None = None
        self._raised_at = float("-inf")

    def handle(self, number: int, frame: FrameType | None) -> None:
        if self.is_held or time.monotonic() - self._raised_at < _GRACE_SECONDS:
            self.was_ignored = True
            return
        self.received = self.received or Interrupt(signal.Signals(number))
        self.is_held = True
        if self.receiver is not None:
            self.receiver(signal.Signals(number))
            return
        self.first()
        self.is_held = False
        self._raised_at = time.monotonic()
        raise Interrupt(signal.Signals(number))


def _nothing() -> None:
    pass


_signals = _Handler()


@contextmanager
def raised() -> Iterator[None]:
    """Raise the signals as Interrupts while the block runs, except those that the parent process has had ignored.

    Without a handler, SIGTERM would end the process without cleaning up, and PID 1 of a container would ignore it.
    """
    global _signals
    _signals = _Handler()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    handled = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in handled:
        signal.signal(number, _signals.handle)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])


@contextmanager
def preceded_by(action: Callable[[], None]) -> Iterator[None]:
    """Call `action` before an Interrupt is raised in the block.

    Code that unwinds may wait for processes, so they have to be ended first.
    """
    _signals.first = action
    try:
        yield
    finally:
        _signals.first = _nothing


@contextmanager
def passed_to(receiver: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call `receiver` with a signal that arrives in the block, and raise none; further signals are ignored.

    An exception could come between the reading of something and its use, which would lose it.
    """
    signals = _signals
    signals.receiver = receiver
    try:
        yield
    finally:
        signals.receiver = None


def received() -> Interrupt | None:
    """Return the first signal that was received, None if there was none.

    Runners may wrap the exception in their own, or swallow it.
    """
    return _signals.received


def is_wanted() -> bool:
    """Return whether a signal was received, also one that was ignored because the end of a run was recorded."""
    return _signals.received is not None or _signals.was_ignored


def leave(status: int) -> NoReturn:
    """End the process, with the streams flushed.

    After an interrupt, threads of the runner may still be computing; Python would end them in the middle of compiled
    code, which can abort the process.
    """
    if _signals.received is None:
        sys.exit(status)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


def hold() -> None:
    """Ignore further signals, so that the end of a run is cleaned up and recorded."""
    _signals.is_held = True


@contextmanager
def releasable() -> Iterator[Callable[[], None]]:
    """Yield a function that lets signals through until the block ends, since what it waits for may never come."""
    signals, held = _signals, _signals.is_held

    def release() -> None:
        signals.is_held = False

    try:
        yield release
    finally:
        signals.is_held = held
