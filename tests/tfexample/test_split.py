"""Splits: an interface that must never change, hence golden values, and proportions."""

from __future__ import annotations

import struct

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_taxi.tfexample.split import assign_splits, encode_key, hash_column, hash_columns

HASHES = np.array([0, 1, 2, 3, 5, 7, 1000, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], np.uint32)


def test_golden_splits() -> None:
    assert assign_splits(HASHES, [2, 1]).tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0]
    assert assign_splits(HASHES, [8, 1, 1]).tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0]


@given(st.lists(st.integers(0, 2**32 - 1)), st.lists(st.integers(0, 2**20), min_size=1, max_size=9).filter(any))
def test_splits_follow_their_definition(hashes: list[int], weights: list[int]) -> None:
    splits = assign_splits(np.array(hashes, np.uint32), weights)
    assert splits.dtype == np.uint8
    for value, split in zip(hashes, splits.tolist(), strict=True):
        bucket = (value * 2654435761 % 2**32) * sum(weights) >> 32
        assert sum(weights[:split]) <= bucket < sum(weights[: split + 1])


@pytest.mark.parametrize("weights", [[1], [2, 1], [8, 1, 1], [0, 1, 3], [1] * 256, [2**32]])
def test_proportions_follow_the_weights(weights: list[int]) -> None:
    keys = pa.array(range(100_000), pa.int64())
    random_hashes = np.random.default_rng(1).integers(0, 2**32, 100_000, np.uint32)
    for hashes in (hash_column(keys), hash_column(keys.cast(pa.string())), random_hashes):
        shares = np.bincount(assign_splits(hashes, weights), minlength=len(weights)) / len(hashes)
        np.testing.assert_allclose(shares, np.array(weights) / sum(weights), atol=0.006)
        assert not shares[np.array(weights) == 0].any()


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [-1, 2], [1] * 257, [2**32, 1]])
def test_bad_weights_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"weights|splits"):
        assign_splits(HASHES, weights)


def test_other_hashes_are_refused() -> None:
    with pytest.raises(TypeError, match="int64"):
        assign_splits(HASHES.astype(np.int64), [1])


@pytest.mark.parametrize(
    ("column", "contents"),
    [
        (pa.array(["é", None, "", "é", "b"]), ["é".encode(), b"", b"", "é".encode(), b"b"]),
        (pa.array([b"\xff", None, b"\xff"]), [b"\xff", b"", b"\xff"]),
        (pa.array([-1, None, 2**40, -1]), [b"\xff" * 8, b"", struct.pack("<q", 2**40), b"\xff" * 8]),
        (pa.array([0.0, -0.0, None, 1.5], pa.float32()), [bytes(4), b"\0\0\0\x80", b"", struct.pack("<f", 1.5)]),
        (pa.array([], pa.string()), []),
        (pa.array([None, None], pa.int64()), [b"", b""]),
    ],
)
def test_hash_is_the_crc32c_of_the_bytes(column: pa.Array, contents: list[bytes]) -> None:
    expected = [google_crc32c.value(content) for content in contents]
    assert hash_column(column).tolist() == expected
    assert hash_column(column.slice(1)).tolist() == expected[1:]
    assert hash_column(column).dtype == np.uint32


KEYS: dict[str, tuple[list[pa.Array], list[int]]] = {
    "where a value ends": ([pa.array(["a", "ab"]), pa.array(["bc", "c"])], [0, 1]),
    "missing and empty": ([pa.array([None, "", "x"]), pa.array(["x", "x", None])], [0, 1, 2]),
    "none and all": ([pa.array([None, None, ""]), pa.array([None, "", None])], [0, 1, 2]),
    "equal": ([pa.array([1, 1, 2]), pa.array(["a", "a", "a"])], [0, 0, 1]),
    "the order of the columns": ([pa.array(["a", "b"]), pa.array(["b", "a"])], [0, 1]),
}


@pytest.mark.parametrize(("columns", "groups"), KEYS.values(), ids=KEYS)
def test_different_keys_have_different_bytes(columns: list[pa.Array], groups: list[int]) -> None:
    keys = encode_key(columns).to_pylist()
    assert [keys.index(key) for key in keys] == [groups.index(group) for group in groups]
    assert hash_columns(columns).tolist() == [google_crc32c.value(key) for key in keys]


def test_golden_hashes_of_keys() -> None:
    columns = [pa.array(["é", None, ""]), pa.array([1, 2, None], pa.int64()), pa.array([0.5, -0.0, None], pa.float32())]
    assert hash_columns(columns).tolist() == [2652413784, 76498503, 1942570105]
    assert hash_columns(columns[:1]).tolist() == hash_column(columns[0]).tolist()


def test_a_key_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="double"):
        hash_column(pa.array([1.0]))
