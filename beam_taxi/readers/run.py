"""A finished run as its readers see it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.readers.options import Default, check_binary, check_defaults
from beam_taxi.readers.shards import PartReader, Shard, Share, check_shards
from beam_taxi.run.folder import EXAMPLES, MANIFEST, SCHEMA, SCHEMA_PATH, RunFolder, read_manifest
from beam_taxi.run.manifest import RunManifest
from beam_taxi.schemas.features import Feature, features_of
from beam_taxi.schemas.read import read_schema
from beam_taxi.statistics.read import AnyStatistics, statistics_of_run

if TYPE_CHECKING:
    import pyarrow as pa
    import tensorflow as tf
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

    from beam_taxi.readers.torch_data import TorchDataset

NO_DEFAULTS: Mapping[str, Default] = {}


def open_run(uri: str) -> Run:
    """Return the run in a folder, local or remote, by the folder or its manifest. Raises UsageError.

    run = open_run("gs://bucket/out/RUN")
    run.splits                                           # {"train": 10034, "eval": 4968}
    run.tf("train", batch_size=256, shuffle=10_000)      # a tf.data.Dataset
    """
    manifest = read_manifest(storage.absolute(uri))
    folder = storage.absolute(uri)
    return Run(folder.rpartition("/")[0] if folder.endswith(f"/{MANIFEST}") else folder, manifest)


@dataclass(frozen=True)
class Run:
    """A run in the folder `uri`, which may have been moved since it was written."""

    uri: str
    manifest: RunManifest

    @property
    def splits(self) -> dict[str, int]:
        """The number of rows of each split, by name."""
        return {split.name: split.rows or 0 for split in self.manifest.splits}

    @cached_property
    def schema(self) -> Schema:
        """The schema of the run: the given one, or else the inferred one. Raises UsageError."""
        return read_schema(RunFolder(self.uri).uri_of(f"{SCHEMA}/{SCHEMA_PATH}"))[0]

    @cached_property
    def statistics(self) -> dict[str, AnyStatistics]:
        """The statistics of each split, by name. Raises UsageError."""
        return statistics_of_run(self.uri, self.manifest)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The features that readers return, by name: those of the schema that the Examples have."""
        return features_of(self.schema, {feature.name for feature in self.manifest.features})

    @property
    def feature_spec(self) -> dict[str, tf.io.FixedLenFeature | tf.io.RaggedFeature]:
        """What `tf.io.parse_example` takes.

        A feature that every row has, with the same number of values, is a FixedLenFeature: a scalar if it is one value.
        Others are RaggedFeatures, in which a missing feature is an empty list.
        """
        from beam_taxi.readers.tensorflow_data import feature_spec

        return feature_spec(self.features, NO_DEFAULTS)

    def tf(
        self,
        split: str,
        batch_size: int | None = None,
        *,
        shuffle: int = 0,
        seed: int = 0,
        shard: tuple[int, int] = (0, 1),
        defaults: Mapping[str, Default] = NO_DEFAULTS,
        drop_remainder: bool = False,
    ) -> tf.data.Dataset:
        """Return a split as a tf.data.Dataset of dicts of tensors, parsed with `feature_spec`.

        Args:
            split: Name of the split.
            batch_size: Rows of an element; None for one row, without the dimension of the batch.
            shuffle: Rows of the buffer from which rows are drawn at random; 0 keeps the order of the run.
            seed: Decides the order of shuffled rows, together with the number of times that the dataset was repeated.
            shard: Number of this worker and number of workers. Every row is in one of their shares, which differ by one
                row at most.
            defaults: Values of missing features by name. A feature with a default becomes a scalar.
            drop_remainder: Whether a last batch with fewer rows is dropped.

        Raises:
            UsageError: There is no such split, or the run has no Examples.
            DataError: A shard is missing, or its size is not that of the manifest.
        """
        from beam_taxi.readers.tensorflow_data import RowOrder, dataset

        check_defaults(self.features, defaults)
        shards, share = self._shards(split), Share(*shard)
        order = RowOrder(shards, share, shuffle, seed)
        return dataset(self._reader, order, self.features, defaults, batch_size, drop_remainder)

    def torch(
        self,
        split: str,
        batch_size: int | None = None,
        *,
        shuffle: int = 0,
        seed: int = 0,
        shard: tuple[int, int] | None = None,
        defaults: Mapping[str, Default] = NO_DEFAULTS,
        drop_remainder: bool = False,
        binary: Collection[str] = (),
    ) -> TorchDataset:
        """Return a split as an IterableDataset of dicts of tensors; values of BYTES are `str` or `bytes`.

        The workers of a DataLoader share the rows, and so do the ranks of `torch.distributed` if it is initialized when
        rows are read. The arguments are those of `tf`, except for:

        Args:
            batch_size: Rows of an element; None for one row. Batches are much faster: pass
                `DataLoader(dataset, batch_size=None)`.
            shuffle: As in `tf`. The order depends on the seed, the epoch (`set_epoch`), the shard and the worker.
            shard: Number of this process and number of processes, in place of the rank.
            binary: As in `arrow`.

        Raises:
            UsageError: PyTorch is not installed, or as in `tf`.
            DataError: As in `tf`.
        """
        if find_spec("torch") is None:
            raise UsageError("PyTorch is not installed; pip install torch")
        from beam_taxi.readers.torch_data import Elements, TorchDataset

        check_defaults(self.features, defaults)
        elements = Elements(self.features, defaults, check_binary(self.features, binary), batch_size, drop_remainder)
        return TorchDataset(
            self._reader, self._shards(split), elements, shuffle, seed, None if shard is None else Share(*shard)
        )

    def arrow(
        self, split: str, *, shard: tuple[int, int] = (0, 1), binary: Collection[str] = ()
    ) -> pa.RecordBatchReader:
        """Return a split as a stream of record batches, in the order of the run, in bounded memory.

        INT is int64, FLOAT float32, and BYTES string or binary. A feature with one value is a column
        of values, others are columns of lists; null is a missing feature.

        Args:
            split: Name of the split.
            shard: As in `tf`.
            binary: Names of the features whose BYTES are not text in UTF-8.

        Raises:
            UsageError: As in `tf`.
            DataError: As in `tf`. While batches are read: a shard is damaged, or a value is not UTF-8.
        """
        from beam_taxi.readers.arrow_data import reader

        return reader(
            self._reader, self._shards(split), Share(*shard), self.features, check_binary(self.features, binary)
        )

    @property
    def _reader(self) -> PartReader:
        return PartReader(self.manifest.settings.example_format)

    def _shards(self, split: str) -> list[Shard]:
        """Return the shards of a split that have rows. Raises UsageError and DataError, see `tf`."""
        if split not in self.splits:
            raise UsageError(f"{self.uri}: no split {split!r}; there are {', '.join(self.splits)}")
        examples = self.manifest.artifacts.get(EXAMPLES)
        if examples is None:
            why = (
                "was merged; open the runs in `manifest.parts`"
                if self.manifest.parts
                else "was made with --no_examples"
            )
            raise UsageError(f"{self.uri}: the run has no Examples: it {why}")
        folder = RunFolder(self.uri)
        shards = [
            Shard(folder.uri_of(f"{EXAMPLES}/{file.path}"), file.rows, file.bytes)
            for file in examples.files
            if file.split == split and file.rows
        ]
        check_shards(shards)
        return shards
