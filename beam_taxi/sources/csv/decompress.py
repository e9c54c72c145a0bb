"""Compressed files as their own tools read them: all members, and what may stand between and after them."""

from __future__ import annotations

import bz2
from typing import Any, Protocol, cast

import pyarrow as pa
from isal import isal_zlib

from beam_taxi.errors import StorageError
from beam_taxi.sources.csv.signature import compression_of

_READ_BYTES = 256 << 10
_ZLIB_WITH_GZIP_HEADER = 31
_ERROR = cast("type[Exception]", isal_zlib.error)


class Damaged(Exception):
    """A compressed file is damaged; the text says how."""


class Readable(Protocol):
    """A stored file; `read` returns no bytes only at the end."""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes."""


def decompressed(stored: Readable, compression: str) -> Readable:
    """Return the content of a compressed file, in bounded memory. Its `read` raises Damaged."""
    if compression == "zstd":
        return _Zstd(stored)
    return _Members(stored, compression)


class _Zstd:
    """Frames of zstd, some of which are to be skipped: libzstd reads them all, and Arrow checks the last one."""

    def __init__(self, stored: Readable) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(stored, "r"), "zstd")

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except StorageError:
            raise
        except OSError as error:
            # Arrow's error for damaged data has no errno.
            if error.errno is not None:
                raise
            raise Damaged(str(error)) from error
        return data


class _Members:
    """The members of a gzip file, or the streams of a bzip2 file, one after the other.

    Zeros after the last one are padding, as on a tape, which both tools ignore. Other bytes there are refused: the
    tools would lose the rest of a file that was damaged between two members.
    """

    def __init__(self, stored: Readable, compression: str) -> None:
        self._stored = stored
        self._compression = compression
        self._pending = b""
        self._member: Any = None
        self._at_end = False
        self._wants_input = True

    def read(self, size: int) -> bytes:
        while not self._at_end:
            if self._member is None and not self._open():
                break
            data = self._decompress(size)
            if data:
                return data
        return b""

    def _open(self) -> bool:
        """Open the next member; return False at the end of the file."""
        if not self._fill():
            self._at_end = True
            return False
        while len(self._pending) < 10 and (more := self._stored.read(_READ_BYTES)):
            self._pending += more
        if compression_of(self._pending) == self._compression:
            is_gzip = self._compression == "gzip"
            self._member = isal_zlib.decompressobj(_ZLIB_WITH_GZIP_HEADER) if is_gzip else bz2.BZ2Decompressor()
            return True
        if any(magic.startswith(self._pending) for magic in (b"\x1f\x8b", b"BZh91AY&SY")):
            raise Damaged("it ends in the middle of a member")
        while self._fill():
            if self._pending.strip(b"\0"):
                raise Damaged(f"what follows its last member is not {self._compression}")
            self._pending = b""
        self._at_end = True
        return False

    def _fill(self) -> bool:
        """Read on if nothing is pending; return False at the end of the file."""
        self._pending = self._pending or self._stored.read(_READ_BYTES)
        return bool(self._pending)

    def _decompress(self, size: int) -> bytes:
        if self._wants_input and not self._fill():
            raise Damaged("it ends in the middle of a member")
        member, given, self._pending = self._member, self._pending, b""
        try:
            data: bytes = member.decompress(given, size)
        except (_ERROR, OSError, ValueError, EOFError) as error:
            raise Damaged(str(error)) from error
        if member.eof:
            self._pending, self._member = member.unused_data, None
        elif self._compression == "gzip":
            self._pending = member.unconsumed_tail
        # A member may have more output than was asked for, even if all its input was given.
        self._wants_input = self._member is None or len(data) < size
        return data
