"""How files are compressed, by their first bytes."""

from __future__ import annotations

import re

_COMPRESSIONS = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "bz2": re.compile(rb"BZh[1-9](\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)"),
}


def compression_of(start: bytes) -> str | None:
    """Return the compression of a file that begins with these bytes, if it can be undone."""
    return next((name for name, magic in _COMPRESSIONS.items() if magic.match(start)), None)
