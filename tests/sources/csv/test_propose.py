"""What `--dialect auto` proposes: the options with which a file is read as its data are in the plain dialect."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from beam_taxi.errors import DataError
from beam_taxi.settings import WHITESPACE, Dialect
from beam_taxi.sources.csv.propose import Proposal, propose
from tests.sources.csv.test_options import CASES, read

ROWS = "".join(f"{i},{i}.5,x\n" for i in range(20))


def proposed(path: Path) -> Proposal:
    with path.open("rb") as stored:
        return propose(str(path), stored)


def semicolons(text: str) -> str:
    return text.replace(",", ";").replace(".", ",")


PROPOSED: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "plain": ("a,b,c\n" + ROWS, {}),
    "one column": ("a\n1\n2\n", {}),
    "quoted line breaks": ('a,b\n1,"x\n,\n"\n2,y\n', {}),
    "tabs": (("a,b,c\n" + ROWS).replace(",", "\t"), {"delimiter": "\t"}),
    "semicolons and decimal commas": (semicolons("a,b,c\n" + ROWS), {"delimiter": ";", "decimal": ","}),
    "pipes and single quotes": ("a|b\n'1|2'|x\n'2|\n'|y\n", {"delimiter": "|", "quote": "'"}),
    "spaces": ("a   b  c\n1   2  3\n10  3  4\n", {"delimiter": WHITESPACE}),
    "backslashes": ('a,b\n"x \\" y, z",2\n"q\\\\",3\n', {"escape": "\\"}),
    "backslashes that are text": ("a,b\nC:\\x,2\nC:\\y,3\n", {}),
    "comments": ("# by x, y, z\na,b,c\n" + ROWS, {"comment": "#"}),
    "a name with a mark of comments": ("#a\tb\n1\t2\n3\t4\n", {"delimiter": "\t"}),
    "a title": ("A report\nof 2024, in km\n\na,b,c\n" + ROWS, {"skip_lines": 3}),
    "a table of the World Bank": (
        '"Data Source","World",\n\n"Updated","2024",\n\n"Country","Code","2020"\n"A","AA","1"\n"B","BB","2.5"\n',
        {"skip_lines": 4, "columns": ("Country", "Code", "2020"), "replaces_header": True},
    ),
    "a footer": ("a,b,c\n" + ROWS + "Total,190\n\nby x\n", {"skip_footer": 2}),
    "a total": ("a,b,c\n" + ROWS + "Total,200.0,\n", {"skip_footer": 1}),
    "an index": (",a,b\n0,5,x\n1,6,y\n", {"index_name": "index"}),
    "trailing delimiters": ("a,b,\n5,x,\n6,y,\n", {"trailing_delimiter": True}),
    "trailing delimiters without one in the header": ("a,b\n5,x,\n6,y,\n", {"trailing_delimiter": True}),
    "no header": (ROWS, {"columns": ("column_1", "column_2", "column_3")}),
    "white space": ("a, b\n1, x\n2, y\n", {"trim": True}),
    "thousands": ('a,b\n1,"1,234"\n2,"12,345.5"\n3,7\n', {"thousands": ","}),
    "thousands of Germany": ("a;b\n1;1.234,5\n2;1.000\n", {"delimiter": ";", "decimal": ",", "thousands": "."}),
    "marks": ("a,b,c\n$1.5,5%,7 USD\n-$2,6 %,8 USD\n", {"number_marks": ("$", "%", "USD")}),
    "missing": ("a,b\n1,x\nN/A,NA\n2,y\n3,z\n", {"null_values": ("N/A",)}),
    "Latin-1": ("a,b\n1,ü\n2,é\n".encode("latin-1"), {"encoding": "cp1252"}),
    "UTF-16": ("a;b\n1;ü\n2;é\n".encode("utf-16"), {"encoding": "utf-16", "delimiter": ";"}),
    "UTF-8 with a mark": ("\ufeffa;b\n1;ü\n2;é\n", {"delimiter": ";"}),
    "compressed": (gzip.compress(b"a;b\n1;2\n3;4\n"), {"delimiter": ";"}),
}


@pytest.mark.parametrize(("content", "options"), PROPOSED.values(), ids=PROPOSED)
def test_proposals(tmp_path: Path, content: str | bytes, options: dict[str, Any]):
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = proposed(path)
    assert found.dialect == Dialect(**options)
    assert set(found.reasons) == set(options)
    assert all(found.reasons.values())
    read(path, found.dialect)


ALSO_READ = (
    *("comments before and after the header", "a decimal comma"),
    *("thousands", "marks of numbers", "white space around quotes", "columns of white space", "a trailing delimiter"),
)


@pytest.mark.parametrize("name", ALSO_READ)
def test_a_proposal_reads_the_case_as_it_is_meant(tmp_path: Path, name: str):
    (tmp_path / "plain.csv").write_text(CASES[name].plain)
    (tmp_path / "x.csv").write_text(CASES[name].text)
    assert read(tmp_path / "x.csv", proposed(tmp_path / "x.csv").dialect) == read(tmp_path / "plain.csv", Dialect())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"\n\n", "is empty"), (b"PK\x03\x04", "is a zip archive"), (b"#a\n#b\n", "has no records")],
)
def test_what_has_no_records(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"x.csv: {message}"):
        proposed(tmp_path / "x.csv")


@pytest.mark.parametrize("size", [1 << 18, (1 << 18) + 1, 1 << 20])
def test_a_large_file_is_proposed_by_its_first_records(tmp_path: Path, size: int):
    (tmp_path / "x.csv").write_text(("a;b\n" + "1;ü\n" * size)[:size] + "\nTotal\n")
    found = proposed(tmp_path / "x.csv")
    assert found.dialect == Dialect(delimiter=";")
