"""What every file system does: the same table for the local disk, Cloud Storage and Beam's FileSystems."""

from __future__ import annotations

import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from beam_taxi import storage
from beam_taxi.errors import DataError, StorageError, UsageError
from tests.storage.conftest import Place

MANY_BYTES = random.Random(1).randbytes(9 << 20)
"""More than the client of Cloud Storage reads ahead, twice."""


def write(place: Place, path: str, content: bytes = b"x") -> str:
    with storage.publish(place.uri, path) as file:
        file.write(content)
    return storage.join(place.uri, path)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", MANY_BYTES], ids=["empty", "small", "large"])
def test_a_published_file_is_read_back(place: Place, content: bytes):
    uri = write(place, "folder/x.bin", content)
    assert storage.read_bytes(uri) == content
    assert storage.hash_file(uri) == (len(content), hashlib.sha256(content).digest())
    assert [(file.uri, file.size) for file in storage.match(uri)] == [(uri, len(content))]
    assert storage.absolute(uri) == uri


def test_a_file_appears_when_its_block_ends(place: Place):
    uri = storage.join(place.uri, "x.bin")
    with storage.publish(place.uri, "x.bin") as file:
        file.write(b"x")
        assert not storage.exists(uri)
    assert storage.exists(uri)
    storage.check_published(place.uri, ["x.bin"])


def test_a_file_does_not_appear_when_its_block_fails(place: Place):
    def attempt() -> None:
        with storage.publish(place.uri, "x.bin") as file:
            file.write(b"x")
            raise RuntimeError("worker died")

    with pytest.raises(RuntimeError, match="worker died"):
        attempt()
    assert storage.match(storage.join(place.uri, storage.STAGING, "*")) == []
    assert not storage.exists(storage.join(place.uri, "x.bin"))


def test_nothing_is_overwritten(place: Place):
    uri = write(place, "x.bin", b"first")
    assert write(place, "x.bin", b"first") == uri
    for is_same in (None, lambda file: file.read() == b"other"):
        with (
            pytest.raises(StorageError, match=r"x\.bin: exists already with other content; nothing was overwritten"),
            storage.publish(place.uri, "x.bin", is_same) as file,
        ):
            file.write(b"second")
    with storage.publish(place.uri, "x.bin", lambda file: file.read() == b"first") as file:
        file.write(b"accepted")
    assert storage.read_bytes(uri) == b"first"


def test_files_are_removed_with_their_folders(place: Place):
    run = storage.join(place.uri, "run")
    storage.claim(run, "mine")
    storage.remove_staging(run)
    for path in ("a/b/x.bin", "a/y.bin", "z.bin"):
        with storage.publish(run, path) as file:
            file.write(b"x")
    storage.remove_files(run, ["a/b/x.bin", "a/b/none.bin", "z.bin"])
    assert [storage.exists(storage.join(run, path)) for path in ("a/b", "z.bin", "a/y.bin")] == [False, False, True]
    storage.remove_files(run, ["a/y.bin", storage.CLAIM])
    assert not storage.exists(run)


def test_a_folder_is_claimed_once(place: Place):
    run = storage.join(place.uri, "run")
    storage.claim(run, "mine")
    with pytest.raises(FileExistsError):
        storage.claim(run, "other")
    with storage.publish(run, "a/x.bin") as file:
        file.write(b"x")
    storage.remove_claimed(run)
    assert not storage.exists(run)
    storage.claim(run, "other")
    assert storage.read_bytes(storage.join(run, storage.CLAIM)) == b"other"


def test_one_of_many_claims_a_local_folder(tmp_path: Path):
    def claim(content: str) -> bool:
        try:
            storage.claim(str(tmp_path / "run"), content)
        except FileExistsError:
            # The folder is never seen without its claim.
            return not storage.read_bytes(str(tmp_path / "run" / storage.CLAIM))
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, "abcdefgh" * 4)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_with_files_cannot_be_claimed(place: Place):
    write(place, "run/x.bin")
    with pytest.raises(FileExistsError):
        storage.claim(storage.join(place.uri, "run"), "mine")
    assert not storage.exists(storage.join(place.uri, "run", storage.CLAIM))


def test_removed_files_are_noticed(place: Place):
    uri = write(place, "a/x.bin")
    place.remove(uri)
    with pytest.raises(StorageError, match=r"a/x\.bin: was removed during the run"):
        storage.check_published(place.uri, ["a/x.bin"])


def test_nothing_of_failed_attempts_remains(place: Place):
    write(place, "x.bin")
    storage.remove_staging(place.uri)
    assert not storage.exists(storage.join(place.uri, storage.STAGING))
    storage.remove_staging(place.uri)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.csv", ["a.csv", "b1.csv", "b2.csv", "odd1.csv", "odd[1].csv"]),
        ("b?.csv", ["b1.csv", "b2.csv"]),
        ("b[12].csv", ["b1.csv", "b2.csv"]),
        ("b[!2].csv", ["b1.csv"]),
        ("*/d.csv", ["c/d.csv"]),
        ("c/**/f.csv", ["c/e/f.csv"]),
        ("a.csv", ["a.csv"]),
        ("none.csv", []),
        ("none*", []),
        ("none/*", []),
        ("odd[1].csv", ["odd[1].csv"]),
        ("odd[[]1].csv", ["odd[1].csv"]),
        ("odd?.csv", ["odd1.csv"]),
    ],
)
def test_match(place: Place, pattern: str, names: list[str]):
    for name in ("b2.csv", "a.csv", "b1.csv", "c/d.csv", "c/e/f.csv", "b1.txt", "odd[1].csv", "odd1.csv"):
        write(place, name)
    storage.remove_staging(place.uri)
    found = [file.uri for file in storage.match(storage.join(place.uri, pattern))]
    assert found == [storage.join(place.uri, name) for name in names]


def test_exists(place: Place):
    write(place, "folder/x.bin")
    present = [storage.exists(storage.join(place.uri, path)) for path in ("folder/x.bin", "folder", "folder/x", "no")]
    assert present == [True, True, False, False]


def test_a_missing_file_is_an_error_that_names_it(place: Place):
    uri = storage.join(place.uri, "none.bin")
    with pytest.raises(OSError, match=r"none\.bin"):
        storage.open_input(uri)


def test_reading_is_like_reading_a_local_file(place: Place):
    with storage.open_input(write(place, "x.bin", b"0123456789")) as file:
        assert (file.readable(), file.seekable(), file.tell()) == (True, True, 0)
        assert (file.read(3), file.tell(), file.read(0)) == (b"012", 3, b"")
        assert (file.read(100), file.tell(), file.read(1), file.read()) == (b"3456789", 10, b"", b"")
        assert (file.seek(-4, os.SEEK_END), file.read(2), file.seek(-1, os.SEEK_CUR), file.read()) == (
            6,
            b"67",
            7,
            b"789",
        )
        file.seek(1000)
        assert file.read(5) == file.read() == b""
        file.seek(1)
        buffer = bytearray(4)
        assert (file.readinto(buffer), bytes(buffer), file.readline()) == (4, b"1234", b"56789")
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_an_empty_file_is_read(place: Place):
    with storage.open_input(write(place, "x.bin", b"")) as file:
        assert (file.read(1), file.read(), file.seek(0, os.SEEK_END)) == (b"", b"", 0)


def test_seek_before_the_start_is_refused(place: Place):
    with storage.open_input(write(place, "x.bin", b"abc")) as file, pytest.raises((OSError, ValueError)):
        file.seek(-1)


def test_any_sequence_of_seeks_and_reads(place: Place):
    size, chosen = len(MANY_BYTES), random.Random(2)
    with storage.open_input(write(place, "x.bin", MANY_BYTES)) as file:
        position = 0
        for _ in range(60):
            if chosen.random() < 0.4:
                position = chosen.choice([chosen.randrange(size), max(position - 100, 0), min(position + 100, size)])
                assert file.seek(position) == position
            length = chosen.choice([1, 1000, 1 << 20, 5 << 20])
            data = file.read(length)
            assert data == MANY_BYTES[position : position + length]
            position += len(data)
            assert file.tell() == position


def test_a_changed_file_is_noticed(place: Place):
    uri = write(place, "x.bin", b"first")
    file = storage.match(uri)[0]
    storage.check_unchanged(file)
    place.remove(uri)
    write(place, "x.bin", b"longer than first")
    with pytest.raises(DataError, match="x.bin: changed while it was being read"):
        storage.check_unchanged(file)
    place.remove(uri)
    with pytest.raises(DataError, match="x.bin: changed while it was being read"):
        storage.check_unchanged(file)


def test_write_new_never_replaces_a_file(place: Place):
    uri = storage.join(place.uri, "report.html")
    users = storage.join(place.uri, storage.STAGING, "of the user.txt")
    storage.write_new(users, b"x")
    storage.write_new(uri, b"content")
    assert storage.read_bytes(uri) == b"content"
    with pytest.raises(UsageError, match=r"--out .*report\.html: exists already"):
        storage.write_new(uri, b"other")
    assert storage.read_bytes(uri) == b"content"
    assert storage.exists(users)
