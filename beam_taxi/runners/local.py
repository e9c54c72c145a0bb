"""Beam's FnApiRunner, in this process: the default."""

from __future__ import annotations

from beam_taxi.runners.base import Runner


class LocalRunner(Runner):
    """FnApiRunner."""

    in_process = True
