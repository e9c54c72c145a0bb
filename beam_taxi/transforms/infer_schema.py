"""The schema of a run: inferred from its statistics, or given."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.pvalue import PCollection
from google.protobuf import text_format

from beam_taxi.run.folder import INFERRED_SCHEMA, SCHEMA, SCHEMA_PATH, RunFolder
from beam_taxi.run.manifest import Artifact
from beam_taxi.schemas.infer import infer_schema
from beam_taxi.settings import Settings
from beam_taxi.transforms.compute_statistics import StatisticsBySplit


class InferSchema(beam.PTransform):
    """Infer one schema from the statistics of all splits; returns its artifact.

    If a schema is given, it is that of the run, unchanged, and the inferred one is written beside it.

        artifacts = computed.statistics | InferSchema(settings)
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def expand(self, statistics: PCollection[StatisticsBySplit]) -> PCollection[Artifact]:
        infer = beam.FlatMap(_write, self._settings.run_uri, self._settings.schema)
        return statistics | "Infer" >> infer.with_output_types(Artifact)


def _write(statistics: StatisticsBySplit, run_uri: str, given: str | None) -> Iterator[Artifact]:
    folder = RunFolder(run_uri)
    inferred = text_format.MessageToString(infer_schema(statistics.values())).encode()
    if given is not None:
        file, _ = folder.publish_bytes(INFERRED_SCHEMA, SCHEMA_PATH, inferred)
        yield Artifact(INFERRED_SCHEMA, "InferredSchema", (file,))
    file, _ = folder.publish_bytes(SCHEMA, SCHEMA_PATH, inferred if given is None else given.encode())
    yield Artifact(SCHEMA, "Schema", (file,))
