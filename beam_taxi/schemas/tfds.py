"""The files by which TensorFlow Datasets reads the Examples of a run: dataset_info.json and features.json.

TFDS reads `DatasetInfo` and `Feature` of tensorflow_datasets/core/proto in JSON. It cannot read gzip TFRecords.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from beam_taxi.example_formats import ExampleFormat
from beam_taxi.run.manifest import ArtifactFile
from beam_taxi.schemas.features import Feature, Type

DATASET_INFO, FEATURES = "dataset_info.json", "features.json"

_VERSION = "1.0.0"
_MODULE = "tensorflow_datasets.core.features"
_TYPES = {Type.INT: "int64", Type.FLOAT: "float32", Type.BYTES: "string"}


def dataset_info(name: str, stored: ExampleFormat, splits: Sequence[str], shards: Iterable[ArtifactFile]) -> str:
    """Return the content of dataset_info.json: name of the data set, format, and the rows of each shard.

    Args:
        name: Name of the data set.
        stored: Format of the shards, which TFDS can read.
        splits: Names of the splits, in order.
        shards: The shards of all splits.
    """
    by_split: dict[str, list[ArtifactFile]] = {split: [] for split in splits}
    for shard in sorted(shards, key=lambda one: one.path):
        by_split[shard.split or ""].append(shard)
    entries = [
        {
            "name": split,
            "filepathTemplate": f"Split-{{SPLIT}}/{stored.prefix}-{{SHARD_X_OF_Y}}{stored.suffix}",
            "shardLengths": [str(shard.rows) for shard in files],
            "numBytes": str(sum(shard.bytes for shard in files)),
        }
        for split, files in by_split.items()
    ]
    return _json({"name": name, "version": _VERSION, "fileFormat": stored.tfds, "splits": entries})


def features(found: Sequence[Feature]) -> str:
    """Return the content of features.json.

    A feature that may be missing, or whose number of values varies, is a vector, empty if it is missing.
    """
    tensors = {feature.name: _tensor(feature) for feature in found}
    return _json({"pythonClassName": f"{_MODULE}.features_dict.FeaturesDict", "featuresDict": {"features": tensors}})


def _tensor(feature: Feature) -> Mapping[str, object]:
    sizes = feature.shape or () if feature.is_dense else (-1,)
    shape = {"dimensions": [str(size) for size in sizes]} if sizes else {}
    return {
        "pythonClassName": f"{_MODULE}.tensor_feature.Tensor",
        "tensor": {"dtype": _TYPES[feature.type], "encoding": "none", "shape": shape},
    }


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"
