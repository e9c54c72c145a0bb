"""Splits of a whole table by the graph: which rows go where, the row balance, and keys in several splits."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from beam_taxi.columns import ColumnSettings
from beam_taxi.errors import DataError, UsageError
from beam_taxi.pipeline import build
from beam_taxi.report import overview
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import RunManifest
from beam_taxi.settings import Settings, Split, SplitSettings, StatisticsSettings, ValidationSettings
from beam_taxi.sources.plan import plan_input
from tests.transforms.test_graph import planned_run


def run(folder: Path, splitting: SplitSettings, splits: str = "train,eval", **options: Any) -> RunManifest:
    """Run the graph on what `folder` holds in `data`; return the manifest."""
    parts = [one.split(":") for one in splits.split(",")]
    number = sum(path.name.startswith("run") for path in folder.iterdir())
    settings = Settings(
        (str(folder / "data" / "*"),),
        str(folder / f"run-{number}"),
        f"run-{number}",
        splits=tuple(Split(name, *map(int, weight)) for name, *weight in parts),
        splitting=splitting,
        **options,
    )
    RunFolder(settings.run_uri).claim()
    plan = plan_input(settings, {})
    with TestPipeline(runner="FnApiRunner") as pipeline:
        planned = replace(planned_run(settings, plan), started="2026-01-02T03:04:05+00:00")
        manifests = build(pipeline, plan, planned)
        assert_that(manifests | beam.Map(lambda one: one.run_id), equal_to([settings.run_id]))
    return RunFolder(settings.run_uri).read_manifest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path


def examples(manifest: RunManifest, split: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a split."""
    files = sorted(map(str, Path(manifest.run_uri, "examples", f"Split-{split}").glob("*.gz")))
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        yield {name: one.ListFields()[0][1].value[0] for name, one in features.items()}


def rejects(manifest: RunManifest) -> list[dict[str, Any]]:
    files = sorted(Path(manifest.run_uri, "rejects").glob("*"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


PARTS = "id,part\n1,train\n2,eval\n\n3,Train\n4,\n5,train,x\n6,eval\n"


def write_parts(folder: Path) -> None:
    (folder / "data" / "a.csv").write_text(PARTS)
    pq.write_table(pa.table({"id": [7, 8, 9], "part": ["eval", "tset", None]}), folder / "data" / "b.parquet")


def test_a_column_names_the_split(folder: Path):
    write_parts(folder)
    manifest = run(folder, SplitSettings(column="part"), max_rejects=5, num_shards=2)
    assert {name: [one["id"] for one in examples(manifest, name)] for name in ("train", "eval")} == {
        "train": [1],
        "eval": [2, 6, 7],
    }
    assert [(one.rows, dict(one.split_rows), dict(one.rejects)) for one in manifest.inputs] == [
        (3, {"train": 1, "eval": 2}, {"fields": 1, "split": 2}),
        (1, {"train": 0, "eval": 1}, {"split": 2}),
    ]
    told = [(Path(one["file"]).name, one["line"], one["code"], one["text"]) for one in rejects(manifest)]
    assert sorted(told) == [
        ("a.csv", 5, "split", "3,Train"),
        ("a.csv", 6, "split", "4,"),
        ("a.csv", 7, "fields", "5,train,x"),
        ("b.parquet", 2, "split", "8,tset"),
        ("b.parquet", 3, "split", "9,"),
    ]
    assert manifest.leakage is not None
    assert manifest.leakage.text == (
        "none of the 4 distinct rows (without part) is in more than one split; all were compared"
    )
    assert manifest.warnings == ()


def test_rows_that_are_equal_but_for_the_name_of_their_split(folder: Path):
    (folder / "data" / "a.csv").write_text("id,part,x\n1,train,\n1,eval,\n2,train,5\n2,train,5\n3,eval,\n")
    for examples_too in (True, False):
        manifest = run(folder, SplitSettings(column="part"), examples=examples_too)
        assert manifest.leakage is not None
        assert manifest.leakage.text == (
            "1 of 3 distinct rows (without part) is in more than one split, such as "
            f"{folder}/data/a.csv:2 (train) and {folder}/data/a.csv:3 (eval)"
        )


def test_a_table_of_nothing_but_names_of_splits(folder: Path):
    (folder / "data" / "a.csv").write_text("part\ntrain\neval\ntrain\n")
    manifest = run(folder, SplitSettings(column="part"))
    assert manifest.leakage is not None
    assert (manifest.leakage.keys, manifest.leakage.shared) == (2, 0)


REFUSED: dict[str, tuple[SplitSettings, dict[str, Any], str]] = {
    "a value": (
        SplitSettings(column="part"),
        {},
        r"a.csv: line 5: --split_column: 'part': 'Train' is not a split; the splits are train, eval; 5 of 9 rows are "
        r"bad or have no split, 1 may be skipped; fix them, or raise --max_rejects or --max_reject_ratio",
    ),
    "a value that is not shown": (
        SplitSettings(column="part"),
        {"columns": ColumnSettings(redacted=("part",))},
        r"a.csv: line 5: --split_column: 'part': its value is not a split; the splits",
    ),
    "a condition": (
        SplitSettings(conditions=("part = 'train'",)),
        {},
        r"a.csv: line 6: --split_by .part = 'train'. is neither true nor false: 'part' has no value; 3 of 9 rows",
    ),
}


@pytest.mark.parametrize(("splitting", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_the_first_row_without_a_split_is_told(
    folder: Path, splitting: SplitSettings, options: dict[str, Any], message: str
):
    write_parts(folder)
    with pytest.raises(DataError, match=message):
        run(folder, splitting, max_rejects=1, num_shards=3, **options)
    assert not Path(folder, "run-0", "manifest.json").exists()


TYPES: dict[str, tuple[SplitSettings, str]] = {
    "a column": (SplitSettings(column="x"), "--split_column: column 'x' is FLOAT"),
    "a condition": (SplitSettings(conditions=("x = 'a'",)), "'x' is a number and 'a' is text; they cannot be compared"),
}


@pytest.mark.parametrize(("splitting", "message"), TYPES.values(), ids=TYPES)
def test_types_that_are_known_from_the_data_alone(folder: Path, splitting: SplitSettings, message: str):
    (folder / "data" / "a.csv").write_text("x\n0.5\n")
    with pytest.raises(UsageError, match=message):
        run(folder, splitting)


DAYS = "id,day,note\n" + "".join(f"{i % 40},{i},{i % 2}\n" for i in range(100))


def test_conditions_by_time(folder: Path):
    (folder / "data" / "a.csv").write_text(DAYS)
    manifest = run(folder, SplitSettings(conditions=("day < 50", "day < 80")), "train,eval,test", num_shards=3)
    found = {name: {one["day"] for one in examples(manifest, name)} for name in ("train", "eval", "test")}
    assert found == {"train": set(range(50)), "eval": set(range(50, 80)), "test": set(range(80, 100))}
    assert [split.weight for split in manifest.splits] == [None, None, None]
    assert overview.count(manifest).splitting == (
        "Splits: train where day < 50; eval where day < 80; else test. "
        "No row is in more than one split: equal rows go to the same one."
    )
    assert manifest.leakage is None


@pytest.mark.parametrize("units", [1, 2, 7])
def test_a_key_in_several_splits_is_a_warning(folder: Path, units: int):
    (folder / "data" / "a.csv").write_text(DAYS + ",1,0\n,99,0\n")
    manifest = run(
        folder,
        SplitSettings(("id",), conditions=("day < 50",)),
        validation=ValidationSettings(fail_on=("warnings",)),
        num_shards=units,
    )
    assert manifest.leakage is not None
    # Rows without an id have no key.
    assert (manifest.leakage.keys, manifest.leakage.shared, manifest.leakage.exact) == (40, 40, True)
    first, second = manifest.leakage.examples[0]
    assert (first.split, second.split) == ("train", "eval")
    assert (second.number - first.number) % 40 == 0
    assert manifest.warnings == (f"splits: {manifest.leakage.text}",)
    assert (manifest.validation.accepted, manifest.validation.verdict) == (False, "warned")
    (result,) = RunFolder(manifest.run_uri).read_validation().results
    assert (result.name, result.text) == ("split leakage", manifest.leakage.text)


def test_a_run_without_leakage_passes(folder: Path):
    (folder / "data" / "a.csv").write_text(DAYS)
    warnings = ValidationSettings(fail_on=("warnings",))
    manifest = run(folder, SplitSettings(("id", "note"), conditions=("id < 20",)), validation=warnings, examples=False)
    assert manifest.leakage is not None
    assert manifest.leakage.text == "none of the 40 keys (id, note) is in more than one split; all were compared"
    assert (manifest.validation.accepted, manifest.validation.verdict) == (True, "passed")


def test_rows_that_are_set_aside_have_no_key(folder: Path):
    (folder / "data" / "a.csv").write_text("id,day\n1,1\n1,9\n2,x\n2,9\n3,\n4,5\n")
    checks = "version: 1\nrows: [{rule: day != '9' or id = 2}]\n"
    manifest = run(
        folder,
        SplitSettings(("id",), conditions=("day < '5'",)),
        validation=ValidationSettings(checks=checks, quarantine=True),
        max_rejects=2,
    )
    assert manifest.leakage is not None
    assert (manifest.leakage.keys, manifest.leakage.shared) == (3, 0)
    assert manifest.count_rejects() == {"split": 1, "check": 1}
    assert [split.rows for split in manifest.splits] == [1, 3]


def test_all_rows_of_a_unit_may_be_refused(folder: Path):
    (folder / "data" / "a.csv").write_text("id,part\n" + "1,x\n" * 50 + "2,train\n")
    manifest = run(folder, SplitSettings(column="part"), max_rejects=50, num_shards=3)
    assert [split.rows for split in manifest.splits] == [1, 0]


CLASSES = {"a": 600, "b": 60, "c": 3, "d": 1, "": 9}


def skewed(seed: int) -> str:
    rows = [f"{number},{value}\n" for value, count in CLASSES.items() for number in range(count)]
    Random(seed).shuffle(rows)
    return "n,y\n" + "".join(rows)


@pytest.fixture(scope="module")
def stratified(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[bytes]]:
    folder = tmp_path_factory.mktemp("stratified")
    (folder / "data").mkdir()
    (folder / "data" / "a.csv").write_text(skewed(0))
    return records(run_stratified(folder))


def run_stratified(folder: Path, **options: Any) -> RunManifest:
    statistics = StatisticsSettings(label="y")
    return run(folder, SplitSettings(stratify=True), "train:2,eval:1", statistics=statistics, **options)


def records(manifest: RunManifest) -> dict[str, set[bytes]]:
    found = {}
    for split in ("train", "eval"):
        files = sorted(map(str, Path(manifest.run_uri, "examples", f"Split-{split}").glob("*.gz")))
        found[split] = set(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())
    return found


@pytest.mark.parametrize(("seed", "units"), [(1, 1), (2, 2), (3, 7)])
def test_strata_do_not_depend_on_order_or_units(folder: Path, stratified: dict[str, set[bytes]], seed: int, units: int):
    (folder / "data" / "a.csv").write_text(skewed(seed))
    assert records(run_stratified(folder, num_shards=units)) == stratified


def test_shares_are_held_in_each_class(folder: Path):
    (folder / "data" / "a.csv").write_text(skewed(0))
    manifest = run_stratified(folder, num_shards=2)
    found = {
        split: Counter(one.get("y", b"").decode() for one in examples(manifest, split)) for split in ("train", "eval")
    }
    assert found["train"] == {"a": 400, "b": 40, "c": 2, "d": 1, "": 6}
    assert found["eval"] == {"a": 200, "b": 20, "c": 1, "": 3}
    assert manifest.leakage is None
    assert overview.count(manifest).splitting == (
        "Splits: by a hash of the row, with the same shares in each class of y. "
        "No row is in more than one split: equal rows go to the same one."
    )


def test_a_label_with_too_many_values(folder: Path):
    (folder / "data" / "a.csv").write_text("n,y\n" + "".join(f"1,{number}\n" for number in range(1001)))
    with pytest.raises(DataError, match=r"--stratify: column 'y', the --label, has more than 1,000 distinct values"):
        run_stratified(folder)


def test_the_pass_between_is_counted(folder: Path):
    (folder / "data" / "a.csv").write_text(skewed(0))
    (folder / "data" / "b.csv.gz").write_bytes(gzip.compress(skewed(1).encode()))
    settings = Settings((str(folder / "data" / "*"),), "/out/r", "r", statistics=StatisticsSettings(label="y"))
    stratified = replace(settings, splitting=SplitSettings(stratify=True))
    assert plan_input(settings, {}).bytes_read == 2 * plan_input(settings, {}).size
    assert plan_input(stratified, {}).bytes_read == 3 * plan_input(settings, {}).size
