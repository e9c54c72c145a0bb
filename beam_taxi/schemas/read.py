"""Read schemas from files in text or binary form, and from runs."""

from __future__ import annotations

import re

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0.schema_pb2 import Schema

from beam_taxi import storage
from beam_taxi.errors import UsageError, one_line
from beam_taxi.run.folder import SCHEMA, SCHEMA_PATH

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")
"""Characters that never occur in text, but in every serialized feature with a type."""


def parse_schema(content: bytes, what: str) -> tuple[Schema, str]:
    """Return the Schema proto in a file, and its text: the file itself, or the text form of a serialized one.

    `what` names the file in messages. Raises UsageError, with the line of a mistake in text.

        schema, text = parse_schema(b'feature { name: "fare" type: FLOAT }', "--schema schema.pbtxt")
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None or _CONTROL.search(text):
        schema = _parse_binary(content)
        if schema is None:
            raise UsageError(f"{what}: neither a Schema proto in text format nor a serialized one")
        return schema, text_format.MessageToString(schema, as_utf8=True)
    try:
        return text_format.Parse(text, Schema()), text
    except text_format.ParseError as error:
        reason = re.sub(r"^\d+:\d+ : ", "", one_line(error))
        place = "" if error.GetLine() is None else f"line {error.GetLine()}: "
        raise UsageError(f"{what}: {place}not a Schema proto in text format: {reason}") from error


def _parse_binary(content: bytes) -> Schema | None:
    """Return a serialized Schema, or None: other messages parse as Schemas with unknown fields."""
    try:
        schema = Schema.FromString(content)
    except DecodeError:
        return None
    size = schema.ByteSize()
    schema.DiscardUnknownFields()
    is_named = all(one.name for one in (*schema.feature, *schema.string_domain))
    return schema if schema.ByteSize() == size and is_named else None


def read_schema(uri: str) -> tuple[Schema, str]:
    """Return the Schema proto, and its text, of a file or of a run by its folder. Raises UsageError."""
    place = schema_uri(uri)
    try:
        content = storage.read_bytes(place)
    except OSError as error:
        raise UsageError(f"{place}: cannot be read: {error.strerror or error}") from error
    return parse_schema(content, place)


def schema_uri(uri: str) -> str:
    """Return the URI of the schema's file: that of a run if `uri` is its folder, else `uri` itself."""
    of_run = storage.join(storage.absolute(uri), f"{SCHEMA}/{SCHEMA_PATH}")
    return of_run if storage.exists(of_run) else uri
