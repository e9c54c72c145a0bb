"""Files that must be decoded: compressed ones, and those in a multi-byte encoding other than UTF-8.

They are read from start to end, in bounded memory, and the offsets of their records are those of the decoded text.
"""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from beam_taxi.errors import DataError
from beam_taxi.sources.csv.decompress import Damaged, Readable, decompressed


@dataclass(frozen=True)
class Decoding:
    """How stored bytes become text: a compression (`gzip`, `bz2` or `zstd`), then an encoding. Either may be None.

    If both are, the file is only read from start to end.
    """

    compression: str | None
    encoding: str | None


NO_DECODING = Decoding(None, None)


class TextStream:
    """The text of a file as UTF-8 bytes.

    Every member of a compressed file is read, and its checksum and end are verified. `sha256` is the digest of the
    stored bytes read so far. Raises DataError if the file is damaged or is not in its encoding.
    """

    def __init__(self, uri: str, stored: BinaryIO, decoding: Decoding) -> None:
        self._uri = uri
        self._decoding = decoding
        self._stored = _Hashed(stored)
        compression = decoding.compression
        self._decompressed: Readable = decompressed(self._stored, compression) if compression else self._stored
        self._decoder = codecs.getincrementaldecoder(decoding.encoding)() if decoding.encoding else None
        self._pending = b""
        self._position = 0
        self._lines = 1

    @property
    def sha256(self) -> bytes:
        """Digest of the stored bytes read so far."""
        return self._stored.sha256.digest()

    def take_stored(self) -> int:
        """Return how many stored bytes were read since the last call."""
        taken, self._stored.taken = self._stored.taken, 0
        return taken

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes of text; fewer only at the end."""
        parts = [self._pending]
        missing = size - len(self._pending)
        while missing > 0:
            decoded, at_end = self._decode(missing)
            parts.append(decoded)
            missing -= len(decoded)
            if at_end:
                break
        data = b"".join(parts)
        self._pending = data[size:]
        self._position += min(size, len(data))
        return data[:size]

    def skip_to(self, position: int) -> None:
        """Skip to `position`, in bytes of text. Raises EOFError if the text is shorter."""
        while self._position < position:
            if not self.read(min(position - self._position, 1 << 20)):
                raise EOFError

    def _decode(self, size: int) -> tuple[bytes, bool]:
        data = self._decompress(size)
        if self._decoder is None:
            return data, not data
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            line = self._lines + error.object[: error.start].decode(error.encoding, "replace").count("\n")
            raise DataError(f"{self._uri}: line {line}: is not {self._decoding.encoding}: {error.reason}") from error
        self._lines += text.count("\n")
        return text.encode(), not data

    def _decompress(self, size: int) -> bytes:
        try:
            return self._decompressed.read(size)
        except Damaged as error:
            raise DataError(
                f"{self._uri}: is damaged: its {self._decoding.compression} data cannot be decompressed: {error}"
            ) from error


class _Hashed:
    """A file that hashes what is read from it. Its owner closes the file, not Arrow."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.taken = 0

    def close(self) -> None:
        self.closed = True

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        self.taken += len(data)
        return data
