"""All rules for single rows that a run is judged by."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.settings import Settings
from beam_taxi.sources.kinds import Kind
from beam_taxi.validation.schema_rules import RowRule, rules_of_schema


def row_rules(settings: Settings, kinds: Mapping[str, Kind]) -> list[RowRule]:
    """Return the rules of the schema and of the checks for columns of these kinds. Raises UsageError."""
    rules: list[RowRule] = []
    if settings.schema is not None:
        rules += rules_of_schema(text_format.Parse(settings.schema, schema_pb2.Schema()), kinds)
    return rules
