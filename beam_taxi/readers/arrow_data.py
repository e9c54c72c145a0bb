"""A split as a stream of Arrow record batches."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from beam_taxi.readers.columns import Columns
from beam_taxi.readers.shards import PartReader, Shard, Share, parts_of
from beam_taxi.schemas.features import Feature


def reader(
    reads: PartReader, shards: Sequence[Shard], share: Share, features: Sequence[Feature], binary: frozenset[str]
) -> pa.RecordBatchReader:
    """Return the rows of a share as a stream, in order."""
    columns = Columns(features, binary)
    batches = (columns.of(batch) for part in parts_of(shards, share) for batch in reads.batches(part, columns.decode))
    return pa.RecordBatchReader.from_batches(columns.schema, batches)
