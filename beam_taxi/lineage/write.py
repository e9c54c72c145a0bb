"""The events of a run that has just been completed: a file in its folder, and a request to a receiver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from beam_taxi.lineage.openlineage import DEFAULT_NAMESPACE, RunEvents
from beam_taxi.lineage.receiver import Receiver
from beam_taxi.run.folder import OPENLINEAGE, RunFolder
from beam_taxi.run.manifest import RunManifest


def now() -> str:
    """Return the time of an event that happens now."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class WriteEvents:
    """Writes the events of a complete run into its folder, and posts the last to `receiver`, if there is one.

    Events that are there already are kept, and posted again. Picklable.

        WriteEvents()(manifest)
    """

    namespace: str = DEFAULT_NAMESPACE
    receiver: Receiver | None = None

    def __call__(self, manifest: RunManifest) -> None:
        """Write and post the events. Raises BeamTaxiError if that fails."""
        events = RunEvents(manifest, self.namespace)
        lines = events.started().to_json_line() + events.completed(now()).to_json_line()
        folder = RunFolder(manifest.run_uri)
        kept = folder.publish_first(OPENLINEAGE, lines.encode())
        folder.remove_staging()
        if self.receiver is not None:
            self.receiver.post(last_event(kept))


def last_event(lines: bytes) -> bytes:
    """Return the last event of a file of events."""
    return lines.rstrip(b"\n").rpartition(b"\n")[2]
