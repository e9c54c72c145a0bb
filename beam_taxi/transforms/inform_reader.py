"""What follows the manifest: readers of the run, called on a worker because not every launcher waits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import apache_beam as beam
from apache_beam.pvalue import PCollection

from beam_taxi.run.manifest import RunManifest


class _Inform(beam.DoFn):
    def __init__(self, reader: Callable[[RunManifest], None]) -> None:
        self._reader = reader

    def process(self, manifest: RunManifest) -> Iterator[RunManifest]:
        try:
            self._reader(manifest)
        # The run is complete, so a reader that fails must not fail the job.
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            logging.getLogger(__name__).error("run %s is complete, but %s", manifest.run_id, said)
        yield manifest


class InformReader(beam.PTransform):
    """Call a reader with the manifest of a complete run, as a best effort: an error is only logged.

    manifest | "RenderReport" >> InformReader(write_report)
    """

    def __init__(self, reader: Callable[[RunManifest], None]) -> None:
        super().__init__()
        self._reader = reader

    def expand(self, manifest: PCollection[RunManifest]) -> PCollection[RunManifest]:
        return manifest | "Inform" >> beam.ParDo(_Inform(self._reader)).with_output_types(RunManifest)
