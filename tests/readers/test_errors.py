"""What readers refuse, in one line that names it."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

import beam_taxi
from beam_taxi import example_formats
from beam_taxi.errors import BeamTaxiError, DataError, UsageError
from beam_taxi.example_formats import FORMATS, check_installed
from beam_taxi.launch.command import parse
from beam_taxi.main import main
from beam_taxi.readers import Run

SHARD = "Split-train/data_tfrecord-00001-of-00003.gz"


def shard_of(folder: Path) -> Path:
    return next(folder.glob("examples/Split-train/*00001-of-00003*"))


def flip(path: Path) -> None:
    """Change a byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


USES = {
    "tf": lambda run, split: run.tf(split),
    "arrow": lambda run, split: run.arrow(split).read_all(),
}
SPLITS = {
    "no such split": ("test", UsageError, "no split 'test'; there are train, eval, none"),
    "missing": ("train", DataError, f"examples/{SHARD}: is missing, though the manifest names it"),
    "truncated": ("train", DataError, rf"examples/{SHARD}: has 100 bytes, not [\d,]+ as the manifest says"),
}
DAMAGE: dict[str, Callable[[Path], None]] = {
    "no such split": lambda path: None,
    "missing": os.unlink,
    "truncated": lambda path: os.truncate(path, 100),
}


@pytest.fixture
def copied(run_in: Callable[[str], Path], tmp_path: Path) -> Path:
    return shutil.copytree(run_in("tfrecord_gzip"), tmp_path / "r")


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("case", SPLITS)
def test_splits_that_cannot_be_read(copied: Path, use: Callable[[Run, str], object], case: str):
    split, kind, message = SPLITS[case]
    DAMAGE[case](shard_of(copied))
    with pytest.raises(kind, match=message):
        use(beam_taxi.open_run(str(copied)), split)


def test_a_damaged_shard_is_named(run: Path, tmp_path: Path):
    copied = shutil.copytree(run, tmp_path / "r")
    flip(shard_of(copied))
    names = ["data", "text", "tags", "maybe_text"]
    with pytest.raises(DataError, match=r"Split-train/data_\S+-00001-of-00003\S*: is damaged or cannot be read: "):
        beam_taxi.open_run(str(copied)).arrow("train", binary=names).read_all()
    with pytest.raises(Exception, match="data loss|corrupted|is damaged|No records|inflate"):
        list(beam_taxi.open_run(str(copied)).tf("train"))


def test_a_shard_with_fewer_rows_than_the_manifest_says(copied: Path):
    path = shard_of(copied)
    empty = gzip.compress(b"", mtime=0)
    path.write_bytes(empty)
    manifest = json.loads((copied / "manifest.json").read_text())
    for file in manifest["artifacts"]["examples"]["files"]:
        if file["path"] == SHARD:
            file["bytes"] = len(empty)
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"00001-of-00003.gz: is damaged or cannot be read: has 0 records, not \d+"):
        beam_taxi.open_run(str(copied)).arrow("train", binary=["data"]).read_all()
    with pytest.raises(Exception, match="expected to contain"):
        list(beam_taxi.open_run(str(copied)).tf("train"))


OPTIONS: dict[str, tuple[Callable[[Run], object], str]] = {
    "share": (lambda run: run.arrow("train", shard=(2, 2)), r"shard \(2, 2\): must be \(index, count\)"),
    "unknown default": (lambda run: run.tf("train", defaults={"x": 1}), "defaults: no feature 'x'; there are data, "),
    "default of a list": (
        lambda run: run.tf("train", defaults={"tags": "x"}),
        "defaults: feature 'tags' does not have one value in each row",
    ),
    "type of a default": (
        lambda run: run.tf("train", defaults={"maybe": "x"}),
        "defaults: 'x' of feature 'maybe' is not of type INT",
    ),
    "binary": (
        lambda run: run.arrow("train", binary=["id"]),
        "binary: no feature 'id' of type BYTES; there are data, ",
    ),
    "not UTF-8": (
        lambda run: run.arrow("train").read_all(),
        r"feature 'data' cannot be read as string: .*; pass binary=\['data'\] to read it as bytes",
    ),
}


@pytest.mark.parametrize(("use", "message"), OPTIONS.values(), ids=OPTIONS)
def test_options(run_in: Callable[[str], Path], use: Callable[[Run], object], message: str):
    with pytest.raises(BeamTaxiError, match=message):
        use(beam_taxi.open_run(str(run_in("tfrecord_gzip"))))


def test_a_run_without_examples(table: Path, tmp_path: Path):
    main(
        ["--input", str(table), "--output", str(tmp_path), "--run_id", "r", "--metadata_store", "none", "--no_examples"]
    )
    run = beam_taxi.open_run(str(tmp_path / "r"))
    with pytest.raises(UsageError, match="r: the run has no Examples: it was made with --no_examples"):
        run.tf("all")
    assert run.statistics["all"].datasets[0].num_examples == run.splits["all"]


def test_no_run(tmp_path: Path):
    with pytest.raises(UsageError, match=r"manifest.json: cannot be read: No such file"):
        beam_taxi.open_run(str(tmp_path))


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")
def test_without_pytorch(run_in: Callable[[str], Path]):
    with pytest.raises(UsageError, match="^PyTorch is not installed; pip install torch$"):
        beam_taxi.open_run(str(run_in("tfrecord_gzip"))).torch("train")


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    absent = dataclasses.replace(FORMATS["array_record"], package="no_such_package")
    monkeypatch.setitem(example_formats.FORMATS, "array_record", absent)
    with pytest.raises(UsageError, match="--example_format array_record: the package no_such_package is not installed"):
        check_installed("array_record")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--example_format", "avro"], "--example_format: invalid choice: 'avro'"),
        (["--example_format", "parquet", "--gzip_level", "2"], "--gzip_level cannot be combined with --example_format"),
    ],
)
def test_options_of_a_run(words: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        parse(["--input", "a", "--output", "o", *words])
