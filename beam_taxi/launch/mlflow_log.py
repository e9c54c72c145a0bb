"""The log of a launch in MLflow: a server that is away never fails a run, or holds it up for long."""

from __future__ import annotations

import os
from collections.abc import Callable

from beam_taxi.errors import UsageError, one_line
from beam_taxi.launch.console import Console
from beam_taxi.launch.outcome import Cancelled, Done, Outcome, Unknown, consequence
from beam_taxi.metadata.waiting import OutOfTimeError, in_time
from beam_taxi.run.manifest import RunManifest

LIMIT_SECONDS = 15.0
"""The time that all requests may take together."""


class MlflowLog:
    """Logs a run where MLFLOW_TRACKING_URI says, once it has ended, or nothing.

    What cannot be logged is told in one line.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._planned: RunManifest | None = None

    def start(self, planned: RunManifest) -> None:
        """Note what is known of a run that starts. If MLflow is not installed, say so."""
        from beam_taxi.lineage import mlflow_run

        if not os.environ.get(mlflow_run.TRACKING_URI, "").strip():
            return
        try:
            mlflow_run.check_installed()
        except UsageError as error:
            self._console.warn(f"the run is not logged in MLflow: {error}")
            return
        self._planned = planned

    def end(self, outcome: Outcome) -> None:
        """Log what a run has come to; what is unknown is no end."""
        from beam_taxi.lineage.mlflow_run import FAILED, FINISHED, KILLED, log_run

        if (planned := self._planned) is None or isinstance(outcome, Unknown):
            return
        if isinstance(outcome, Done):
            manifest = outcome.manifest
            self._log(lambda: log_run(manifest, FINISHED, results=manifest))
        else:
            status, message = KILLED if isinstance(outcome, Cancelled) else FAILED, consequence(outcome).message
            self._log(lambda: log_run(planned, status, message))

    def cached(self, earlier: RunManifest) -> None:
        """Log that the run is complete, with the files of an earlier one."""
        from beam_taxi.lineage.mlflow_run import FINISHED, log_run

        if (planned := self._planned) is not None:
            self._log(lambda: log_run(planned, FINISHED, results=earlier))

    def _log(self, log: Callable[[], None]) -> None:
        try:
            # Here, since an import in a thread could block one in this.
            import mlflow.tracking  # noqa: F401

            in_time(log, LIMIT_SECONDS)
        except OutOfTimeError:
            self._warn(f"no answer within {LIMIT_SECONDS:.0f} s")
        # MLflow may raise anything, its plug-ins too, and the run has ended.
        except Exception as error:
            self._warn(one_line(error))

    def _warn(self, reason: str) -> None:
        self._console.warn(f"the run was not logged in MLflow: MLFLOW_TRACKING_URI: {reason}")
