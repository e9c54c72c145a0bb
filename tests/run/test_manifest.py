"""The manifest there and back, and what is said of one that is not valid."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beam_taxi.errors import BeamTaxiError, StorageError, UsageError
from beam_taxi.run.folder import RunFolder, read_manifest
from beam_taxi.run.leakage import Leakage
from beam_taxi.run.manifest import (
    Artifact,
    ArtifactFile,
    FeatureEntry,
    InputEntry,
    RunManifest,
    SplitEntry,
    merge_artifacts,
)
from beam_taxi.run.validation import Offender
from beam_taxi.settings import Dialect, Settings, SplitSettings, StatisticsSettings

SHARD = ArtifactFile("Split-train/x.gz", 9, "ab", "train", 2)
SETTINGS = Settings(
    ("/in/*.csv",),
    "/out/r",
    "r",
    dialect=Dialect(null_values=("NA",)),
    statistics=StatisticsSettings(features=("a",)),
)
MANIFEST = RunManifest(
    run_id="r",
    pipeline_name="p",
    run_uri="/out/r",
    settings=SETTINGS,
    settings_sha256=SETTINGS.sha256(),
    versions={"beam_taxi": "0.1.0"},
    inputs=(InputEntry("/in/ü.csv", "csv", 30, "sha256:00", 2, 1, {"fields": 1}, {"train": 2}, ("b", "a")),),
    splits=(SplitEntry("train", 1, 2),),
    started="2026-01-02T03:04:05+00:00",
    columns=("a", "b"),
    features=(FeatureEntry("a", "INT"), FeatureEntry("b", "STRING")),
    warnings=("column 'a': …",),
    artifacts={"examples": Artifact("examples", "Examples", (SHARD,))},
)


def test_a_manifest_is_the_same_after_json():
    assert RunManifest.from_json(json.loads(MANIFEST.to_json_text())) == MANIFEST
    assert MANIFEST.named_files() == {"examples/Split-train/x.gz": SHARD}
    assert MANIFEST.inputs[0].records == 3


def test_leakage_is_the_same_after_json():
    rows = (Offender("a.csv", 3, "train"), Offender("b.parquet", 1, "eval", 0))
    manifest = replace(MANIFEST, leakage=Leakage(("id",), 90, 2, 40, False, 0.5, (rows,)))
    assert RunManifest.from_json(json.loads(manifest.to_json_text())) == manifest


@pytest.mark.parametrize(("stored", "key"), [(None, ()), ("a", ("a",)), ("a,b", ("a,b",))])
def test_the_split_key_of_earlier_releases(stored: str | None, key: tuple[str, ...]):
    values: Any = MANIFEST.to_json()
    settings = {name: value for name, value in values["settings"].items() if name != "splitting"}
    del values["leakage"]
    read = RunManifest.from_json({**values, "settings": {**settings, "split_key": stored}})
    assert read.settings.splitting == SplitSettings(key)
    assert read.settings.splits == SETTINGS.splits
    assert read.leakage is None


def test_what_has_no_value_is_left_out():
    values = RunManifest.from_json(
        MANIFEST.to_json() | {"inputs": [{"uri": "x", "format": "csv", "size": 1}]}
    ).to_json()
    assert values["inputs"] == [
        {"uri": "x", "format": "csv", "size": 1, "blank_lines": 0, "rejects": {}, "split_rows": {}}
    ]


def test_a_key_that_is_not_known_is_ignored():
    later = MANIFEST.to_json() | {"later": 1}
    later["settings"] = {**later["settings"], "later": 1}
    assert RunManifest.from_json(later) == MANIFEST


def changed(*path: str | int, value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(values: dict[str, Any]) -> Any:
        inner: Any = values
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return values

    return change


INVALID: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no object": (lambda values: [], "not the manifest of a run"),
    "another object": (lambda values: {"a": 1}, "not the manifest of a run"),
    "later version": (
        changed("manifest_version", value=2),
        "manifest version 2; this release of beam_taxi reads version 1",
    ),
    "no version": (changed("manifest_version", value=None), "manifest version None"),
    "type": (
        changed("inputs", 0, "rows", value="many"),
        "invalid manifest: inputs.0.rows: must be a whole number, not 'many'",
    ),
    "missing": (changed("splits", value=[{}]), "invalid manifest: splits.0.name: is missing"),
    "artifact": (changed("artifacts", value=["x"]), "invalid manifest: "),
    "boolean": (changed("settings", "examples", value=1), "invalid manifest: settings.examples: must be true or false"),
    "list": (changed("columns", value="a,b"), "invalid manifest: columns: must be a list, not 'a,b'"),
    "settings": (changed("settings", "gzip_level", value=9), "--gzip_level 9"),
}


@pytest.mark.parametrize(("change", "message"), INVALID.values(), ids=INVALID)
def test_an_invalid_manifest_says_what_is_wrong(tmp_path: Path, change: Callable[[Any], Any], message: str):
    (tmp_path / "manifest.json").write_text(json.dumps(change(MANIFEST.to_json())))
    for place in (tmp_path, tmp_path / "manifest.json"):
        with pytest.raises(UsageError) as error:
            read_manifest(str(place))
        assert str(error.value).startswith(f"{tmp_path}/manifest.json: {message}")


def test_a_manifest_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(UsageError, match=r"manifest\.json: cannot be read: No such file"):
        read_manifest(str(tmp_path))
    (tmp_path / "manifest.json").write_bytes(b"{")
    with pytest.raises(UsageError, match=r"manifest\.json: not the manifest of a run"):
        read_manifest(str(tmp_path))


def test_parts_of_artifacts_are_merged_in_any_order():
    parts = [Artifact(key, key.title(), (ArtifactFile(path, 1, "00"),)) for key, path in ("b2", "a1", "b1")]
    for order in (parts, parts[::-1]):
        merged = merge_artifacts(order)
        assert [(key, [file.path for file in one.files]) for key, one in merged.items()] == [
            ("a", ["1"]),
            ("b", ["1", "2"]),
        ]


def test_a_run_whose_files_were_removed_gets_no_manifest(tmp_path: Path):
    folder = RunFolder(str(tmp_path / "r"))
    folder.claim()
    file, _ = folder.publish_bytes("schema", "schema.pbtxt", b"x")
    assert file == ArtifactFile("schema.pbtxt", 1, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")
    with pytest.raises(BeamTaxiError, match=r"examples/Split-train/x\.gz: was removed"):
        folder.write_manifest(MANIFEST)
    assert not folder.is_whole()
    folder.write_manifest(RunManifest.from_json({**MANIFEST.to_json(), "artifacts": {}}))
    assert folder.is_whole()
    assert not (tmp_path / "r" / "_staging").exists()


def test_a_folder_belongs_to_the_launch_that_claimed_it(tmp_path: Path):
    folder = RunFolder(str(tmp_path / "out" / "r"))
    token = folder.claim()
    with pytest.raises(UsageError, match=r"--run_id r: .*/out/r exists; choose another --run_id"):
        folder.claim()
    folder.remove_claimed("that of another launch")
    assert (tmp_path / "out" / "r").exists()
    folder.remove_claimed(token)
    assert not list((tmp_path / "out").iterdir())
    folder.remove_claimed(token)
    with pytest.raises(StorageError, match="r: was removed during the run"):
        folder.publish_bytes("schema", "schema.pbtxt", b"x")
    assert not (tmp_path / "out" / "r").exists()


def test_a_run_that_is_complete_is_not_removed(tmp_path: Path):
    folder = RunFolder(str(tmp_path / "r"))
    token = folder.claim()
    folder.write_manifest(RunManifest.from_json({**MANIFEST.to_json(), "artifacts": {}}))
    folder.remove_claimed(token)
    assert folder.is_whole()


def test_the_small_files_of_the_first_execution_are_kept(tmp_path: Path):
    folder = RunFolder(str(tmp_path / "r"))
    folder.claim()
    first = folder.publish_bytes("statistics", "x.pb", b"first")
    assert folder.publish_bytes("statistics", "x.pb", b"second") == first
    assert (tmp_path / "r" / "statistics" / "x.pb").read_bytes() == b"first"
