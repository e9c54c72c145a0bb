"""Infer a schema from statistics."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.statistics.splits import overall


def infer_schema(statistics: Iterable[statistics_pb2.DatasetFeatureStatisticsList]) -> schema_pb2.Schema:
    """Return the schema that TFDV infers from the first split and widens with each of the others, sorted by name.

    TFDV lists features and string domains in the order in which workers encountered them.
    """
    schema = None
    for one in statistics:
        rows = statistics_pb2.DatasetFeatureStatisticsList(datasets=[overall(one)])
        if not rows.datasets[0].num_examples:
            continue
        if schema is None:
            schema = tfdv.infer_schema(rows, infer_feature_shape=True)
        else:
            schema = tfdv.update_schema(schema, rows)
    schema = schema or schema_pb2.Schema()
    schema.feature.sort(key=lambda feature: feature.name)
    schema.string_domain.sort(key=lambda domain: domain.name)
    for domain in schema.string_domain:
        domain.value.sort()
    return schema
