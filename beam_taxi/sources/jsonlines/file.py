"""Files of JSON Lines as sources: parts and units are cut where lines begin."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from beam_taxi import storage
from beam_taxi.sources.content import Content
from beam_taxi.sources.csv.stream import Decoding, TextStream
from beam_taxi.sources.cuts import Cuts, Marks, Numbers, RecordPosition
from beam_taxi.sources.jsonlines.examine import Examination
from beam_taxi.sources.jsonlines.lines import (
    HashedRange,
    Readable,
    TooLong,
    blocks_of,
    first_line_from,
    line_starts,
    too_long,
)
from beam_taxi.sources.jsonlines.parse import BlockParser
from beam_taxi.sources.jsonlines.reader import JsonLinesReader
from beam_taxi.sources.jsonlines.shapes import Keys
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import Joined, Part, Progress, Scan, SourceInfo, no_progress
from beam_taxi.sources.stored_file import StoredFile
from beam_taxi.sources.weights import Weighing


@dataclass(frozen=True)
class LinesJoint:
    """What joins a part to its neighbours: the positions of its cuts and of its end, and the number of its line ends.

    Lines are counted from 0 at the start of the part. `end` is where the first line of the next part begins.
    """

    cuts: Sequence[RecordPosition]
    end: RecordPosition
    lines: int


@dataclass(frozen=True)
class JsonLinesFile(StoredFile[RecordPosition, LinesJoint]):
    """A file of JSON Lines, whose text begins at `begin`. A compressed one, with a `decoding`, has one part.

    `names` has the keys of the columns by the names of their features.
    """

    info: SourceInfo
    version: str
    begin: int
    keys: Keys
    names: Mapping[str, str]
    declared: Mapping[str, Kind]
    batch_bytes: int
    max_line_bytes: int
    weighing: Weighing | None
    decoding: Decoding | None

    def parser(self, texts: Collection[str] = ()) -> BlockParser:
        """Return a parser of its blocks; numbers in the columns of `texts` keep their text."""
        wanted = {self.names[name]: name for name in self.info.columns}
        declared = {name: kind for name, kind in self.declared.items() if name in self.info.columns}
        return BlockParser(self.keys, wanted, declared, self.info.redacted, texts)

    def edges(self, part_bytes: int) -> Sequence[int]:
        """Return a regular grid, unless the file is compressed."""
        size = self.info.size
        if self.decoding is not None:
            return (0, size)
        return [0, *(edge for edge in range(part_bytes, size, part_bytes) if edge > self.begin), size]

    def scan(self, part: Part, assumption: int | None = None, progress: Progress = no_progress) -> Scan[LinesJoint]:
        """Read the lines that begin in a part."""
        if self.decoding is None:
            with self.open_part() as stored:
                return self._scan_part(stored, part, progress)
        with storage.open_input(self.info.uri) as stored:
            stream = TextStream(self.info.uri, stored, self.decoding)
            stream.skip_to(self.begin)
            marks, scan = Marks(), _LineScan(self, RecordPosition(self.begin, 0))
            for starts, numbers, rows in scan.read(stream, None):
                marks.add(starts, numbers)
                progress(stream.take_stored(), rows)
            scan.content.sha256 = stream.sha256
        cuts = marks.positions(part.cuts, self.info.size, self.begin, scan.at)
        return Scan(part, scan.content, LinesJoint(cuts, scan.at, scan.at.number))

    def _scan_part(self, stored: BinaryIO, part: Part, progress: Progress) -> Scan[LinesJoint]:
        size = self.info.size
        end = size if part.end == size else first_line_from(stored, part.end)
        begin = self.begin if part.start == 0 else first_line_from(stored, part.start)
        text = HashedRange(stored, part.start, part.end)
        text.skip(min(begin, part.end) - part.start)
        cuts = Cuts(part.cuts)
        # A line that is open at the start of the part ends before its first one.
        scan = _LineScan(self, RecordPosition(begin, int(part.start > 0 and begin > part.start)))
        for starts, numbers, rows in scan.read(text, max(0, end - begin)):
            cuts.add(starts, numbers)
            progress(0, rows)
        progress(part.end - part.start, 0)
        scan.content.sha256 = text.sha256.digest()
        # The end of the line that is open at the end of the part is in a later one.
        lines = scan.at.number - int(part.end < scan.at.offset < size)
        return Scan(part, scan.content, LinesJoint(cuts.positions(scan.at), scan.at, lines))

    def join(self, joints: Sequence[LinesJoint]) -> Joined[RecordPosition]:
        """Count the lines through the parts."""
        line, bounds, first_lines = 1, [RecordPosition(self.begin, 1)], list[int]()
        for joint in joints:
            first_lines.append(line)
            bounds += [RecordPosition(cut.offset, line + cut.number) for cut in joint.cuts]
            end = RecordPosition(joint.end.offset, line + joint.end.number)
            line += joint.lines
        return Joined((*bounds, end), tuple(first_lines))

    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool, with_places: bool = False) -> JsonLinesReader:
        """Return a reader."""
        return JsonLinesReader(self, kinds, with_places)


class _LineScan:
    """Examines the lines of a file from `at` on, which moves on to the end; lines are counted from 0 in the part."""

    def __init__(self, file: JsonLinesFile, at: RecordPosition) -> None:
        self._file = file
        self._parser = file.parser()
        self._examination = Examination(self._parser.declared, file.weighing)
        self.at = at

    @property
    def content(self) -> Content:
        """What has been found."""
        return self._examination.content

    def read(self, text: Readable, size: int | None) -> Iterator[tuple[Numbers, Numbers, int]]:
        """Yield where the lines of each block begin, their numbers, and the number of good rows among them.

        Raises DataError if the file has changed.
        """
        limit = self._file.max_line_bytes
        try:
            for block in blocks_of(text, size, self._file.batch_bytes, limit):
                rows = self._parser.parse(block)
                self._examination.add(rows, self.at.number)
                starts = line_starts(block)
                yield self.at.offset + starts, self.at.number + np.arange(len(starts)), len(rows.lines)
                self.at = RecordPosition(self.at.offset + len(block), self.at.number + block.count(b"\n"))
                if self.content.fault is not None:
                    return
        except TooLong:
            self.content.fault = (self.at.number, f"the line {too_long(limit)}")
        except EOFError:
            self._file.check_unchanged()
            raise
        self._examination.finish()
