"""CSV files as sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from beam_taxi.settings import Settings
from beam_taxi.sources.csv.header import read_header
from beam_taxi.sources.csv.positions import JoinedText, LocalPosition, TextJoint, TextPosition
from beam_taxi.sources.csv.reader import TextReader
from beam_taxi.sources.csv.scan import NEVER_CLOSED, scan_part
from beam_taxi.sources.csv.scan_stream import scan_stream
from beam_taxi.sources.csv.states import INSIDE, OUTSIDE
from beam_taxi.sources.csv.stream import NO_DECODING, Decoding
from beam_taxi.sources.csv.text import CsvText, fields_of
from beam_taxi.sources.formats import FileFormat, Sample
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import AnySource, Part, Progress, Scan, SourceInfo, no_progress
from beam_taxi.sources.weights import weighing_of

_BYTES_PER_FIELD = 8 << 10
_MOST_BYTES = 32 << 20


class CsvFormat(FileFormat):
    """The format of every file that no other format recognizes; binary files are rejected by their first bytes."""

    def recognizes(self, sample: Sample) -> bool:
        """Return True: a CSV file has no signature."""
        return True

    def open(self, sample: Sample, settings: Settings, declared: Mapping[str, Kind]) -> AnySource:
        """Read and check the header. Raises DataError."""
        file, dialect = sample.file, settings.dialect
        header = read_header(file.uri, sample.stored, dialect, settings.columns, declared)
        decoding = header.decoding
        fields = fields_of(header.columns, header.wanted, header.n_unnamed)
        info = SourceInfo(
            file.uri,
            "csv",
            file.size,
            tuple(header.wanted),
            is_splittable=decoding is None,
            is_sequential=decoding is not None,
            row_word="line",
            fields=header.columns if header.columns != tuple(header.wanted) else (),
            redacted=settings.columns.redacted,
        )
        if decoding is not None and decoding.encoding is not None:
            dialect = replace(dialect, encoding="utf-8")
        open_file = CsvFile if decoding is None else partial(DecodedCsvFile, decoding=decoding)
        return open_file(
            info,
            file.version,
            TextPosition(header.end, header.next_line),
            dialect,
            declared,
            _batch_bytes(settings, len(fields)),
            weighing_of(settings),
            fields,
            header.text,
        )


def _batch_bytes(settings: Settings, fields: int) -> int:
    """Return how much text to parse at a time: unless the settings say, more for records of more than 512 fields.

    Each column has a fixed cost in each batch, which is small only if the batch has some thousand records.
    """
    default = Settings.batch_bytes
    if settings.batch_bytes != default:
        return settings.batch_bytes
    return min(max(default, fields * _BYTES_PER_FIELD), _MOST_BYTES)


@dataclass(frozen=True)
class CsvFile(CsvText[TextJoint]):
    """A file whose records can be found in its stored bytes, so that its parts are scanned independently."""

    def edges(self, part_bytes: int) -> Sequence[int]:
        """Return a regular grid; the first part contains the header."""
        size = self.info.size
        return [0, *(edge for edge in range(part_bytes, size, part_bytes) if edge > self.start.offset), size]

    def scan(self, part: Part, assumption: int | None = None, progress: Progress = no_progress) -> Scan[TextJoint]:
        """Read a part; the assumption is the state in which it begins, inside or outside quotes."""
        scan = scan_part(self, part, assumption)
        progress(part.end - part.start, scan.content.rows or 0)
        return scan

    def join(self, joints: Sequence[TextJoint]) -> JoinedText:
        """Track the state, the line and the last opening quote through the parts."""
        state, line, opened, end = OUTSIDE, self.start.line, self.start.line, self.start.offset
        cuts, waiting = list[TextPosition](), 0
        first_lines, open_quotes, again = list[int](), list[int](), dict[int, int]()
        for index, joint in enumerate(joints):
            if joint.assumed != state:
                again[index] = state
            first_lines.append(line)
            open_quotes.append(opened)
            bounds = joint.boundaries[state]
            if bounds.first is not None:
                cuts += [_absolute(bounds.first, line)] * waiting
                waiting = 0
            cuts += [_absolute(start, line) for start in bounds.starts if start is not None]
            waiting += sum(start is None for start in bounds.starts)
            if bounds.opening_lines is not None:
                opened = line + bounds.opening_lines
            state, line, end = bounds.state_after, line + joint.lines, joint.end
        # A cut after the last record moves to the end.
        last = TextPosition(end, line)
        bounds_of_units = (self.start, *cuts, *[last] * (waiting + 1))
        fault = (opened, NEVER_CLOSED) if state == INSIDE else None
        return JoinedText(bounds_of_units, tuple(first_lines), again, fault, tuple(open_quotes))

    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool, with_places: bool = False) -> TextReader:
        """Return a reader."""
        return TextReader(self, kinds, has_rejects, with_places)


def _absolute(local: LocalPosition, line: int) -> TextPosition:
    return TextPosition(local.offset, line + local.lines)


@dataclass(frozen=True)
class DecodedCsvFile(CsvText[JoinedText]):
    """A compressed or transcoded file, or one with a footer, whose beginning is known only from the start.

    One worker reads it from the beginning, and it is still cut into units.
    """

    decoding: Decoding = NO_DECODING

    def scan(self, part: Part, assumption: int | None = None, progress: Progress = no_progress) -> Scan[JoinedText]:
        """Read the one part of the file."""
        return scan_stream(self, self.decoding, part, progress)

    def join(self, joints: Sequence[JoinedText]) -> JoinedText:
        """Return the joint of the only part."""
        return joints[0]

    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool, with_places: bool = False) -> TextReader:
        """Return a reader that decodes the file once for all the units it reads."""
        return TextReader(self, kinds, has_rejects, with_places, self.decoding)
