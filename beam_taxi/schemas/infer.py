"""Infer a schema from statistics."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.statistics.merge import merge
from beam_taxi.statistics.splits import overall


def infer_schema(statistics: Iterable[statistics_pb2.DatasetFeatureStatisticsList]) -> schema_pb2.Schema:
    """Return the schema that TFDV infers from the rows of all splits together, sorted by name.

    The statistics are merged first, since inferring from one split and updating by the others gives another schema: a
    column without values in a later split becomes deprecated, and shapes and presence contradict the data
    (https://github.com/tensorflow/tfx/issues/3925).

    TFDV lists features and string domains in the order in which workers encountered them.
    """
    rows = merge(overall(one) for one in statistics if one.datasets)
    if not rows.num_examples:
        return schema_pb2.Schema()
    schema = tfdv.infer_schema(statistics_pb2.DatasetFeatureStatisticsList(datasets=[rows]), infer_feature_shape=True)
    for feature in schema.feature:
        # Integers that a given schema calls categorical have statistics like strings.
        if feature.type == schema_pb2.INT:
            feature.ClearField("domain")
    named = {feature.domain for feature in schema.feature}
    domains = [domain for domain in schema.string_domain if domain.name in named]
    del schema.string_domain[:]
    schema.string_domain.extend(domains)
    schema.feature.sort(key=lambda feature: feature.name)
    schema.string_domain.sort(key=lambda domain: domain.name)
    for domain in schema.string_domain:
        domain.value.sort()
    return schema
