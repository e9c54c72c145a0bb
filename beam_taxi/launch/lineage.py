"""What other systems are told of a launch: one that is away never fails a run, or holds it up for long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beam_taxi.errors import BeamTaxiError, one_line
from beam_taxi.launch.console import Console
from beam_taxi.launch.mlflow_log import MlflowLog
from beam_taxi.launch.outcome import Cancelled, Done, Outcome, Unknown, consequence
from beam_taxi.run.manifest import RunManifest

if TYPE_CHECKING:
    from beam_taxi.launch.options import Launch
    from beam_taxi.lineage.openlineage import RunEvents
    from beam_taxi.lineage.receiver import Posting, Receiver


class RunLineage:
    """Posts start and end of a run to where OPENLINEAGE_URL says, and logs it in MLflow, or nothing.

    What cannot be posted is told in one line, once.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._mlflow = MlflowLog(console)
        self._events: RunEvents | None = None
        self._posting: Posting | None = None
        self._has_warned = False
        self._receiver = self._find_receiver()

    @property
    def namespace(self) -> str:
        """The namespace of the job."""
        from beam_taxi.lineage.openlineage import DEFAULT_NAMESPACE
        from beam_taxi.lineage.receiver import NAMESPACE

        return os.environ.get(NAMESPACE, "").strip() or DEFAULT_NAMESPACE

    def worker_receiver(self, launch: Launch) -> Receiver | None:
        """Return where a worker posts the end of the run, None if the launcher does."""
        return self._receiver if launch.options.records_on_worker else None

    def start(self, planned: RunManifest) -> None:
        """Begin to post the start of a run, which goes on in the meantime."""
        self._mlflow.start(planned)
        if self._receiver is None:
            return
        from beam_taxi.lineage.openlineage import RunEvents
        from beam_taxi.lineage.receiver import Posting

        self._events = events = RunEvents(planned, self.namespace)
        with self._warning("the start of the run"):
            self._posting = Posting(self._receiver, events.started().to_json_line().encode())

    def settle(self) -> None:
        """Wait, not for long, until the start is posted."""
        posting, self._posting = self._posting, None
        if posting is not None:
            with self._warning("the start of the run"):
                posting.wait()

    def end(self, outcome: Outcome, on_worker: bool) -> None:
        """Post the end that an outcome is, unless a worker has posted it; what is unknown is no end."""
        self.settle()
        is_posted = on_worker and isinstance(outcome, Done)
        if self._events is not None and not isinstance(outcome, Unknown) and not is_posted:
            self._post_end(self._events, outcome)
        self._mlflow.end(outcome)

    def cached(self, earlier: RunManifest) -> None:
        """Post that the run is complete, with the files of an earlier one."""
        from beam_taxi.lineage.write import now

        self.settle()
        if self._events is not None and self._receiver is not None:
            with self._warning("the end of the run"):
                self._receiver.post(self._events.completed(now(), earlier).to_json_line().encode())
        self._mlflow.cached(earlier)

    def _post_end(self, events: RunEvents, outcome: Outcome) -> None:
        from beam_taxi import storage
        from beam_taxi.lineage.events import ABORT, FAIL
        from beam_taxi.lineage.write import last_event, now
        from beam_taxi.run.folder import OPENLINEAGE, RunFolder

        assert self._receiver is not None
        with self._warning("the end of the run"):
            if isinstance(outcome, Done):
                event = last_event(storage.read_bytes(RunFolder(outcome.manifest.run_uri).uri_of(OPENLINEAGE)))
            else:
                type_ = ABORT if isinstance(outcome, Cancelled) else FAIL
                event = events.ended_without_result(type_, now(), consequence(outcome).message).to_json_line().encode()
            self._receiver.post(event)

    def _find_receiver(self) -> Receiver | None:
        from beam_taxi.lineage.receiver import receiver_of

        with self._warning("the run"):
            return receiver_of(os.environ)
        return None

    @contextmanager
    def _warning(self, what: str) -> Iterator[None]:
        """Turn any error of the block into a warning, if it is the first: lineage never fails a run."""
        try:
            yield
        except Exception as error:
            if not self._has_warned:
                kind = "" if isinstance(error, BeamTaxiError) else f"{type(error).__name__}: "
                self._console.warn(f"{what} was not posted to OpenLineage: {kind}{one_line(error)}")
            self._has_warned = True
