"""Record a run from a worker, when no launcher waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from beam_taxi.errors import UsageError
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.recorder import record
from beam_taxi.run.manifest import RunManifest


@dataclass(frozen=True)
class RecordOnWorker:
    """Records a run in the store at `uri`, an absolute one; recording it again changes nothing. It can be pickled.

    The password is the worker's own, from its environment or `password_file`, since a pickle can be read in the job.

    RecordOnWorker(store.absolute_uri, password_file)(manifest)
    """

    uri: str
    password_file: str | None = None

    def __call__(self, manifest: RunManifest) -> None:
        """Record the run as complete. Raises BeamTaxiError if that fails."""
        store = parse_address(self.uri, self.password_file)
        if store is None:
            raise UsageError(f"--metadata_store {self.uri}: nothing is recorded")
        record(manifest, store)
