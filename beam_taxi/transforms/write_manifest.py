"""The last write of the job."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.pvalue import PCollection

from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import RunManifest


class WriteManifest(beam.PTransform):
    """Publish a manifest in its run folder, which makes the run visible to readers, and return it.

    manifest | WriteManifest()
    """

    def expand(self, manifest: PCollection[RunManifest]) -> PCollection[RunManifest]:
        return manifest | "Write" >> beam.Map(_write).with_output_types(RunManifest)


def _write(manifest: RunManifest) -> RunManifest:
    RunFolder(manifest.run_uri).write_manifest(manifest)
    return manifest
