"""Which file system serves which path, and what is imported for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, StorageError, UsageError

HEAVY = ("apache_beam", "google.auth", "google.cloud.storage", "requests", "pyarrow", "numpy", "http.client")


def test_nothing_heavy_is_imported_for_local_paths(tmp_path: Path):
    code = f"""
import sys
from beam_taxi import storage
with storage.publish({str(tmp_path)!r}, "x.csv") as file:
    file.write(b"x")
file = storage.match({str(tmp_path / "x.csv")!r})[0]
storage.check_unchanged(file)
storage.check_published({str(tmp_path)!r}, ["x.csv"])
storage.remove_staging({str(tmp_path)!r})
storage.write_new({str(tmp_path / "y.csv")!r}, storage.read_bytes(file.uri))
storage.hash_file(storage.absolute(storage.join({str(tmp_path)!r}, "y.csv")))
assert not storage.is_remote(file.uri) and storage.is_remote("gs://bucket/x.csv")
print(sorted(set({HEAVY}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_cloud_storage_does_not_import_beam(cloud: dict[str, str]):
    code = """
import sys
from beam_taxi import storage
storage.exists("gs://bucket/x.csv")
print("google.cloud.storage" in sys.modules, "apache_beam" in sys.modules)
"""
    environment = {**os.environ, **cloud}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "True False\n"


@pytest.mark.parametrize(
    ("uri", "remote", "absolute"),
    [
        ("/a/b", False, "/a/b"),
        ("/a/../b/", False, "/b"),
        ("gs://bucket/a/", True, "gs://bucket/a"),
        ("memory://a/", True, "memory://a"),
        ("a:b", False, f"{os.getcwd()}/a:b"),
    ],
)
def test_paths(uri: str, remote: bool, absolute: str):
    assert (storage.is_remote(uri), storage.absolute(uri)) == (remote, absolute)


def test_join():
    assert storage.join("gs://bucket/a/", "b", "c/d") == "gs://bucket/a/b/c/d"
    assert storage.join("/a", "b") == "/a/b"


@pytest.mark.parametrize("call", [storage.match, storage.exists, storage.read_bytes])
def test_an_unknown_scheme_is_an_error_of_one_line(call):
    with pytest.raises(StorageError, match="nosuch://x/y: Unable to get filesystem from specified path") as caught:
        call("nosuch://x/y")
    assert len(str(caught.value).splitlines()) == 1
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "the path is empty"),
        ("a\0b", "the path has a null character"),
        (os.fsdecode(b"a\xffb.csv"), r"a\xffb.csv: the path is not valid UTF-8; rename it"),
        ("gs:/bucket/x", "gs:/bucket/x: use gs://bucket/x"),
        ("gs:bucket/x", "gs:bucket/x: use gs://bucket/x"),
        ("GS://bucket/x", "GS://bucket/x: use gs://bucket/x"),
        ("s3:/bucket/x", "s3:/bucket/x: use s3://bucket/x"),
        ("gs://", "gs://: has no bucket; is a variable unset?"),
        ("gs:///x", "gs:///x: has no bucket; is a variable unset?"),
        ("gs://bucket//x", "gs://bucket//x: the name begins with a slash; is a variable unset?"),
        ("gs://Bucket_/x", "gs://Bucket_/x: 'Bucket_' is not the name of a bucket"),
        ("gs://bucket/a\nb", r"'gs://bucket/a\nb': the name has characters that cannot be printed"),
        ("https://host/x.csv", "https://host/x.csv: https:// is not supported; use a local path, or gs://BUCKET/…"),
        ("s3://bucket/x", "s3://bucket/x: s3:// needs another package: pip install 'apache-beam[aws]'"),
        ("hdfs://x", "hdfs://x: hdfs:// needs another package: pip install 'apache-beam[hadoop]'"),
        ("nosuch://x/y", "nosuch://x/y: Beam cannot use nosuch:// here: Unable to get filesystem from specified path"),
    ],
)
def test_a_uri_that_can_name_nothing_is_refused(uri: str, message: str):
    with pytest.raises(UsageError) as caught:
        storage.check_uri(uri)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("uri", ["a.csv", "/a/b*.csv", "a:b", "gs://bucket", "gs://bucket/", "gs://bucket/a/*.csv"])
def test_a_uri_that_can_name_something(uri: str):
    storage.check_uri(uri)


def test_a_full_disk_is_named(tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    code = f"""
import subprocess
from beam_taxi import storage
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", {str(disk)!r}], check=True)
storage.claim({str(disk / "run")!r}, "token")
try:
    with storage.publish({str(disk / "run")!r}, "x.bin") as file:
        file.write(bytes(1 << 20))
except OSError as error:
    print(error)
"""
    words = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout == f"{disk}/run/_staging: No space left on device; use a disk with more free space\n"


def test_what_is_no_input_file_is_refused(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "fifo")
    for name, message in [
        ("folder", r"folder: is a directory, not a file; use a pattern such as .*folder/\*\.csv"),
        ("fol*", "folder: is a directory"),
        ("dangling", "dangling: No such file or directory"),
        ("fifo", "fifo: is not a regular file"),
    ]:
        with pytest.raises(UsageError, match=message):
            storage.match(str(tmp_path / name))


def test_a_local_path_with_wildcard_characters_matches_itself(tmp_path: Path):
    (tmp_path / "odd[1].csv").write_bytes(b"x")
    assert [file.uri for file in storage.match(f"{tmp_path}/odd[1].csv")] == [f"{tmp_path}/odd[1].csv"]


def test_a_file_that_a_launcher_removed_is_noticed(tmp_path: Path):
    (tmp_path / "kept").write_bytes(b"x")
    storage.check_published(str(tmp_path), ["kept"])
    with pytest.raises(BeamTaxiError, match="gone: was removed during the run"):
        storage.check_published(str(tmp_path), ["kept", "gone"])


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(UsageError, match="--out .*: cannot be written: Not a directory") as caught:
        storage.write_new(f"{tmp_path}/file/x.html", b"x")
    assert isinstance(caught.value.__cause__, OSError)
