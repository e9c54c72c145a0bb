"""The formats of the Examples: their names, and those of their files. What reads and writes them is in `tfexample`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from beam_taxi.errors import UsageError


@dataclass(frozen=True)
class ExampleFormat:
    """A format: shards are named PREFIX-00000-of-00001SUFFIX.

    `payload` and `file_format` are the properties of the Examples in ML Metadata, in the words of TFX where it has one.
    `tfds` is the name of the format in TensorFlow Datasets, None if that cannot read such files. `package` is what the
    format needs beyond the requirements of this package, the name of its module too, and of the extra that brings it.
    """

    prefix: str
    suffix: str
    file_format: str
    payload: str = "FORMAT_TF_EXAMPLE"
    tfds: str | None = None
    package: str = ""


TFRECORD_GZIP = "tfrecord_gzip"

FORMATS = {
    TFRECORD_GZIP: ExampleFormat("data_tfrecord", ".gz", "tfrecords_gzip"),
    "tfrecord": ExampleFormat("data_tfrecord", "", "tfrecords", tfds="tfrecord"),
    "parquet": ExampleFormat("data_parquet", ".parquet", "parquet", "FORMAT_PARQUET"),
    "array_record": ExampleFormat(
        "data_array_record", ".array_record", "array_record", tfds="array_record", package="array_record"
    ),
}
"""The formats by name. The code of each is the module of that name in `beam_taxi.tfexample.formats`."""


def check_installed(name: str) -> None:
    """Raise UsageError if the package that a format needs is not installed."""
    package = FORMATS[name].package
    if package and find_spec(package) is None:
        raise UsageError(
            f"--example_format {name}: the package {package} is not installed; "
            f"pip install 'beam_taxi[{package}]' here and on the workers"
        )
