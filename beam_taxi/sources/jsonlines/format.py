"""JSON Lines as a file format: how it is recognized, and which columns it has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pyarrow as pa

from beam_taxi.errors import DataError
from beam_taxi.settings import Settings
from beam_taxi.sources.arrow.columns import Column, Columns
from beam_taxi.sources.csv.stream import TextStream
from beam_taxi.sources.formats import FileFormat, Sample
from beam_taxi.sources.jsonlines.file import JsonLinesFile
from beam_taxi.sources.jsonlines.lines import Readable, TooLong, blocks_of, too_long
from beam_taxi.sources.jsonlines.parse import ArrowReader, shapes_of_block
from beam_taxi.sources.jsonlines.shapes import Keys, Shapes
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.look import LOOK_BYTES, named_columns
from beam_taxi.sources.names import MAX_COLUMNS
from beam_taxi.sources.source import AnySource, SourceInfo
from beam_taxi.sources.weights import weighing_of

_BOM = b"\xef\xbb\xbf"
_OBJECT = re.compile(rb'\s*\{\s*("(\\.|[^"\\])*"\s*:|\})')
_FIRST_LINES = 16


class JsonLinesFormat(FileFormat):
    """JSON Lines, also compressed: the first lines are JSON objects."""

    def recognizes(self, sample: Sample) -> bool:
        """Return whether a file begins with an object, and most of its first lines are objects."""
        head = sample.decoded_head.removeprefix(_BOM)
        if not _OBJECT.match(head):
            return False
        *lines, last = head.lstrip().split(b"\n")
        if not lines:
            # The only line, or one that is longer than the head.
            return sample.has_more or _is_object(last)
        lines = [line for line in lines if line.strip()][:_FIRST_LINES]
        return 2 * sum(map(_is_object, lines)) > len(lines)

    def open(self, sample: Sample, settings: Settings, declared: Mapping[str, Kind]) -> AnySource:
        """Find the columns. Raises DataError if one cannot be used."""
        file, limit = sample.file, settings.dialect.max_record_bytes
        begin = len(_BOM) if sample.decoded_head.startswith(_BOM) else 0
        sample.stored.seek(0)
        text = sample.stored if sample.decoding is None else TextStream(file.uri, sample.stored, sample.decoding)
        text.read(begin)
        try:
            shapes, is_whole = _look(text, settings.batch_bytes, limit, settings.flatten)
        except TooLong:
            raise DataError(f"{file.uri}: a line in its first {LOOK_BYTES >> 20} MiB {too_long(limit)}") from None
        shapes.drop_null_objects()
        if not is_whole:
            shapes.add((name, None) for name in named_columns(settings, declared) if name not in shapes.names)
        columns = _columns(file.uri, shapes)
        names, chosen = columns.chosen_by(file.uri, settings, declared)
        info = SourceInfo(
            file.uri,
            "jsonlines",
            file.size,
            tuple(chosen.usable),
            is_splittable=sample.decoding is None,
            is_sequential=sample.decoding is not None,
            row_word="line",
            with_lists=chosen.with_lists,
            left_out=chosen.unusable,
            redacted=settings.columns.redacted,
        )
        known = frozenset(shapes.names)
        keys = Keys(known, columns.with_lists, settings.columns, LOOK_BYTES, info.row_word, settings.flatten)
        return JsonLinesFile(
            info,
            file.version,
            begin,
            keys,
            names,
            declared,
            settings.batch_bytes,
            limit,
            weighing_of(settings),
            sample.decoding,
        )


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _look(text: Readable, batch_bytes: int, limit: int, flatten: bool) -> tuple[Shapes, bool]:
    """Return what the first lines show of the keys, and whether they are the whole file."""
    shapes, reader, seen = Shapes(), ArrowReader(), 0
    for block in blocks_of(text, None, batch_bytes, limit):
        if seen >= LOOK_BYTES:
            return shapes, False
        shapes.add_all(shapes_of_block(block, reader, flatten))
        seen += len(block)
    return shapes, True


def _columns(uri: str, shapes: Shapes) -> Columns:
    if not shapes.names:
        raise DataError(f"{uri}: has no keys, and so no columns")
    if len(shapes.names) > MAX_COLUMNS:
        raise DataError(f"{uri}: has {len(shapes.names):,} different keys, which exceeds the limit of {MAX_COLUMNS:,}")
    if "" in shapes.names:
        raise DataError(f"{uri}: has a key without a name")
    usable = {
        name: Column((name,), pa.null(), Kind.MISSING, name in shapes.with_lists)
        for name in shapes.names
        if name not in shapes.unusable
    }
    return Columns(usable, shapes.unusable)
