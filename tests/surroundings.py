"""What a test run takes from the shell that started it: nothing that could change a result."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile

_PROXIES = "_proxy"
_LOCALE = ("LANG", "LANGUAGE", "LC_", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONCOERCECLOCALE")
_TERMINAL = ("TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_")
_SETTINGS = ("XDG_", "BEAM_TAXI_", "GOOGLE_", "CLOUDSDK_", "STORAGE_EMULATOR_HOST", "AWS_", "MLFLOW_", "OPENLINEAGE_")
_SIGNALS = (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD)


def shut_out() -> None:
    """Make this process, and those that it starts, independent of the signals, streams and variables of the shell.

    TMPDIR stays: a machine may have room in one place only.
    """
    _restore_signals()
    if sys.__stdin__ is None:
        # Closed. What pytest puts in its place asks this one for its encoding.
        sys.__stdin__ = open(os.devnull)  # noqa: SIM115
    for name in list(os.environ):
        if name.lower().endswith(_PROXIES) or name.startswith((*_LOCALE, *_TERMINAL, *_SETTINGS)):
            del os.environ[name]
    home = tempfile.mkdtemp(prefix="home-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(HOME=home, LANG="C.UTF-8", TERM="xterm")


def _restore_signals() -> None:
    """Handle the signals that a shell ignores for a process in the background, and `nohup` for any."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
