"""Read a schema."""

from __future__ import annotations

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.errors import UsageError


def parse_schema(content: bytes, what: str) -> tuple[schema_pb2.Schema, str]:
    """Return a schema and its text."""
    try:
        text = content.decode()
        return text_format.Parse(text, schema_pb2.Schema()), text
    except (UnicodeDecodeError, text_format.ParseError) as error:
        raise UsageError(f"{what}: not a Schema proto in text format: {error}") from error
