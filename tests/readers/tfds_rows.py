"""Prints what TensorFlow Datasets reads from the Examples of a run, as JSON: run by `test_tfds`."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import tensorflow_datasets as tfds


def plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.hex() if isinstance(value, bytes) else value


def main(uri: str) -> None:
    builder = tfds.builder_from_directory(f"{uri}/examples")
    splits = {name: info.num_examples for name, info in builder.info.splits.items()}
    rows = []
    for split, count in splits.items():
        if not count:
            continue
        if uri.endswith("array_record"):
            rows += list(builder.as_data_source(split))
        else:
            rows += list(tfds.as_numpy(builder.as_dataset(split)))
    found = [{name: plain(value) for name, value in row.items()} for row in rows]
    print(json.dumps({"name": builder.info.name, "splits": splits, "rows": found}))


if __name__ == "__main__":
    main(sys.argv[1])
