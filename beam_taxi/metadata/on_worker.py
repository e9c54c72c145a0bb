"""Record a run from a worker, when no launcher waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from beam_taxi.errors import UsageError
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.recorder import record
from beam_taxi.run.manifest import RunManifest


@dataclass(frozen=True)
class RecordOnWorker:
    """Records a run in the store at `uri`, which must be absolute. Recording it again changes nothing. Picklable.

    The password comes from the worker's own environment or `password_file`, which may be an object or a secret, since
    anyone who can see the job can read the pickle.

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
