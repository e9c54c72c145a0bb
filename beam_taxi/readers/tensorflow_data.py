"""A split as a tf.data.Dataset.

TensorFlow reads TFRecord files on the local disk itself. Other formats, and remote files, are read by this package,
which hands serialized Examples to TensorFlow: the credentials are then those of a run, whatever TensorFlow was built
with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from beam_taxi import storage
from beam_taxi.example_formats import TFRECORD_GZIP
from beam_taxi.readers.options import Default
from beam_taxi.readers.shards import Part, PartReader, Shard, Share, parts_of, shuffled
from beam_taxi.schemas.features import Feature, Type

_TYPES = {Type.INT: tf.int64, Type.FLOAT: tf.float32, Type.BYTES: tf.string}
_NATIVE = {TFRECORD_GZIP: "GZIP", "tfrecord": ""}
"""The compression of the formats that TensorFlow reads itself, in its words."""

_PARSED_ROWS = 1024
"""Rows that are parsed at once if no batches are wanted."""

_OPEN, _BLOCK_ROWS = 8, 32
"""Shards that are read at the same time when rows are shuffled, and rows taken of each in turn."""

_READ_AHEAD_ROWS = 4096


@dataclass(frozen=True)
class RowOrder:
    """Which rows are read, and in which order: `shuffle` is the size of the buffer, 0 for the order of the run."""

    shards: Sequence[Shard]
    share: Share
    shuffle: int
    seed: int


def feature_spec(
    features: Sequence[Feature], defaults: Mapping[str, Default]
) -> dict[str, tf.io.FixedLenFeature | tf.io.RaggedFeature]:
    """Return what `tf.io.parse_example` takes."""
    found = {}
    for feature in features:
        type_ = _TYPES[feature.type]
        if feature.name in defaults:
            found[feature.name] = tf.io.FixedLenFeature([], type_, defaults[feature.name])
        elif feature.is_dense:
            found[feature.name] = tf.io.FixedLenFeature(list(feature.shape or ()), type_)
        else:
            found[feature.name] = tf.io.RaggedFeature(type_, row_splits_dtype=tf.int64)
    return found


def dataset(
    reader: PartReader,
    order: RowOrder,
    features: Sequence[Feature],
    defaults: Mapping[str, Default],
    batch_size: int | None,
    drop_remainder: bool,
) -> tf.data.Dataset:
    """Return the rows, or batches of them, as dicts of tensors."""
    spec = feature_spec(features, defaults)
    rows, count = _records(reader, order)
    # Parsing many rows at once is much faster.
    batches = rows.batch(batch_size or _PARSED_ROWS, drop_remainder=drop_remainder and batch_size is not None)
    parsed = batches.map(lambda some: tf.io.parse_example(some, spec), num_parallel_calls=tf.data.AUTOTUNE)
    if batch_size is None:
        parsed = parsed.unbatch()
    else:
        count = count // batch_size if drop_remainder else -(-count // batch_size)
    # A row that is lost is an error, and a progress bar knows its end.
    return parsed.apply(tf.data.experimental.assert_cardinality(count)).prefetch(tf.data.AUTOTUNE)


def _records(reader: PartReader, order: RowOrder) -> tuple[tf.data.Dataset, int]:
    """Return the rows as serialized Examples, and how many there are."""
    shards = shuffled(order.shards, order.seed) if order.shuffle else order.shards
    parts = parts_of(shards, order.share)
    count = sum(part.rows for part in parts)
    if not parts:
        return tf.data.Dataset.from_tensor_slices(tf.constant([], tf.string)), 0
    opened = _opener(reader, parts)
    listed = tf.data.Dataset.range(len(parts))
    if not order.shuffle:
        return listed.interleave(opened, cycle_length=1), count
    listed = listed.shuffle(len(parts), order.seed, reshuffle_each_iteration=True)
    mixed = listed.interleave(
        opened, min(_OPEN, len(parts)), _BLOCK_ROWS, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return mixed.shuffle(order.shuffle, order.seed, reshuffle_each_iteration=True), count


def _opener(reader: PartReader, parts: Sequence[Part]) -> Any:
    """Return a function that maps the number of a part to a dataset of its serialized Examples."""
    uris = tf.constant([part.uri for part in parts])
    starts = tf.constant([part.start for part in parts], tf.int64)
    counts = tf.constant([part.rows for part in parts], tf.int64)
    compression = _NATIVE.get(reader.example_format)

    def native(number: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(uris[number], compression)
        return records.skip(starts[number]).take(counts[number])

    def own(number: tf.Tensor) -> tf.data.Dataset:
        signature = tf.TensorSpec([None], tf.string)
        return tf.data.Dataset.from_generator(read, args=(number,), output_signature=signature).unbatch()

    def read(number: np.int64) -> Iterator[Sequence[bytes]]:
        return reader.records(parts[int(number)])

    is_native = compression is not None and not storage.is_remote(parts[0].uri)
    return native if is_native else own
