"""TFRecord files of tf.Examples that TensorFlow wrote: values, units, damage; and as they are written again."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from beam_taxi.columns import ColumnSettings
from beam_taxi.errors import DataError
from beam_taxi.main import main
from beam_taxi.settings import StatisticsSettings
from beam_taxi.sources.fingerprint import content_hashes
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import plan_input
from tests.sources.reading import read, settings_for

INTS, FLOATS, BYTES = "int64_list", "float_list", "bytes_list"
Feature = tuple[str, list[Any]]


def example(**features: Feature) -> bytes:
    """Return an Example with a list of values for each feature."""
    built = tf.train.Example()
    for name, (kind, values) in features.items():
        found = getattr(built.features.feature[name], kind)
        found.SetInParent()
        found.value.extend(values)
    return bytes(built.SerializeToString())


def write(path: Path, records: list[bytes], compression: str = "") -> None:
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)


# Records; kinds; rows.
VALUES: dict[str, tuple[list[bytes], dict[str, str], list[dict[str, Any]]]] = {
    "one value each": (
        [example(i=(INTS, [-(2**63)]), f=(FLOATS, [0.1]), b=(BYTES, [b"x\xff"])), example(i=(INTS, [7]))],
        {"b": "STRING", "f": "FLOAT", "i": "INT"},
        [{"i": -(2**63), "f": float(np.float32(0.1)), "b": b"x\xff"}, {"i": 7}],
    ),
    "several values": (
        [
            example(i=(INTS, [1, 2]), b=(BYTES, [b"x"])),
            example(i=(INTS, [3]), b=(BYTES, [])),
            example(b=(BYTES, [b""])),
        ],
        {"b": "STRING", "i": "INT"},
        [{"i": [1, 2], "b": [b"x"]}, {"i": [3], "b": []}, {"b": [b""]}],
    ),
    "no values at all": ([example(f=(FLOATS, [])), example()], {"f": "FLOAT"}, [{"f": []}, {}]),
    "NaN and infinities": (
        [example(f=(FLOATS, [np.inf])), example(f=(FLOATS, [-np.inf]))],
        {"f": "FLOAT"},
        [{"f": np.inf}, {"f": -np.inf}],
    ),
}


@pytest.mark.parametrize("batch_bytes", [1, 1 << 20], ids=["a record at a time", "at once"])
@pytest.mark.parametrize(("records", "kinds", "rows"), VALUES.values(), ids=VALUES)
def test_values(
    tmp_path: Path, records: list[bytes], kinds: dict[str, str], rows: list[dict[str, Any]], batch_bytes: int
):
    write(tmp_path / "x.tfrecord", records)
    found = read(tmp_path / "x.tfrecord", batch_bytes=batch_bytes)
    assert found.kinds == kinds
    assert found.rows == rows


def some_records(count: int = 150) -> list[bytes]:
    return [
        example(id=(INTS, [number]), t=(BYTES, [b"x" * (number % 40)] * (number % 3)), f=(FLOATS, [number / 4]))
        for number in range(count)
    ]


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_units_have_the_records_of_the_file(tmp_path: Path, compression: str):
    write(tmp_path / "x", some_records(), compression)
    for num_shards, batch_bytes in ((1, 4 << 20), (1, 10), (7, 200), (300, 50)):
        found = read(tmp_path / "x", num_shards=num_shards, batch_bytes=batch_bytes)
        assert [row["id"] for row in found.rows] == list(range(150))
        assert [row["t"] for row in found.rows] == [[b"x" * (number % 40)] * (number % 3) for number in range(150)]
        assert [place.number for place in found.places] == list(range(1, 151))
        assert found.data.totals[0].rows == 150
        if num_shards == 7:
            assert all(10 <= rows <= 35 for rows in found.rows_of_units)
    assert content_hashes(plan_input(settings_for(tmp_path / "x"), {})) == [found.data.totals[0].content_hash]


def framed(tmp_path: Path, records: list[bytes]) -> bytes:
    write(tmp_path / "framed", records)
    return (tmp_path / "framed").read_bytes()


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


GOOD = [example(a=(INTS, [1]))] * 3
SIZE = 12 + len(GOOD[0]) + 4
# What is done to the file; the message.
DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated in a record": (
        lambda data: data[: 2 * SIZE + 15],
        f"is damaged: record 3, at byte {2 * SIZE}: the file ends within it",
    ),
    "truncated in a length": (
        lambda data: data[: SIZE + 3],
        f"is damaged: record 2, at byte {SIZE}: the file ends within it",
    ),
    "a changed record": (
        lambda data: flipped(data, SIZE + 14),
        f"is damaged: record 2, at byte {SIZE}: the checksum of its content is wrong",
    ),
    "a changed length": (
        lambda data: flipped(data, SIZE + 5),
        f"is damaged: record 2, at byte {SIZE}: the checksum of its length is wrong",
    ),
    "a changed checksum of a length": (
        lambda data: flipped(data, SIZE + 9),
        f"is damaged: record 2, at byte {SIZE}: the checksum of its length is wrong",
    ),
    "truncated gzip": (lambda data: gzip.compress(data)[:-9], "is damaged: its gzip data cannot be decompressed"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_files_are_refused(tmp_path: Path, damage: Callable[[bytes], bytes], message: str):
    (tmp_path / "x").write_bytes(damage(framed(tmp_path, GOOD)))
    for batch_bytes in (1, 1 << 20):
        with pytest.raises(DataError) as error:
            read(tmp_path / "x", batch_bytes=batch_bytes)
        assert str(error.value).startswith(f"{tmp_path}/x: {message}")


ONE = example(a=(INTS, [1]))
# Records after 50 that have one whole number in `a`; the message.
UNLIKE = {
    "no Example": (b"\xff\xff", "is not a tf.Example"),
    "another type": (
        example(a=(FLOATS, [1.5])),
        "feature 'a' has values in float_list, but in int64_list in earlier records",
    ),
    "a new feature": (example(b=(INTS, [1])), "has the feature 'b', which no record of the first"),
    "a list": (example(a=(INTS, [1, 2])), "column 'a' has a list, but no record of the first"),
    "an empty list": (example(a=(INTS, [])), "column 'a' has a list, but no record of the first"),
}


@pytest.mark.parametrize(("record", "message"), UNLIKE.values(), ids=UNLIKE)
def test_records_that_differ_from_the_first_are_named(
    tmp_path: Path, record: bytes, message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("beam_taxi.sources.tfrecord.format.LOOK_BYTES", 100)
    write(tmp_path / "x", [*[ONE] * 50, record, ONE])
    for batch_bytes in (1, 100):
        with pytest.raises(DataError) as error:
            read(tmp_path / "x", batch_bytes=batch_bytes)
        assert str(error.value).startswith(f"{tmp_path}/x: record 51: {message}")


def test_features_that_differ_within_the_first_records_are_named(tmp_path: Path):
    write(tmp_path / "x", [ONE, example(a=(BYTES, [b"x"]))])
    for batch_bytes in (1, 1 << 20):
        with pytest.raises(
            DataError, match="x: record 2: feature 'a' has values in bytes_list, but in int64_list in earlier"
        ):
            read(tmp_path / "x", batch_bytes=batch_bytes)


def test_later_features_can_be_named_or_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("beam_taxi.sources.tfrecord.format.LOOK_BYTES", 100)
    write(tmp_path / "x", [*[ONE] * 50, example(b=(INTS, [1]))])
    options: list[tuple[dict[str, Any], dict[str, Kind], dict[str, int]]] = [
        ({"columns": ColumnSettings(keep=("a", "b"))}, {}, {"b": 1}),
        ({}, {"b": Kind.INT}, {"b": 1}),
        ({"columns": ColumnSettings(drop=("b",))}, {}, {}),
    ]
    for given, declared, last in options:
        assert read(tmp_path / "x", declared, batch_bytes=50, **given).rows[-1] == last


def test_declared_types(tmp_path: Path):
    write(tmp_path / "x", [example(i=(INTS, [5]), f=(FLOATS, [2.0])), example(f=(FLOATS, [3.0]))])
    found = read(tmp_path / "x", {"i": Kind.STRING, "f": Kind.INT})
    assert found.rows == [{"i": "5", "f": 2}, {"f": 3}]
    write(tmp_path / "x", [example(i=(BYTES, [b"5"]))])
    with pytest.raises(DataError, match="column 'i' is large_binary, not INT as declared"):
        read(tmp_path / "x", {"i": Kind.INT})


def test_columns_are_chosen_and_renamed(tmp_path: Path):
    write(tmp_path / "x", [example(a=(INTS, [1, 2]), b=(BYTES, [b"x"]), c=(FLOATS, [])), example(b=(BYTES, [b"y"]))])
    found = read(tmp_path / "x", columns=ColumnSettings(drop=("c",), names={"a": "n", "b": "a"}), batch_bytes=1)
    assert found.columns == ("n", "a")
    assert found.rows == [{"n": [1, 2], "a": b"x"}, {"a": b"y"}]


def test_weights_are_checked(tmp_path: Path):
    write(tmp_path / "x", [example(a=(INTS, [1]), w=(FLOATS, [1.0])), example(a=(INTS, [1]))])
    with pytest.raises(DataError, match="x: record 2: column 'w', the --weight_feature, is missing"):
        read(tmp_path / "x", statistics=StatisticsSettings(weight_feature="w", slice_features=("a",)))


def test_shards_without_records_are_passed_over(tmp_path: Path):
    for number, records in enumerate(([], GOOD, [])):
        write(tmp_path / f"x.tfrecord-{number:05}-of-00003.gz", records, "GZIP")
    plan = plan_input(settings_for(tmp_path), {})
    assert [source.info.uri for source in plan.sources] == [f"{tmp_path}/x.tfrecord-00001-of-00003.gz"]
    assert plan.notes == (f"skipped 2 files without rows: {tmp_path}/x.tfrecord-00000-of-00003.gz: has no records",)
    with pytest.raises(DataError, match="00000-of-00003.gz: has no records"):
        plan_input(settings_for(tmp_path / "*-00000-of-*"), {})


def test_examples_are_the_same_when_they_are_written_again(tmp_path: Path):
    records = [*some_records(), example(), example(t=(BYTES, [b"\xff", b""])), example(f=(FLOATS, [np.nan]))]
    write(tmp_path / "x.gz", records, "GZIP")
    again = tmp_path / "x.gz"
    for run in ("r1", "r2"):
        arguments = ["--input", str(again), "--output", str(tmp_path), "--run_id", run, "--num_shards", "3"]
        assert main([*arguments, "--metadata_store", "none", "--splits", "all:1"]) == 0
        files = sorted((tmp_path / run / "examples").glob("*/*.gz"))
        found = [one for file in files for one in tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator()]
        assert sorted(map(canonical, found)) == sorted(map(canonical, records))
        again = files[0].parent


def canonical(record: bytes) -> bytes:
    """Return an Example with its features in order, and with the message of none of them."""
    found = tf.train.Example.FromString(record)
    found.features.SetInParent()
    return bytes(found.SerializeToString(deterministic=True))
