"""What the first bytes of a file say: a compression that can be undone, or something that is not text."""

from __future__ import annotations

import re

from beam_taxi.errors import DataError
from beam_taxi.settings import Dialect

_COMPRESSIONS = {
    "gzip": re.compile(rb"\x1f\x8b"),
    # A frame, or one that is to be skipped.
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    # The level, then the magic number of a block or, in an empty file, of the end. Text may also begin with `BZh`.
    "bz2": re.compile(rb"BZh[1-9](\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)"),
}
_OTHERS = {
    "xz": rb"\xfd7zXZ\x00",
    "lzma": rb"\x5d\x00\x00.{2}[\x00-\x7f]?\xff{8}",
    "lz4": rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18",
    "snappy": rb"\xff\x06\x00\x00sNaPpY",
    "compress": rb"\x1f[\x9d\xa0]",
    "lzip": rb"LZIP[\x00\x01]",
    "lzop": rb"\x89LZO\x00",
}
_ARCHIVES = {
    "a zip archive; unzip it first": rb"PK(\x03\x04|\x05\x06|\x07\x08)",
    "a 7z archive; extract it first": rb"7z\xbc\xaf\x27\x1c",
    "a rar archive; extract it first": rb"Rar!\x1a\x07",
}
_UTF16 = rb"\xff\xfe|\xfe\xff"
_TAR_BLOCK = 512
_TAR_CHECKSUM = slice(148, 156)


def compression_of(start: bytes) -> str | None:
    """Return the compression of a file that begins with these bytes, if it can be undone."""
    return next((name for name, magic in _COMPRESSIONS.items() if magic.match(start)), None)


def refuse_other_than_text(uri: str, start: bytes, dialect: Dialect, inside: str | None = None) -> None:
    """Raise DataError if a file that begins with these bytes is known not to be text.

    `inside` is the compression that was undone, if any.
    """
    where = f"its {inside} compression contains" if inside else "is"
    if inside is not None and compression_of(start) is not None:
        raise DataError(f"{uri}: is compressed twice, with {inside} and {compression_of(start)}; decompress it once")
    for name, magic in _OTHERS.items():
        if re.match(magic, start, re.DOTALL):
            compressed = f"{where} data compressed with" if inside else "is compressed with"
            raise DataError(
                f"{uri}: {compressed} {name}, which cannot be read; decompress it first, or use gzip, bzip2 or zstd"
            )
    for what, magic in _ARCHIVES.items():
        if re.match(magic, start):
            raise DataError(f"{uri}: {where} {what}")
    if _is_tar(start):
        raise DataError(f"{uri}: {where} a tar archive; extract its files first")
    if dialect.is_utf8 and re.match(_UTF16, start):
        raise DataError(f"{uri}: is UTF-16 encoded; set --encoding utf-16")


def _is_tar(start: bytes) -> bool:
    """Return whether these bytes begin with the header of a member of a tar archive, of any age, by its checksum."""
    block = start[:_TAR_BLOCK]
    if len(block) < _TAR_BLOCK or not re.match(rb"[^\0].*\0", block[:257], re.DOTALL):
        return False
    digits = re.fullmatch(rb" *([0-7]+)[\0 ]+", block[_TAR_CHECKSUM])
    blanks = b" " * (_TAR_CHECKSUM.stop - _TAR_CHECKSUM.start)
    return digits is not None and int(digits[1], 8) == sum(
        block[: _TAR_CHECKSUM.start] + blanks + block[_TAR_CHECKSUM.stop :]
    )
