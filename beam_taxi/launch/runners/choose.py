"""The runner of a name."""

from __future__ import annotations

from argparse import Namespace

from beam_taxi.launch.options import LOCAL_RUNNER
from beam_taxi.launch.runners.base import Runner
from beam_taxi.launch.runners.dataflow import DataflowRunner
from beam_taxi.launch.runners.flags import BeamFlags
from beam_taxi.launch.runners.local import LocalRunner
from beam_taxi.launch.runners.portable import PORTABLE

_RUNNERS: dict[str, type[Runner]] = {LOCAL_RUNNER: LocalRunner, "DataflowRunner": DataflowRunner, **PORTABLE}


def choose(name: str, flags: BeamFlags, args: Namespace) -> Runner:
    """Return the runner of a name."""
    return _RUNNERS.get(name, Runner)(name, flags, args)
