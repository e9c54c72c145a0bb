"""What TensorFlow Datasets needs beside the shards to read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.pvalue import AsIter, AsSingleton, PCollection

from beam_taxi.example_formats import FORMATS
from beam_taxi.run.folder import EXAMPLES, SCHEMA, SCHEMA_PATH, RunFolder
from beam_taxi.run.manifest import Artifact, RunManifest
from beam_taxi.schemas import tfds
from beam_taxi.schemas.features import features_of
from beam_taxi.schemas.read import read_schema
from beam_taxi.sources.units import DataPlan


def is_described(planned: RunManifest) -> bool:
    """Return whether the run has Examples that TensorFlow Datasets can read."""
    return planned.settings.examples and FORMATS[planned.settings.example_format].tfds is not None


class DescribeExamples(beam.PTransform):
    """Write dataset_info.json and features.json beside the shards; returns them as a part of the Examples.

    The input are the artifacts of the schema.

        artifacts = schema | DescribeExamples(planned, table.for_units, examples.artifacts)
    """

    def __init__(self, planned: RunManifest, data: PCollection[DataPlan], shards: PCollection[Artifact]) -> None:
        super().__init__()
        self._planned = planned
        self._data = data
        self._shards = shards

    def expand(self, schemas: PCollection[Artifact]) -> PCollection[Artifact]:
        settings = self._planned.settings
        describe = beam.FlatMap(
            _describe,
            self._planned.pipeline_name,
            settings.run_uri,
            settings.example_format,
            [split.name for split in settings.splits],
            AsSingleton(self._data),
            AsIter(self._shards),
        )
        return schemas | "Describe" >> describe.with_output_types(Artifact)


def _describe(
    schema: Artifact,
    name: str,
    run_uri: str,
    example_format: str,
    splits: list[str],
    data: DataPlan,
    parts: Iterable[Artifact],
) -> Iterator[Artifact]:
    # The inferred schema is there, too, if another is given.
    if schema.key != SCHEMA:
        return
    folder = RunFolder(run_uri)
    found = features_of(read_schema(folder.uri_of(f"{SCHEMA}/{SCHEMA_PATH}"))[0], data.kinds)
    shards = [file for part in parts if part.key == EXAMPLES for file in part.files]
    texts = {
        tfds.DATASET_INFO: tfds.dataset_info(name, FORMATS[example_format], splits, shards),
        tfds.FEATURES: tfds.features(found),
    }
    files = (folder.publish_bytes(EXAMPLES, path, text.encode())[0] for path, text in texts.items())
    yield Artifact(EXAMPLES, "Examples", tuple(files))
