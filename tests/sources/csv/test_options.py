"""Every option of the dialect gives what the same data give in the plain dialect, wherever the file is cut."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from beam_taxi.errors import DataError, UsageError
from beam_taxi.launch.command import parse
from beam_taxi.settings import WHITESPACE, Dialect, Settings, command_line
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import plan_input
from beam_taxi.sources.reading import TableReader
from beam_taxi.sources.units import tasks

Table = tuple[dict[str, Kind], list[dict[str, Any]]]


def read(
    path: Path,
    dialect: Dialect,
    part_bytes: int = 1 << 20,
    batch_bytes: int = 64,
    declared: dict[str, Kind] | None = None,
) -> Table:
    """Return the kinds of the columns, and the rows."""
    chosen = Settings((str(path),), "unused", "run", num_shards=3, batch_bytes=batch_bytes, dialect=dialect)
    plan = replace(plan_input(chosen, declared or {}), part_bytes=part_bytes)
    data, units = plan_table(plan, chosen)
    rows = []
    for task in tasks(plan, units):
        reader = TableReader(plan, data)
        rows += [row for unit in task for batch in reader.read(unit) for row in batch.rows.to_pylist()]
        reader.close()
    assert [total.rows for total in data.totals] == [len(rows)]
    return dict(data.kinds), rows


@dataclass(frozen=True)
class Case:
    """A text in some dialect, and the same table in the plain one."""

    text: str
    dialect: Dialect
    plain: str


def repeated(record: Callable[[int], str], count: int = 40) -> str:
    return "".join(map(record, range(count)))


CASES = {
    "skipped lines": Case('made by "x\n\n2024,1\na,b\n1,x\n2,y\n', Dialect(skip_lines=3), "a,b\n1,x\n2,y\n"),
    "skipped lines that end in CRLF": Case("t\r\nu\r\na,b\r\n1,x\r\n", Dialect(skip_lines=2), "a,b\n1,x\n"),
    "skipped lines and given names": Case("t\n1,x\n", Dialect(skip_lines=1, columns=("a", "b")), "a,b\n1,x\n"),
    "comments before and after the header": Case(
        "# by x\n#\na,b\n#1,2\n1,x\n# \"open\n2,y\n#", Dialect(comment="#"), "a,b\n1,x\n2,y\n"
    ),
    "comments with quotes among quoted line breaks": Case(
        "a,b\n" + repeated(lambda i: f'{i},"x\n# ""no"", \n#,"\n# it\'s "one\n#,"y" z\n#,"\n'),
        Dialect(comment="#"),
        "a,b\n" + repeated(lambda i: f'{i},"x\n# ""no"", \n#,"\n'),
    ),
    "a quoted mark of a comment": Case(
        "a,b\n\"#1\",x\n1#,\"#\n#\"\n#,\n", Dialect(comment="#"), 'a,b\n"#1",x\n1#,"#\n#"\n'
    ),
    "comments that end in CR and CRLF": Case(
        "a,b\r#x\r\n1,x\r\n#,\"\r#\r\r\n2,y\r", Dialect(comment="#"), "a,b\n1,x\n2,y\n"
    ),
    "escaped quotes and delimiters": Case(
        "a,b\n" + repeated(lambda i: f'{i},"x\\",\\\\"\n{i}\\,1,\\"y\\\\\n'),
        Dialect(escape="\\"),
        "a,b\n" + repeated(lambda i: f'{i},"x"",\\"\n"{i},1","""y\\"\n'),
    ),
    "escaped line breaks": Case(
        "a,b\n" + repeated(lambda i: f"{i},x\\\ny\\\\\n{i},\\\r\\\n\n"),
        Dialect(escape="\\"),
        "a,b\n" + repeated(lambda i: f'{i},"x\ny\\"\n{i},"\r\n"\n'),
    ),
    "escapes without quotes": Case(
        "a,b\n1,\\\"x\\,\n2,\"\n", Dialect(escape="\\", quote=""), 'a,b\n1,"""x,"\n2,""""\n'
    ),
    "escapes and comments": Case(
        "a,b\n" + repeated(lambda i: f'#\\\n#,"\\\n{i},"\\"\n#\\""\n{i},\\\n#\n\\#,\n'),
        Dialect(escape="\\", comment="#"),
        "a,b\n" + repeated(lambda i: f'{i},"""\n#"""\n{i},"\n#"\n#,\n'),
    ),
    "an escape sequence that means missing": Case(
        "a,b\n1,\\N\n\\N,x\\\\N\n", Dialect(escape="\\", null_values=("\\N",)), "a,b\n1,\n,x\\N\n"
    ),
    "a decimal comma": Case(
        'a;b\n1,5;x\n-,25;1,5\n1,5e3;\n', Dialect(delimiter=";", decimal=","), "a,b\n1.5,x\n-.25,\"1,5\"\n1.5e3,\n"
    ),
    "a quoted decimal comma": Case('a,b\n"1,5",1\n"-2,5",2\n', Dialect(decimal=","), "a,b\n1.5,1\n-2.5,2\n"),
    "thousands": Case(
        'a,b,c\n"1,234",1,x\n"-12,345,678.5",2,"1,000"\n999,"3,000",\n',
        Dialect(thousands=","),
        'a,b,c\n1234,1,x\n-12345678.5,2,"1,000"\n999,3000,\n',
    ),
    "thousands of Germany": Case(
        "a;b\n1.234,5;1.000\n-7;2\n", Dialect(delimiter=";", decimal=",", thousands="."), "a,b\n1234.5,1000\n-7,2\n"
    ),
    "thousands of France and Switzerland": Case(
        "a;b\n1\u202f234;1\n12\u202f000;2\n", Dialect(delimiter=";", thousands="\u202f"), "a,b\n1234,1\n12000,2\n"
    ),
    "marks of numbers": Case(
        "a,b,c\n$3.00,12.5 USD,37%\n-$4.25,-1USD,38 %\n$-5.5,0 USD,39%\n",
        Dialect(number_marks=("$", "%", "USD")),
        "a,b,c\n3.00,12.5,37\n-4.25,-1,38\n-5.5,0,39\n",
    ),
    "marks and thousands": Case(
        'a,b\n"$1,234.50",x$\n"1,000 $",$\n', Dialect(number_marks=("$",), thousands=","), "a,b\n1234.50,x$\n1000,$\n"
    ),
    "missing values among numbers": Case(
        "a;b;c\n1.000,5;;%\n;2%;5\nNA;;\n2,5;1.000;NA\n",
        Dialect(delimiter=";", decimal=",", thousands=".", number_marks=("%",), null_values=("NA", "%")),
        "a,b,c\n1000.5,,\n,2,5\n,,\n2.5,1000,\n",
    ),
    "a plus": Case("a,b\n+37,x\n-1,+\n", Dialect(number_marks=("+",)), "a,b\n37,x\n-1,+\n"),
    "white space around cells": Case(
        "a , b,c \n 1, x y ,\t2\n3 ,  , 4\n  \n", Dialect(trim=True), "a,b,c\n1,x y,2\n3,,4\n"
    ),
    "white space around quotes": Case(
        'a, "b"\n' + repeated(lambda i: f'{i}, "x, ""{i}""\n, " \n{i} , "y" \n'),
        Dialect(trim=True),
        'a,b\n' + repeated(lambda i: f'{i},"x, ""{i}""\n,"\n{i},y\n'),
    ),
    "white space around missing values": Case(
        "a,b\n NA , 1\n2,NA \n", Dialect(trim=True, null_values=("NA",)), "a,b\n,1\n2,\n"
    ),
    "tabs and white space": Case("a\tb\n 1\t x\n\t y \n", Dialect(delimiter="\t", trim=True), "a,b\n1,x\n,y\n"),
    "columns of white space": Case(
        "a  b   c\n" + repeated(lambda i: f'{i} \t "x  ,y\n  z"   2 \n   {i}  it"s  3\n'),
        Dialect(delimiter=WHITESPACE),
        "a,b,c\n" + repeated(lambda i: f'{i},"x  ,y\n  z",2\n{i},"it""s",3\n'),
    ),
    "an index without a name": Case(",id,x\n0,5,x\n1,7,y\n", Dialect(index_name="row"), "row,id,x\n0,5,x\n1,7,y\n"),
    "an index with a name": Case("row,x\n0,x\n", Dialect(index_name="other"), "row,x\n0,x\n"),
    "a trailing delimiter": Case("id,x,\n0,a,\n1,,\n", Dialect(trailing_delimiter=True), "id,x\n0,a\n1,\n"),
    "trailing delimiters": Case("id,x,,\n0,a,,\n1,,,\"\"\n", Dialect(trailing_delimiter=True), "id,x\n0,a\n1,\n"),
    "a trailing delimiter, but for the header": Case(
        "id,x\n\n0,a,\n1,,\n", Dialect(trailing_delimiter=True), "id,x\n0,a\n1,\n"
    ),
    "a header that is replaced": Case(
        ",id\n0,5\n1,7\n", Dialect(columns=("a", "b"), replaces_header=True), "a,b\n0,5\n1,7\n"
    ),
    "footers": Case("a,b\n1,x\n2,y\nTotal\n\nby z,,\n\n", Dialect(skip_footer=2), "a,b\n1,x\n2,y\n"),
    "footers of several batches": Case(
        "a,b\n" + repeated(lambda i: f'{i},"x\n"\n') + repeated(lambda i: f'"{i}\n",,\n'),
        Dialect(skip_footer=40),
        "a,b\n" + repeated(lambda i: f'{i},"x\n"\n'),
    ),
    "all together": Case(
        "by 'x\n% c\n ; n |; m\n% it's 'a\n"
        + repeated(lambda i: f" {i} ; '1.00{i % 10},5 €' ; 'x^'; |\n%' \n%' ;\n")
        + "end\n",
        Dialect(
            delimiter=";", quote="'", escape="^", comment="%", skip_lines=1, skip_footer=1, trim=True, decimal=",",
            thousands=".", number_marks=("€", "%"), columns=("i", "n", "t"), replaces_header=True,
        ),
        "i,n,t\n" + repeated(lambda i: f"{i},100{i % 10}.5,\"x'; |\n%\"\n"),
    ),
}  # fmt: skip
PARTS = (1, 3, 20, 1 << 20)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("compressed", [False, True])
def test_an_option_gives_the_table_of_the_plain_dialect(tmp_path: Path, case: Case, compressed: bool):
    (tmp_path / "plain.csv").write_bytes(case.plain.encode())
    content = case.text.encode()
    (tmp_path / "x.csv").write_bytes(gzip.compress(content) if compressed else content)
    right = read(tmp_path / "plain.csv", Dialect())
    for part_bytes in (1,) if compressed else PARTS:
        for batch_bytes in (1, 30):
            assert read(tmp_path / "x.csv", case.dialect, part_bytes, batch_bytes) == right, (part_bytes, batch_bytes)


REFUSED = {
    "a cell in a column without a name": (
        "a,b,\n1,2,\n3,4,5\n", Dialect(trailing_delimiter=True), "line 3: has '5' in a column without a name"
    ),
    "fewer lines than are skipped": ("a\n1\n", Dialect(skip_lines=5), "is empty: it has 2 lines, and --skip_lines 5"),
    "nothing but comments": ("#a\n#1\n", Dialect(comment="#"), "is empty: it has no header"),
    "nothing but a footer": ("a\n1\n2\n", Dialect(skip_footer=2), "has no rows"),
    "a quote that opens in a footer": (
        'a\n1\n2\n"by\n3\n', Dialect(skip_footer=1), "line 4: the quote that opens here is never closed"
    ),
    "text after a quote in a footer": ('a\n1\n"b"y\n', Dialect(skip_footer=1), "line 3: text after the closing quote"),
    "a quote behind comments": ('#"\na\n#"\n"1\n', Dialect(comment="#"), "line 4: the quote that opens here is never"),
    "names that are missing": (",,a\n1,2,3\n", Dialect(index_name="i"), "no name for column 2"),
    "an index": (",a\n0,1\n", Dialect(), "the header has no name for column 1: --index_name NAME gives it a name"),
    "a trailing delimiter": ("a,b,\n0,1,\n", Dialect(), "no name for column 3: .* --trailing_delimiter"),
    "names missing in the middle": ("a,,b\n0,1,2\n", Dialect(), "no name for column 2: .* --replace_header"),
    "runs of spaces": ("a   b  c\n1   2  3\n", Dialect(), "Try --delimiter whitespace; --skip_lines and --comment"),
    "numbers as names": ("2020,a\n1,2\n", Dialect(), "give --column_names, .*; --skip_lines and --comment"),
    "a comment": ("a,b\n1,2\n# x\n", Dialect(), r"line 3: has 1 fields, the header has 2 \(--comment '#' skips"),
    "comments before the header": ("# x\na,b\n1,2\n", Dialect(), r"the header has 1 \(--comment '#' skips"),
    "a title": ("x\n" + "a,b\n" * 9, Dialect(), r"line 2: has 2 fields, the header has 1 \(--dialect auto proposes"),
    "a footer": ("a,b\n" + "1,2\n" * 9 + "by x\n", Dialect(), r"has 1 fields, the header has 2 \(--skip_footer N"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "dialect", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_the_option_that_helps(tmp_path: Path, text: str, dialect: Dialect, message: str):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.csv", dialect, batch_bytes=1 << 20)


FAULTS = {
    "--delimiter ''": Dialect(delimiter=""),
    "--delimiter 'colon'": Dialect(delimiter="colon"),
    "--escape '\\n'": Dialect(escape="\n"),
    "--escape '\"'": Dialect(escape='"'),
    "--comment ','": Dialect(comment=","),
    "--skip_lines -1": Dialect(skip_lines=-1),
    "--skip_footer 1001": Dialect(skip_footer=1001),
    "--comment '//'": Dialect(comment="//"),
    "--thousands '5'": Dialect(thousands="5"),
    "--thousands '.'": Dialect(thousands="."),
    "--number_marks '('": Dialect(number_marks=("(", ")")),
    "--number_marks ''": Dialect(number_marks=("",)),
    "--number_marks 'e'": Dialect(number_marks=("e",)),
    "--number_marks '5USD'": Dialect(number_marks=("5USD",)),
    "--replace_header requires --column_names": Dialect(replaces_header=True),
    "--index_name ''": Dialect(index_name=""),
    "--index_name 'i'": Dialect(index_name="i", columns=("a",)),
}


@pytest.mark.parametrize(("message", "dialect"), FAULTS.items(), ids=FAULTS)
def test_options_that_cannot_be(message: str, dialect: Dialect):
    with pytest.raises(UsageError, match=re.escape(message)):
        Settings(("x",), "r", "r", dialect=dialect)


@pytest.mark.parametrize(("given", "delimiter"), [("tab", "\t"), (r"\t", "\t"), ("semicolon", ";"), ("pipe", "|")])
def test_delimiters_have_names(given: str, delimiter: str):
    settings = parse(["--input", "x", "--output", "o", "--delimiter", given]).settings
    assert settings.dialect.delimiter == delimiter
    again = parse([*command_line(settings), "--run_id", "r"]).settings
    assert again.dialect == settings.dialect


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("part_bytes", [1, 7, 1 << 20])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_repeated_headers_are_told(tmp_path: Path, compressed: bool, part_bytes: int, line_end: str):
    text = line_end.join(["a,b", "1,x", '2,"', 'a,b"', "a,b", "3,y", "a,bc", "a,b"])
    content = text.encode()
    (tmp_path / "x.csv").write_bytes(gzip.compress(content) if compressed else content)
    chosen = Settings((str(tmp_path / "x.csv"),), "unused", "run", batch_bytes=8)
    plan = replace(plan_input(chosen, {}), part_bytes=part_bytes)
    data, _ = plan_table(plan, chosen)
    (told,) = [warning for warning in data.warnings if "repeats the header" in warning]
    assert told.startswith(f"{tmp_path}/x.csv: line 5 repeats the header, and so does 1 more; ")
