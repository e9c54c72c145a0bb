"""A stored file that is read from position to position, and opened once if it must be decoded."""

from __future__ import annotations

from contextlib import ExitStack

from beam_taxi import storage
from beam_taxi.sources.csv.parse import Readable
from beam_taxi.sources.csv.stream import Decoding, TextStream


class Cursor:
    """Reads the file at `uri`; with a decoding, offsets are those of the decoded bytes and must ascend."""

    def __init__(self, uri: str, decoding: Decoding | None) -> None:
        self._uri = uri
        self._decoding = decoding
        self._stack = ExitStack()
        self._stream: TextStream | None = None

    def close(self) -> None:
        """Close what is open."""
        self._stack.close()
        self._stream = None

    def at(self, offset: int) -> Readable:
        """Return a stream positioned at an offset. Raises EOFError if the decoded file is shorter."""
        if self._decoding is None or self._stream is None:
            self.close()
            stored = self._stack.enter_context(storage.open_input(self._uri))
            if self._decoding is None:
                stored.seek(offset)
                return stored
            self._stream = TextStream(self._uri, stored, self._decoding)
        self._stream.skip_to(offset)
        return self._stream

    def take_stored(self, read: int) -> int:
        """Return how many stored bytes were read since the last call, given the number of bytes that were returned."""
        return read if self._stream is None else self._stream.take_stored()
