"""What every verb does on the terminal: errors in one line, a closed pipe, the console of a launch."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from beam_taxi.cli import streams
from beam_taxi.cli.progress import bars
from beam_taxi.errors import BeamTaxiError
from beam_taxi.launch import interrupts
from beam_taxi.launch.interrupts import Interrupt
from beam_taxi.launch.proxies import except_loopback
from beam_taxi.launch.stderr import VERBOSE, captured, show, terminal
from beam_taxi.launch.traces import as_fault

_SHOWN_SECONDS = 5


def exit_status_of(work: Callable[[], int], argv: Sequence[str] | None, as_json: bool = False) -> int:
    """Return what `work` returns, or the exit status of its error, which is printed in one line.

    `argv` are the arguments, None if they are those of the process, whose standard error is then left to us to its end.
    """
    words = sys.argv[1:] if argv is None else argv
    streams.make_usable()
    except_loopback()
    with captured(verbose=any(word in VERBOSE for word in words), stays=argv is None):
        return _status_of(work, as_json)


def _status_of(work: Callable[[], int], as_json: bool) -> int:
    status, exited = 0, None
    try:
        with closed_pipe_ignored():
            status = work()
    except SystemExit as exit_:
        exited = exit_
    except KeyboardInterrupt as interrupt:
        status = interrupt.exit_status if isinstance(interrupt, Interrupt) else 1
        print_error(str(interrupt) or "interrupted", status, as_json)
    except Exception as error:
        status = _refuse(as_fault(error), as_json)
    try:
        with closed_pipe_ignored():
            sys.stdout.flush()
    except OSError as error:
        streams.discard(sys.stdout)
        return status or _refuse(as_fault(error), as_json)
    if exited is not None:
        raise exited
    return status


@contextmanager
def closed_pipe_ignored() -> Iterator[None]:
    """End the block without an error if the reader of standard output has stopped reading (`| head`)."""
    try:
        yield
    except BrokenPipeError as error:
        if error.filename != streams.OUTPUT:
            raise
        streams.discard(sys.stdout)


def _refuse(fault: BeamTaxiError, as_json: bool) -> int:
    """Print a fault, and the trace too if the user wants to see it; return the exit status."""
    show("".join(traceback.format_exception(fault)))
    print_error(str(fault), fault.exit_status, as_json)
    return fault.exit_status


def print_error(message: str, exit_status: int, as_json: bool = False) -> None:
    """Print an error in one line on standard error."""
    shown = json.dumps({"error": message, "exit_status": exit_status})
    _print_line(shown if as_json else f"beam_taxi: error: {message}")


def print_warning(text: str) -> None:
    """Print a warning in one line on standard error."""
    _print_line(f"beam_taxi: warning: {text}")


def print_note(text: str) -> None:
    """Print a note in one line on standard error."""
    _print_line(f"beam_taxi: note: {text}")


def _print_line(text: str) -> None:
    """Print one line on standard error. Line breaks become spaces, and other control characters escapes."""
    line = " ".join(part.strip() for part in text.splitlines() if part.strip())
    streams.write(terminal(), "".join(one if one.isprintable() else _escaped(one) for one in line) + "\n")


def _escaped(character: str) -> str:
    """Return an escape for a character, such as a byte of a file name that is not UTF-8."""
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else character.encode("unicode_escape").decode()


class TerminalConsole:
    """The console of a launch. With `as_json`, standard output is left to the result, and nothing moves.

    What cannot be written is lost: a launch does not fail because of its console.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._status = ""

    def tell(self, name: str, value: str) -> None:
        """Print a name and its value."""
        with suppress(OSError):
            print(f"{name:<10} {value}", file=terminal() if self._as_json else sys.stdout, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning on standard error."""
        print_warning(text)

    def note(self, text: str) -> None:
        """Print a note on standard error."""
        print_note(text)

    def status(self, line: str) -> None:
        """Print a status on standard error: over the last one on a terminal, else in a line of its own if it is new."""
        if self._as_json or line == self._status:
            return
        self._status = line
        streams.write(terminal(), f"\r\x1b[2K{line}" if terminal().isatty() else f"{line}\n")

    def end_status(self) -> None:
        """Leave the last status as it stands."""
        if self._status and terminal().isatty():
            streams.write(terminal(), "\n")
        self._status = ""

    def ask(self, question: str) -> bool:
        """Return whether the user answers yes; an interrupt, or no terminal, means no."""
        if not (sys.stdin.isatty() and terminal().isatty()):
            return False
        streams.write(terminal(), f"\n{question} [y/N] ")
        try:
            return sys.stdin.readline().strip().lower() in ("y", "yes")
        except KeyboardInterrupt:
            return False

    def progress(self, total: int) -> AbstractContextManager[None]:
        """Show progress bars over `total` bytes while the block runs, if standard error is a terminal."""
        return nullcontext() if self._as_json or not terminal().isatty() else bars(total)


@contextmanager
def waiting_for_store(console: TerminalConsole) -> Iterator[Callable[[float], None]]:
    """Yield a function that shows, every five seconds, how long a metadata store has been waited for.

    From its first call until the block ends, a signal ends the wait at once, even at the end of a run.
    """
    with interrupts.releasable() as release:

        def show(seconds: float) -> None:
            release()
            if seconds % _SHOWN_SECONDS == 0:
                console.status(f"waiting for the metadata store: {seconds:.0f} s")

        try:
            yield show
        finally:
            console.end_status()
