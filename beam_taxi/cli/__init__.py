"""The command, `beam-taxi VERB` or `python -m beam_taxi VERB`: each verb is a module, imported when it is called."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn


@dataclass(frozen=True)
class Verb:
    """A verb: the module with its `main`, and a line of help."""

    module: str
    help: str


VERBS: Mapping[str, Verb] = {
    "run": Verb("run", "run the job"),
    "check": Verb("check", "run all checks of a launch, then exit"),
    "plan": Verb("plan", "show what a run would read and write, then exit"),
    "backfill": Verb("backfill", "make the runs of the days that have none"),
    "runs": Verb("runs", "query the recorded runs: list, show, lineage, diff, verify, reap, init"),
    "merge": Verb("merge", "merge the statistics of several runs without reading their inputs again"),
    "report": Verb("report", "print the report of a run, or write it as HTML"),
    "schema": Verb("schema", "infer, diff, update or freeze schemas"),
    "rejects": Verb("rejects", "turn corrected rejects into a CSV file"),
    "record": Verb("record", "record a finished run in ML Metadata"),
    "sample": Verb("sample", "write a synthetic sample of taxi trips"),
    "serve-metadata": Verb("serve_metadata", "serve an ML Metadata store by gRPC"),
}
"""The verbs by name: a new one is a module beside this, and a line here."""

_PROG = "beam-taxi"


def main(argv: Sequence[str] | None = None) -> int:
    """Call the verb that the first argument names and return its exit status; 2 if there is no such verb.

    Flags without a verb are those of `run`.
    """
    from beam_taxi.cli.terminal import exit_status_of

    words = sys.argv[1:] if argv is None else argv
    return exit_status_of(lambda: _call(words), argv)


def _call(words: Sequence[str]) -> int:
    from beam_taxi.cli.terminal import print_error
    from beam_taxi.launch.stderr import VERBOSE, terminal

    first = words[0] if words else ""
    if first in VERBOSE and len(words) > 1:
        return _call([*words[1:], first])
    if first in VERBS:
        return _main_of(VERBS[first])(words[1:], f"{_PROG} {first}")
    if first in ("-h", "--help"):
        print(_usage())
        return 0
    if first.startswith("-"):
        return _main_of(VERBS["run"])(words, f"{_PROG} run")
    if not first:
        print(_usage(), file=terminal())
        return 2
    close = difflib.get_close_matches(first, VERBS, 1)
    hint = f"did you mean {close[0]}?" if close else f"use one of {', '.join(VERBS)}"
    print_error(f"unknown verb {first!r}; {hint}", 2)
    return 2


def command() -> NoReturn:
    """Call the verb that the arguments of the process name, and end the process."""
    from beam_taxi.launch.interrupts import leave

    leave(main())


def _main_of(verb: Verb) -> Callable[[Sequence[str], str], int]:
    found: Callable[[Sequence[str], str], int] = import_module(f"{__name__}.{verb.module}").main
    return found


def _usage() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {verb.help}" for name, verb in VERBS.items())
    return f"usage: {_PROG} VERB [ARGUMENT ...]\n\n{verbs}\n\n`{_PROG} VERB --help` shows the options of a verb."
