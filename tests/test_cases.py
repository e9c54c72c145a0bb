"""Small tables beside the repository that other readers get wrong, as a user would run them."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_taxi.main import main
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import RunManifest
from tests.conftest import SHARED

pytestmark = pytest.mark.slow

TABLES = SHARED / "cases" / "tables"

DONE: dict[str, tuple[list[str], list[str]]] = {
    "INT96": (["int96_overflow/int96.parquet"], []),
    "decimal ids": (["decimal_no_way/decint.parquet"], []),
    "decimal ids as INT": (
        ["decimal_no_way/a.parquet", "--schema", "decimal_no_way/acct_int.pbtxt"],
        ["only in the data, not in --schema"],
    ),
    "decimal ids as text": (
        ["decimal_no_way/a.parquet", "--schema", "decimal_no_way/acct_str.pbtxt"],
        ["only in the data, not in --schema"],
    ),
    "decimals beside text": (["decimal_no_way/a.parquet", "decimal_no_way/b.csv"], []),
    "lists": (["nested_no_way/list.parquet"], []),
    "structs by option": (["nested_no_way/struct.parquet", "--flatten"], []),
    "structs that nobody wants": (["nested_no_way/struct.parquet", "--drop_columns", "loc"], []),
    "structs that the schema does not name": (
        ["nested_no_way/struct.parquet", "--schema", "nested_no_way/idonly.pbtxt"],
        ["column 'loc' of type struct<x: int64, y: double> has no place in a tf.Example"],
    ),
    "durations": (["nested_no_way/duration.parquet"], []),
    "an offset": (["tz_offset/ts_off.parquet"], []),
    "an offset of zero": (["tz_offset/ts_zero_off.parquet"], []),
    "an offset of pandas": (["tz_offset/pd_when.parquet"], []),
    "NaN": (["nan_hidden/floats.parquet"], []),
    "NaN alone": (["nan_hidden/allnan.parquet"], []),
    "a folder": (
        ["hive_lost_key/d"],
        ["column 'month' comes from the paths", "skipped 1 file with the name of a marker"],
    ),
    "a pattern of folders": (["hive_lost_key/d/*"], ["column 'month' comes from the paths"]),
    "a pattern of files": (["hive_lost_key/d/*/*.parquet"], ["column 'month' comes from the paths"]),
    "lines to skip": (["no_skip_lines/comment.csv", "--skip_lines", "2"], []),
    "comments": (["no_skip_lines/comment.csv", "--comment", "#"], []),
    "comments in the middle": (["no_skip_lines/comment_mid.csv", "--comment", "#"], []),
    "white space as delimiter": (["no_skip_lines/ws.csv", "--delimiter", "whitespace"], []),
    "an index": (["unnamed_column/index.csv", "--index_name", "idx"], []),
    "a header that is replaced": (
        ["unnamed_column/index.csv", "--column_names", "idx,id,x", "--replace_header"],
        [],
    ),
    "a delimiter at the end": (["unnamed_column/trailing_comma.csv", "--trailing_delimiter"], []),
    "a total": (["silent_string/footer_total.csv"], ["line 42): 40 of 41 values are numbers"]),
    "infinities": (["silent_string/inf.csv"], ["'inf'", "39 of 40 values are numbers"]),
    "one odd cell": (["silent_string/onebad.csv"], ["'12.5 USD'", "line 1001): 999 of 1,000 values are numbers"]),
    "a plus": (["silent_string/plus.csv"], ["'+0'", "--number_marks '+'"]),
    "a repeated header": (["silent_string/rephead.csv"], ["line 502 repeats the header"]),
    "white space": (["silent_string/spaces.csv"], ["' 1000'", "--trim"]),
    "a thousand": (["silent_string/thousand1.csv"], ["'13,000'", "--thousands ','"]),
    "thousands": (["silent_string/thousands.csv"], ["--thousands ','", "--number_marks '$'", "--number_marks '%'"]),
    "a row of units": (["silent_string/units.csv"], ["line 2): 500 of 501 values are numbers"]),
    "amounts": (["underflow/money.csv"], ["40 values lose digits in float32"]),
    "tiny numbers": (["underflow/tiny.csv"], ["26 values become 0 in float32"]),
    "names that match nothing": (
        ["schema_names_ignored/d.csv", "--schema", "schema_names_ignored/none.pbtxt"],
        ["only in --schema, not in the data"],
    ),
    "a given schema": (
        ["schema_names_ignored/d.csv", "--schema", "schema_names_ignored/full.pbtxt"],
        ["('gone')", "('extra')"],
    ),
}

REFUSED: dict[str, tuple[list[str], str]] = {
    "structs": (["nested_no_way/struct.parquet"], "struct.parquet: column 'loc' of type struct<x: int64, y: double>"),
    "a preamble": (["no_skip_lines/preamble.csv"], "--skip_lines"),
    "comments": (["no_skip_lines/comment.csv"], "--comment"),
    "white space as delimiter": (["no_skip_lines/ws.csv"], "--delimiter whitespace"),
    "an index": (["unnamed_column/index.csv"], "--index_name"),
    "a delimiter at the end": (["unnamed_column/trailing_comma.csv"], "--trailing_delimiter"),
    "a missing weight": (["weights/wmissing.csv", "--weight_feature", "w"], "wmissing.csv: line 2: column 'w'"),
    "negative weights": (["weights/wnegall.csv", "--weight_feature", "w"], "wnegall.csv: line 2: column 'w'"),
    "no weight": (["weights/wzero.csv", "--weight_feature", "w"], "wzero.csv: line 2: column 'w'"),
    "a slice without weight": (
        ["weights/wslice0.csv", "--weight_feature", "w", "--slice_features", "g"],
        "wslice0.csv: line 4: column 'w', the --weight_feature, is 0 in all rows in which 'g' is 'c'",
    ),
}


def run(words: list[str], out: Path) -> int:
    given = [str(TABLES / word) if "/" in word else word for word in words]
    return main(
        ["--input", *given, "--output", str(out), "--run_id", "r", "--metadata_store", "none", "--fail_on", "none"]
    )


def manifest(out: Path) -> RunManifest:
    return RunFolder(str(out / "r")).read_manifest()


@pytest.mark.parametrize(("words", "told"), DONE.values(), ids=DONE)
def test_it_is_read_and_doubts_are_told(shared_data: Path, tmp_path: Path, words: list[str], told: list[str]):
    assert run(words, tmp_path) == 0
    warnings = "\n".join(manifest(tmp_path).warnings)
    assert all(one in warnings for one in told), warnings
    assert told or not warnings, warnings


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_the_way_out(
    shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], message: str
):
    assert run(words, tmp_path) == 3
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def values(out: Path, feature: str) -> set[object]:
    """Return the values that the profile lists of a feature."""
    splits = RunFolder(str(out / "r")).read_profile().splits().values()
    return {one.value for split in splits for one in split.features[feature].counts.counts}


def test_instants_are_right(shared_data: Path, tmp_path: Path):
    assert run(["int96_overflow/int96.parquet"], tmp_path) == 0
    found = {str(value) for name in manifest(tmp_path).columns for value in values(tmp_path, name)}
    assert any(value.startswith("9999-12-31") for value in found)
    assert not any(value.startswith("1816") for value in found)


def test_decimal_ids_stay_apart(shared_data: Path, tmp_path: Path):
    assert run(["decimal_no_way/decint.parquet"], tmp_path) == 0
    kinds = {one.name: one.type for one in manifest(tmp_path).features}
    splits = RunFolder(str(tmp_path / "r")).read_profile().splits().values()
    assert set(kinds.values()) == {"INT"}
    assert sum(max(one.distinct.value for one in split.features.values()) for split in splits) == 30


@pytest.mark.parametrize(
    "words", [["sparse_3.csv", "--splits", "train:9,eval:1"], ["pres_evalall.csv", "--split_key", "id"]]
)
def test_the_schema_is_that_of_all_splits(shared_data: Path, tmp_path: Path, words: list[str]):
    words = [f"schema_deprecated/{words[0]}", *words[1:]]
    assert run(words, tmp_path / "split") == 0
    assert run([words[0], "--splits", "all:1"], tmp_path / "whole") == 0
    one, other = ((tmp_path / name / "r/schema/schema.pbtxt").read_text() for name in ("split", "whole"))
    assert one == other


def test_a_file_uri(shared_data: Path, tmp_path: Path):
    word = f"file://{TABLES}/uri_traceback/sci.csv"
    assert (
        main(["--input", word, "--output", f"file://{tmp_path}/out", "--run_id", "r", "--metadata_store", "none"]) == 0
    )
    assert manifest(tmp_path / "out").run_uri == str(tmp_path / "out" / "r")
