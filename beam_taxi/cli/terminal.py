"""What every verb does on the terminal: errors in one line, a closed pipe, the console of a launch."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from beam_taxi.cli.progress import bars
from beam_taxi.errors import BeamTaxiError
from beam_taxi.launch.interrupts import Interrupt


def exit_status_of(work: Callable[[], int], as_json: bool = False) -> int:
    """Return what `work` returns, or the exit status of its error, which is printed in one line."""
    try:
        with closed_pipe_ignored():
            return work()
    except BeamTaxiError as error:
        print_error(str(error), error.exit_status, as_json)
        return error.exit_status
    except KeyboardInterrupt as interrupt:
        status = interrupt.exit_status if isinstance(interrupt, Interrupt) else 1
        print_error(str(interrupt) or "interrupted", status, as_json)
        return status
    return 0


def print_error(message: str, exit_status: int, as_json: bool = False) -> None:
    """Print an error in one line on standard error."""
    shown = json.dumps({"error": message, "exit_status": exit_status})
    print(shown if as_json else f"beam_taxi: error: {message}", file=sys.stderr)


@contextmanager
def closed_pipe_ignored() -> Iterator[None]:
    """End the block without an error if the reader of standard output has stopped reading (`| head`)."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class TerminalConsole:
    """The console of a launch. With `as_json`, standard output is left to the result, and nothing moves."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._status = ""

    def tell(self, name: str, value: str) -> None:
        """Print a name and its value."""
        print(f"{name:<10} {value}", file=sys.stderr if self._as_json else sys.stdout, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning on standard error."""
        print(f"beam_taxi: warning: {text}", file=sys.stderr)

    def note(self, text: str) -> None:
        """Print a note on standard error."""
        print(f"beam_taxi: note: {text}", file=sys.stderr)

    def status(self, line: str) -> None:
        """Print a status on standard error: over the last one on a terminal, else in a line of its own if it is new."""
        if self._as_json or line == self._status:
            return
        self._status = line
        is_terminal = sys.stderr.isatty()
        print(f"\r\x1b[2K{line}" if is_terminal else line, end="" if is_terminal else "\n", file=sys.stderr, flush=True)

    def end_status(self) -> None:
        """Leave the last status as it stands."""
        if self._status and sys.stderr.isatty():
            print(file=sys.stderr)
        self._status = ""

    def ask(self, question: str) -> bool:
        """Return whether the user answers yes; an interrupt, or no terminal, means no."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        print(f"\n{question} [y/N] ", end="", file=sys.stderr, flush=True)
        try:
            return sys.stdin.readline().strip().lower() in ("y", "yes")
        except KeyboardInterrupt:
            return False

    def progress(self, total: int) -> AbstractContextManager[None]:
        """Show progress bars over `total` bytes while the block runs, if standard error is a terminal."""
        return nullcontext() if self._as_json or not sys.stderr.isatty() else bars(total)
