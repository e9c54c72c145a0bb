"""Files of other formats are named."""

from __future__ import annotations

import io
import json
import pickle
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, orc

from beam_taxi.errors import DataError
from beam_taxi.settings import Settings
from beam_taxi.sources.plan import plan_input

TABLE = pa.table({"a": [1, 2], "b": ["x", "y"]})


def workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


def stream() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return bytes(sink.getvalue())


def written(write: object) -> bytes:
    file = io.BytesIO()
    write(file)  # type: ignore[operator]
    return file.getvalue()


def database(tmp_path: Path) -> bytes:
    with sqlite3.connect(tmp_path / "x.sqlite") as connection:
        connection.execute("create table t (a int)")
    return (tmp_path / "x.sqlite").read_bytes()


FILES = {
    "xlsx": (workbook(), "is an Excel workbook; save it as CSV"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "is an Excel workbook or another Office file"),
    "feather": (written(lambda file: feather.write_feather(TABLE, file)), "is a Feather (Arrow) file"),
    "feather, version 1": (
        written(lambda file: feather.write_feather(TABLE, file, version=1)),
        "is a Feather (Arrow) file",
    ),
    "arrow stream": (stream(), "is an Arrow stream; convert it to Parquet"),
    "orc": (written(lambda file: orc.write_table(TABLE, file)), "is an ORC file; convert it to Parquet"),
    "avro": (b"Obj\x01\x04\x14avro.codec", "is an Avro file"),
    "numpy": (written(lambda file: np.save(file, np.arange(3))), "is a NumPy array"),
    "pickle": (pickle.dumps(TABLE.to_pydict()), "is a Python pickle"),
    "json": (json.dumps({"a": [1, 2]}, indent=2).encode(), "is a JSON document, not a table"),
    "json array": (json.dumps([{"a": 1}]).encode(), "is a JSON array, not a table"),
    "html": (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", "is an HTML page; was it downloaded"),
    "xml": (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "is an XML document"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "is a pointer of Git LFS"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "is a PDF document"),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_it_is_named(content: bytes, message: str, tmp_path: Path):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError) as error:
        plan_input(Settings((str(tmp_path / "t.csv"),), "/out/r", "r"), {})
    assert str(error.value).startswith(f"{tmp_path}/t.csv: {message}")


def test_a_database_is_named(tmp_path: Path):
    (tmp_path / "t.csv").write_bytes(database(tmp_path))
    with pytest.raises(DataError, match=r"t.csv: is a SQLite database; save it as CSV"):
        plan_input(Settings((str(tmp_path / "t.csv"),), "/out/r", "r"), {})


@pytest.mark.parametrize("header", ["ORC,b", "version,https", "[a],b", "{a},b", "<a>,b", "Obj,b", '"[1]",b'])
def test_text_that_begins_alike_is_a_table(header: str, tmp_path: Path):
    (tmp_path / "t.csv").write_text(f"{header}\n1,2\n")
    assert len(plan_input(Settings((str(tmp_path / "t.csv"),), "/out/r", "r"), {}).columns) == 2
