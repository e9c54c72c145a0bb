"""Infer the schema from the statistics, and write its file."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.pvalue import PCollection
from google.protobuf import text_format

from beam_taxi.run.folder import SCHEMA, SCHEMA_PATH, RunFolder
from beam_taxi.run.manifest import Artifact
from beam_taxi.schemas.infer import infer_schema
from beam_taxi.transforms.compute_statistics import StatisticsBySplit


class InferSchema(beam.PTransform):
    """Infer one schema from the statistics of all splits; returns its artifact.

    artifacts = computed.statistics | InferSchema(settings.run_uri)
    """

    def __init__(self, run_uri: str) -> None:
        super().__init__()
        self._run_uri = run_uri

    def expand(self, statistics: PCollection[StatisticsBySplit]) -> PCollection[Artifact]:
        return statistics | "Infer" >> beam.Map(_write, self._run_uri).with_output_types(Artifact)


def _write(statistics: StatisticsBySplit, run_uri: str) -> Artifact:
    text = text_format.MessageToString(infer_schema(statistics.values())).encode()
    file, _ = RunFolder(run_uri).publish_bytes(SCHEMA, SCHEMA_PATH, text)
    return Artifact(SCHEMA, "Schema", (file,))
