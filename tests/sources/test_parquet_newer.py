"""Files of newer versions of Arrow, some of whose types older versions do not know."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_taxi.errors import DataError
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.parquet_footer import Footer, without_newer_types
from tests.sources.test_parquet import read

NEWER = zlib.decompress(
    base64.b85decode(
        b"c-n<jO;6iE5M9jHMO8$(?8=rb6`{sb1tfqPh^lZ{C&UQ_5mH({)Qe->1Zp5nTmn7y2lUK8>8<K7=&^_Xm`d%;uI;2WrK@DUJM-SWHzUgp(OhPP"
        b"amE)Ig@ev?ix8s0e{y01cJI#YF9_yXZUHiXX0=J&9}!ssw-x{_W{s&s)VhKA44WATC_-e8&HYQ|At7G@L(MM*V(5Lp6P$T0Ls%xO88iy6qAb}$"
        b"iVWOqT}MHm6ySuZKGT@KRf24R8Z<oVM@&<|`#~6-1?MSw8r(tjIPg!-yfFI!tUO+Ljl0TH$kL7%z6pO~HO<iBav6*lQ1C=TGB`CYGqj1tGG<mM"
        b"rn1f;&P%*xPt`5ZB0w&2&D2d>!wHPQRbwf>@*jLrwJ#kdK7g$AJ-%muoETwK)25nPg^AO+!n9IMW+62l?%3Z)Xir8ZV}cxyM6dEy`$oGHU5w}V"
        b"x5FB*+22OV(jTzVAOAGTsXYY`Vp>K<G@Cp7&(u3%{GfSUYi&meu`ASiF2q1MZBZ4XEy`^fa{#c7hq4fL85llc9pcHy3U#poNF<eI{y^rjbY(k#"
        b"na?Az;z%if$lt*2rMx56?Q~kTqtG9Klg1htJe|+yi-@aiq##8SX?>@A?7oWRbw}dc*qW5MN=?RkLs8GI_K#GLyNG|$fNg*`Uz*%Z>#OBp&TWQ="
        b"D`9lFKN!wSX5)D|^;D^o)N8(#{ndu`B%msi)}5uJgU%B6ENZ7fnja+oUFQz}2hFf0%avunE2*CH@80&0M|ZOTv-*JdYs6nkA9a*~{<h=d2`SO{"
        b"$LT|zr^o4iH_orG6JxgP_1?V?qD8;kUG#dri^1$=(CeREoX@Tla!a{oGlb8`tsnUeuWSQ8!M_0<&=^D"
    )
)
"""Written by Arrow 25: string_view, binary_view, a list_view of string_view, decimal64, float16 and lists of it."""

COLUMNS = {
    "bytes": (Kind.STRING, [b"\xff", None]),
    "decimal": (Kind.INT, [150, None]),
    "half": (Kind.FLOAT, [0.5, None]),
    "halves": (Kind.FLOAT, [[-1.5, 0.5], None]),
    "text": (Kind.STRING, ["a", None]),
    "texts": (Kind.STRING, [["a", "b"], []]),
}


def footer_of(content: bytes) -> bytes:
    return content[-8 - int.from_bytes(content[-8:-4], "little") : -8]


def with_footer(content: bytes, footer: bytes) -> bytes:
    return content[: -8 - len(footer_of(content))] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def has_to_know_types(path: Path) -> bool:
    """Return whether Arrow refuses a file with a type that it does not know; later versions read it as it is stored."""
    try:
        pq.ParquetFile(path)
    except OSError:
        return True
    return False


def test_newer_types_are_read(tmp_path: Path):
    (tmp_path / "x.parquet").write_bytes(NEWER)
    (found,), data = read(tmp_path / "x.parquet")
    assert data.kinds == {name: kind for name, (kind, _) in COLUMNS.items()}
    assert found.to_pydict() == {name: values for name, (_, values) in COLUMNS.items()}


def test_a_type_that_nobody_knows_stops_nothing_unless_it_is_wanted(tmp_path: Path):
    # FLOAT16 is field 15 of the union of logical types; 17 needs the long form of a field header.
    footer = footer_of(NEWER)
    assert footer.count(b"\xfc\x00\x00") == 2
    first = footer.index(b"\xfc\x00\x00")
    (tmp_path / "x.parquet").write_bytes(with_footer(NEWER, footer[:first] + b"\x0c\x2e\x00\x00" + footer[first + 3 :]))
    if not has_to_know_types(tmp_path / "x.parquet"):
        assert read(tmp_path / "x.parquet")[0][0].column("half").to_pylist() == [b"\x008", None]
        return
    with pytest.raises(DataError, match=r"column 'half' of type number 23 has no place in a tf\.Example"):
        read(tmp_path / "x.parquet")
    (found,), data = read(tmp_path / "x.parquet", {"text": Kind.STRING}, schema="")
    assert sorted(found.column_names) == sorted(COLUMNS.keys() - {"half"})
    assert "column 'half' of type number 23 has no place in a tf.Example; it is left out" in data.warnings[0]


def test_a_footer_keeps_its_length_and_only_loses_newer_types():
    footer = footer_of(NEWER)
    found = without_newer_types(footer)
    assert len(found.content) == len(footer)
    assert found.newer == {"half": "FLOAT16", "halves": "FLOAT16"}
    assert without_newer_types(found.content).newer == {}


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_a_footer_of_known_types_stays_as_it_is(tmp_path: Path, codec: str):
    columns = {f"c{number}": pa.array([[{"x": number, "y": [b"a"]}]]) for number in range(40)}
    # Metadata, encryption aside, of all kinds: statistics, key values, nested columns.
    table = pa.table({**columns, "t": pa.array([1], pa.timestamp("us", "UTC"))}).replace_schema_metadata({"a": "b"})
    pq.write_table(table, tmp_path / "x.parquet", compression=codec)
    footer = footer_of((tmp_path / "x.parquet").read_bytes())
    assert footer.count(b"ARROW:schema") == 1
    assert without_newer_types(footer) == Footer(footer.replace(b"ARROW:schema", b"arrow_schema"), {})


@pytest.mark.parametrize("cut", [1, 10, 100, 400])
def test_a_damaged_footer_is_refused(tmp_path: Path, cut: int):
    (tmp_path / "x.parquet").write_bytes(with_footer(NEWER, footer_of(NEWER)[:-cut]))
    with pytest.raises(DataError, match="x.parquet: is a Parquet file that cannot be read"):
        read(tmp_path / "x.parquet")
