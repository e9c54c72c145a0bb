"""The runners by name: a new one is a module beside this, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from beam_taxi.launch.options import Launch
from beam_taxi.launch.runners.base import Runner
from beam_taxi.launch.runners.dataflow import DataflowRunner
from beam_taxi.launch.runners.flink import FlinkRunner
from beam_taxi.launch.runners.local import LocalRunner
from beam_taxi.launch.runners.portable import PortableRunner
from beam_taxi.launch.runners.spark import SparkRunner

RUNNERS: Mapping[str, type[Runner]] = {
    "FnApiRunner": LocalRunner,
    "DataflowRunner": DataflowRunner,
    "PortableRunner": PortableRunner,
    "SparkRunner": SparkRunner,
    "FlinkRunner": FlinkRunner,
}


def runner_class(name: str) -> type[Runner]:
    """Return the class of a runner; one that is not known here has defaults."""
    return RUNNERS.get(name, Runner)


def choose(launch: Launch) -> Runner:
    """Return the runner of a launch."""
    return runner_class(launch.options.runner)(launch)
