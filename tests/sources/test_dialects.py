"""Ways in which a CSV file can be written or stored, and bad rows that are set aside."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from beam_taxi.errors import DataError, UsageError
from beam_taxi.settings import Dialect, Settings
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import plan_input
from tests.sources.test_plan import Rows, plan_of, run

TEXT = "id,note\n" + "".join(f'{i},"a\n{i},ü""{i}"\n' for i in range(500))
ROWS = [(str(i), f'a\n{i},ü"{i}') for i in range(500)]


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


COMPRESS = {"gzip": gzip.compress, "bz2": bz2.compress, "zstd": zstd}


def rows_of(units: list[Rows]) -> Rows:
    return [row for rows in units for row in rows]


@pytest.mark.parametrize("name", COMPRESS)
@pytest.mark.parametrize("batch_bytes", [50, 1 << 20])
def test_every_member_of_a_compressed_file_is_read_and_cut_into_units(tmp_path: Path, name: str, batch_bytes: int):
    data = TEXT.encode()
    stored = COMPRESS[name](data[:99]) + COMPRESS[name](data[99:])
    (tmp_path / "x.csv").write_bytes(stored)
    units, plan, _ = run(plan_of(tmp_path / "x.csv", num_shards=4, batch_bytes=batch_bytes))
    assert rows_of(units) == ROWS
    assert [len(rows) for rows in units] == pytest.approx([125] * 4, abs=15)
    assert plan.totals[0].content_hash == "sha256:" + hashlib.sha256(stored).hexdigest()


@pytest.mark.parametrize("name", COMPRESS)
@pytest.mark.parametrize("damage", ["cut", "flipped", "followed"])
def test_a_damaged_compressed_file_is_refused(tmp_path: Path, name: str, damage: str):
    stored = COMPRESS[name](os.urandom(50).hex().join(["a,b\n1,", "\n"]).encode() + TEXT[8:].encode())
    stored = {"cut": stored[:-2], "flipped": stored[:-6] + bytes([stored[-6] ^ 1]) + stored[-5:]}.get(
        damage, stored + b"garbage"
    )
    (tmp_path / "x.csv").write_bytes(stored)
    with pytest.raises(DataError, match=rf"x\.csv: is damaged: its {name} data"):
        run(plan_of(tmp_path / "x.csv"))


def test_compressed_and_plain_files_together(tmp_path: Path):
    lines = TEXT.splitlines(keepends=True)
    for number in range(5):
        data = (lines[0] + "".join(lines[1 + 200 * number : 201 + 200 * number])).encode()
        (tmp_path / f"{number}.csv").write_bytes(gzip.compress(data) if number % 2 else data)
    for num_shards in (1, 2, 7, 40):
        units, *_ = run(plan_of(tmp_path / "*.csv", num_shards=num_shards))
        assert rows_of(units) == ROWS


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("compressed", [False, True])
def test_encodings(tmp_path: Path, encoding: str, compressed: bool):
    data = TEXT.encode(encoding)
    (tmp_path / "x.csv").write_bytes(gzip.compress(data) if compressed else data)
    units, *_ = run(plan_of(tmp_path / "x.csv", 100, num_shards=3, dialect=Dialect(encoding=encoding)))
    assert rows_of(units) == ROWS


def test_shift_jis_has_bytes_of_ascii_inside_characters(tmp_path: Path):
    (tmp_path / "x.csv").write_bytes("id,note\n1,ソ|表\n2,能\n".encode("shift_jis"))
    units, *_ = run(plan_of(tmp_path / "x.csv", dialect=Dialect(encoding="shift_jis")))
    assert rows_of(units) == [("1", "ソ|表"), ("2", "能")]


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (b"a,b\n1,x\n2,\x81\n", "cp1252", "line 3: byte 0x81 is not CP1252"),
        (b"a,b\n1,x\n2,\x82\n", "shift_jis", "line 3: is not shift_jis"),
        ("a,b\n1,x\n".encode("utf-16")[:-1], "utf-16", "line 2: is not utf-16"),
        ("a,ü\n1,x\n".encode("latin-1"), "utf-8", "line 1: byte 0xfc in the header is not UTF-8; see --encoding"),
    ],
)
def test_text_that_is_not_in_its_encoding(tmp_path: Path, data: bytes, encoding: str, message: str):
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(DataError, match=f"x.csv: {message}"):
        run(plan_of(tmp_path / "x.csv", dialect=Dialect(encoding=encoding)))


@pytest.mark.parametrize(
    ("text", "dialect", "rows"),
    [
        ("a;b\n'x;\n''y';2\n", Dialect(delimiter=";", quote="'"), [("x;\n'y", "2")]),
        ('a,b\n"x,2\n""",3\n', Dialect(quote=""), [('"x', "2"), ('"""', "3")]),
        ("a|b\n1|2\n", Dialect(delimiter="|"), [("1", "2")]),
        ("a,b\nNA,-\n1,NAN\n", Dialect(null_values=("NA", "-")), [(None, None), ("1", "NAN")]),
        ('1,"2\n3"\n\n4,5\n', Dialect(columns=("a", "b")), [("1", "2\n3"), ("4", "5")]),
        ('\ufeff"1",2\n', Dialect(columns=("a", "b")), [("1", "2")]),
    ],
)
@pytest.mark.parametrize("part_bytes", [1, 3, 100])
def test_dialects(tmp_path: Path, text: str, dialect: Dialect, rows: Rows, part_bytes: int):
    (tmp_path / "x.csv").write_text(text)
    units, *_ = run(plan_of(tmp_path / "x.csv", part_bytes, num_shards=2, dialect=dialect))
    assert rows_of(units) == rows


def test_every_kind_of_bad_row_is_set_aside(tmp_path: Path):
    data = b'a,b\n1,x\n2\n3,"y\nz"\n4,\xff\xfe\n\nfive,x\n6,' + b"w" * 40 + b"\n7,x\r\n9223372036854775808,x\n"
    (tmp_path / "x.csv").write_bytes(data)
    chosen = Settings((str(tmp_path / "x.csv"),), "r", "r", max_rejects=9, dialect=Dialect(max_field_bytes=30))
    for batch_bytes in (1, 20, 1000):
        settings = replace(chosen, batch_bytes=batch_bytes)
        units, found, rejects = run((plan_input(settings, {"a": Kind.INT}), settings))
        assert rows_of(units) == [("1", "x"), ("3", "y\nz"), ("7", "x")]
        assert found.totals[0].blank_lines == 1
        told = [(reject.line, reject.offset, reject.code, reject.raw) for reject in rejects]
        assert told == [
            (3, 8, "fields", b"2"),
            (6, 18, "encoding", b"4,\xff\xfe"),
            (8, 24, "type", b"five,x"),
            (9, 31, "field_size", b"6," + b"w" * 40),
            (11, 79, "type", b"9223372036854775808,x"),
        ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "3 bad rows. Fix the data, or skip bad rows with --max_rejects N"),
        ({"max_rejects": 2}, "3 of 10 rows are bad, 2 may be skipped"),
        ({"max_reject_ratio": 0.25}, "3 of 10 rows are bad, 2 may be skipped"),
        ({"max_rejects": 5, "max_reject_ratio": 0.0}, "0 may be skipped"),
        ({"max_rejects": 3}, None),
        ({"max_reject_ratio": 0.3}, None),
    ],
)
def test_budget_of_rejects(tmp_path: Path, options: dict[str, float], told: str | None):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n" * 7 + "1\n" * 3)
    planned = plan_of(tmp_path / "x.csv", 7, num_shards=2, **options)
    if told is None:
        assert len(run(planned)[2]) == 3
        return
    with pytest.raises(DataError) as error:
        run(planned)
    assert "x.csv: line 9: has 1 fields, the header has 2; " in str(error.value)
    assert told in str(error.value)


@pytest.mark.parametrize("text", ['a,b\n1,2\n3,"4\n', 'a,b\n1,2\n"3"x,4\n'])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_fault_of_quotes_is_never_set_aside(tmp_path: Path, text: str, compressed: bool):
    (tmp_path / "x.csv").write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    with pytest.raises(DataError, match="line 3: .*quot"):
        run(plan_of(tmp_path / "x.csv", max_rejects=9))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("part_bytes", [50, 1 << 20])
def test_a_record_beyond_the_limit_is_refused(tmp_path: Path, compressed: bool, part_bytes: int):
    text = b"a,b\n1,2\n3," + b"x" * (1 << 20) + b"\n"
    (tmp_path / "x.csv").write_bytes(gzip.compress(text) if compressed else text)
    with pytest.raises(DataError, match=r"x.csv: line 3: .* exceeds the limit.*max_field_bytes"):
        run(plan_of(tmp_path / "x.csv", part_bytes, dialect=Dialect(max_field_bytes=1000)))


def test_files_that_are_no_csv_files(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    with pytest.raises(UsageError, match="fifo.csv: is not a regular file"):
        plan_of(tmp_path / "fifo.csv")
    with pytest.raises(UsageError, match="loop.csv: Too many levels of symbolic links"):
        plan_of(tmp_path / "loop.csv")
    (tmp_path / "wide.csv").write_text(",".join(f"c{i}" for i in range(100_000)) + "\n")
    with pytest.raises(DataError, match="wide.csv: line 1: the header has 100000 columns, which exceeds the limit"):
        plan_of(tmp_path / "wide.csv")
    (tmp_path / "bomb.csv").write_bytes(gzip.compress(b"0" * (64 << 20)))
    with pytest.raises(DataError, match="bomb.csv: line 1: the header exceeds the limit"):
        plan_of(tmp_path / "bomb.csv")
