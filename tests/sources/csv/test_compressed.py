"""Compressed files are read as their own tools read them, or refused by name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import shutil
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from beam_taxi.errors import DataError
from beam_taxi.settings import Dialect
from tests.sources.test_plan import plan_of, run


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def zstd_without_sizes(data: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


def skippable(size: int, number: int = 0) -> bytes:
    return struct.pack("<II", 0x184D2A50 + number, size) + b"\xff" * size


def named_gzip(data: bytes) -> bytes:
    """Return a member that has the name of a file and a comment in its header."""
    member = bytearray(gzip.compress(data))
    member[3] |= 8 | 16
    return bytes(member[:10]) + b"a.csv\0by x\0" + bytes(member[10:])


LINES = [f"{i},{random.Random(i).random()}\n".encode() for i in range(5000)]
HEAD, BODY = b"a,b\n" + b"".join(LINES[:3]), b"".join(LINES[3:])
TOOLS = {"gzip": "gzip", "bz2": "bzip2", "zstd": "zstd"}
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bz2": bz2.compress, "zstd": zstd}


def cases(compress: Callable[[bytes], bytes]) -> dict[str, bytes]:
    """Return files of which all members are to be read."""
    head, body, empty = compress(HEAD), compress(BODY), compress(b"")
    return {
        "two members": head + body,
        "an empty member first": empty + head + body,
        "an empty member between": head + empty + empty + body,
        "an empty member last": head + body + empty,
        "a member for each line": compress(HEAD) + b"".join(map(compress, LINES[3:])),
        "a header cut in two": compress(HEAD[:1]) + compress(HEAD[1:] + BODY),
    }


READ = {f"{name}: {case}": (name, data) for name, one in COMPRESS.items() for case, data in cases(one).items()}
READ |= {
    f"{name}: padding of {size} zeros": (name, COMPRESS[name](HEAD) + COMPRESS[name](BODY) + b"\0" * size)
    for name in ("gzip", "bz2")
    for size in (1, 9, 10_240, 700_000)
}
READ |= {
    "gzip: names": ("gzip", named_gzip(HEAD) + named_gzip(BODY)),
    "zstd: skippable frames": (
        "zstd",
        skippable(0) + skippable(9, 15) + zstd(HEAD) + skippable(300_000) + zstd(BODY) + skippable(5),
    ),
    "zstd: frames without sizes": ("zstd", zstd_without_sizes(HEAD) + zstd_without_sizes(BODY)),
}


@pytest.mark.parametrize(("name", "data"), READ.values(), ids=READ)
def test_all_members_are_read(tmp_path: Path, name: str, data: bytes):
    (tmp_path / "x").write_bytes(data)
    for batch_bytes in (1000, 1 << 20):
        units, *_ = run(plan_of(tmp_path / "x", num_shards=3, batch_bytes=batch_bytes))
        rows = [row for rows in units for row in rows]
        assert "".join(f"{a},{b}\n" for a, b in rows).encode() == (HEAD + BODY)[4:]


@pytest.mark.parametrize(
    ("name", "data"), [pytest.param(*READ[case], id=case) for case in READ if shutil.which(TOOLS[READ[case][0]])]
)
def test_the_tools_read_the_same(tmp_path: Path, name: str, data: bytes):
    if name == "zstd" and data.startswith(skippable(0)):
        # Older versions of the tool do not recognize a skippable frame at the start of standard input.
        data = data[len(skippable(0) + skippable(9, 15)) :]
    done = subprocess.run([TOOLS[name], "-dc"], input=data, capture_output=True, check=False)
    assert done.stdout == HEAD + BODY


def damages(name: str) -> dict[str, bytes]:
    one = COMPRESS[name](HEAD)
    return {
        "cut": one[:-3],
        "cut in the second member": one + COMPRESS[name](BODY)[:-9],
        "cut in the header of the second member": one + one[:3],
        "one byte of a second member": one + one[:1],
        "a wrong checksum": one[:-6] + bytes([one[-6] ^ 1]) + one[-5:],
        "text behind": one + b"a,b\n1,2\n",
        "padding, then a member": one + b"\0" * 5 + one,
        "padding, then text": one + b"\0" * 300_000 + b"x",
        "another compression behind": one + COMPRESS["bz2" if name == "gzip" else "gzip"](BODY),
    }


DAMAGED = {f"{name}: {case}": (name, data) for name in COMPRESS for case, data in damages(name).items()}
DAMAGED["zstd: a cut skippable frame"] = ("zstd", zstd(HEAD) + skippable(20)[:-3])


@pytest.mark.parametrize(("name", "data"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_refused(tmp_path: Path, name: str, data: bytes):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(DataError, match=rf"/x: is damaged: its {name} data cannot be decompressed: ."):
        run(plan_of(tmp_path / "x"))


@pytest.mark.parametrize("name", ["gzip", "bz2"])
def test_what_follows_the_last_member_is_named(tmp_path: Path, name: str):
    (tmp_path / "x").write_bytes(COMPRESS[name](HEAD) + b"garbage")
    with pytest.raises(DataError, match=f"what follows its last member is not {name}"):
        run(plan_of(tmp_path / "x"))


def tar(style: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=style) as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = len(HEAD)
        archive.addfile(member, io.BytesIO(HEAD))
    return file.getvalue()


def old_tar() -> bytes:
    """Return an archive as the first versions of tar wrote it, without a magic number."""
    data = bytearray(tar(tarfile.USTAR_FORMAT))
    data[257:500] = bytes(243)
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    return bytes(data)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", HEAD)
    return file.getvalue()


TARS = {"GNU": tar(tarfile.GNU_FORMAT), "POSIX": tar(tarfile.PAX_FORMAT), "USTAR": tar(tarfile.USTAR_FORMAT)}
TARS["old"] = old_tar()
NAMED = {f"{style} tar": (data, "is a tar archive; extract") for style, data in TARS.items()}
NAMED |= {
    f"{style} tar in {name}": (compress(data), f"its {name} compression contains a tar archive")
    for style, data in TARS.items()
    for name, compress in COMPRESS.items()
}
NAMED |= {
    "xz": (lzma.compress(HEAD), "is compressed with xz, which cannot be read"),
    "lzma": (lzma.compress(HEAD, lzma.FORMAT_ALONE), "is compressed with lzma,"),
    "lz4": (b"\x04\x22\x4d\x18\x60\x40", "is compressed with lz4,"),
    "snappy": (b"\xff\x06\x00\x00sNaPpY\x01", "is compressed with snappy,"),
    "compress": (b"\x1f\x9d\x90\x61", "is compressed with compress,"),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00\x04", "is a 7z archive"),
    "zip": (zipped(), "is a zip archive; unzip it first"),
    "zip in gzip": (gzip.compress(zipped()), "its gzip compression contains a zip archive"),
    "xz in gzip": (gzip.compress(lzma.compress(HEAD)), "its gzip compression contains data compressed with xz"),
    "gzip in gzip": (gzip.compress(gzip.compress(HEAD)), "is compressed twice, with gzip and gzip"),
    "gzip in zstd": (zstd(gzip.compress(HEAD)), "is compressed twice, with zstd and gzip"),
    "an empty gzip": (gzip.compress(b""), "is empty"),
}


@pytest.mark.parametrize(("data", "message"), NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_what_is_no_text_is_named(tmp_path: Path, data: bytes, message: str, encoding: str):
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(DataError, match=f"/x.csv: {message}"):
        plan_of(tmp_path / "x.csv", dialect=Dialect(encoding=encoding))


@pytest.mark.parametrize("start", [b"BZh9,b", b"P*M,b", b"7z,b", b"Rar,b", b"LZIP,b", b"PK,b", b"ustar,b"])
def test_text_that_begins_like_something_else_is_text(tmp_path: Path, start: bytes):
    (tmp_path / "x.csv").write_bytes(start + b"\n1,2\n")
    assert run(plan_of(tmp_path / "x.csv"))[0] == [[("1", "2")]]
