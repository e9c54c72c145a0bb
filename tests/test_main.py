"""The command as a user runs it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.cli.report import main as report
from beam_taxi.metadata.queries import list_runs
from beam_taxi.run.folder import read_manifest
from beam_taxi.samples import taxi
from tests.command import call


def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Call the verb in this process: what these tests look at is its result."""
    return call("run", *args)


def run_alone(*args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the job in a process of its own."""
    command = [sys.executable, "-m", "beam_taxi.main", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False)


def succeed(*args: str | Path) -> Path:
    """Run the job; return the folder of the run."""
    return folder_of(run(*args))


def folder_of(done: subprocess.CompletedProcess[str]) -> Path:
    """Return the folder of a run that has succeeded."""
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("manifest"))
    return Path(line.split(maxsplit=1)[1]).parent


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def statistics_of(folder: Path, split: str) -> statistics_pb2.DatasetFeatureStatistics:
    content = (folder / "statistics" / f"Split-{split}" / "FeatureStats.pb").read_bytes()
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(content).datasets[0]


def common(feature: statistics_pb2.FeatureNameStatistics) -> statistics_pb2.CommonStatistics:
    return getattr(feature, feature.WhichOneof("stats")).common_stats


def check_files(folder: Path) -> None:
    """Every file is named by the manifest, with its size and hash."""
    named = {folder / path: file for path, file in read_manifest(str(folder)).named_files().items()}
    found = {path for path in folder.rglob("*") if path.is_file()}
    assert found == {*named, *(folder / name for name in ("manifest.json", "report.html", "openlineage.ndjson"))}
    for path, file in named.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "taxi.csv"
    assert taxi.main(["--rows", "4000", "--seed", "3", "--out", str(path)]) in (0, None)
    return path


@pytest.fixture(scope="module")
def sample_run(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    return folder_of(run_alone("--input", sample, "--output", out, "--unit_bytes", "100000"))


def test_the_sample_gives_whole_artifacts(sample: Path, sample_run: Path):
    check_files(sample_run)
    manifest = manifest_of(sample_run)
    rows = {split["name"]: split["rows"] for split in manifest["splits"]}
    assert sum(rows.values()) == 4000
    assert 0.6 < rows["train"] / 4000 < 0.73
    assert manifest["inputs"][0]["content_hash"] == "sha256:" + hashlib.sha256(sample.read_bytes()).hexdigest()
    for split, count in rows.items():
        assert statistics_of(sample_run, split).num_examples == count
    schema = tfdv.load_schema_text(str(sample_run / "schema" / "schema.pbtxt"))
    assert {feature.name for feature in schema.feature} == set(taxi.COLUMNS)


def test_the_report_of_a_run_is_the_one_that_the_command_makes(sample_run: Path, tmp_path: Path):
    assert report([str(sample_run), "--out", str(tmp_path / "report.html")]) == 0
    assert (sample_run / "report.html").read_bytes() == (tmp_path / "report.html").read_bytes()
    assert all(name in (sample_run / "report.html").read_text() for name in taxi.COLUMNS)


def test_examples_are_read_by_tensorflow_with_the_schema(sample_run: Path):
    schema = tfdv.load_schema_text(str(sample_run / "schema" / "schema.pbtxt"))
    dtypes = {schema_pb2.INT: tf.int64, schema_pb2.FLOAT: tf.float32, schema_pb2.BYTES: tf.string}
    spec = {
        feature.name: tf.io.FixedLenFeature([1], dtypes[feature.type])
        if feature.HasField("shape")
        else tf.io.VarLenFeature(dtypes[feature.type])
        for feature in schema.feature
    }
    assert any(isinstance(one, tf.io.FixedLenFeature) for one in spec.values())
    files = [str(p) for p in sorted(sample_run.glob("examples/Split-*/*.gz"))]
    dataset = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(500)
    parsed = [tf.io.parse_example(batch, spec) for batch in dataset]
    assert sum(int(one["fare"].shape[0]) for one in parsed) == 4000


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra",
    [
        ["--batch_bytes", "30000"],
        ["--direct_num_workers", "1"],
        ["--direct_num_workers", "8"],
        ["--direct_running_mode", "multi_threading", "--direct_num_workers", "3"],
        ["--direct_running_mode", "multi_processing", "--direct_num_workers", "2"],
    ],
    ids=["batches", "one worker", "8 workers", "threads", "processes"],
)
def test_the_same_bytes_again(sample: Path, sample_run: Path, tmp_path: Path, extra: list[str]):
    done = run_alone(
        *("--input", sample, "--output", tmp_path, "--unit_bytes", "100000", "--metadata_store", "none", *extra),
        PYTHONHASHSEED="7",
        http_proxy="http://127.0.0.1:9",
    )
    again = folder_of(done)
    for path in [*sample_run.rglob("*.gz"), sample_run / "schema" / "schema.pbtxt"]:
        assert (again / path.relative_to(sample_run)).read_bytes() == path.read_bytes()
    check_files(again)
    for split in ("train", "eval"):
        first, second = statistics_of(sample_run, split), statistics_of(again, split)
        assert first.num_examples == second.num_examples
        for one, two in zip(
            sorted(first.features, key=lambda f: f.path.step[0]),
            sorted(second.features, key=lambda f: f.path.step[0]),
            strict=True,
        ):
            assert common(one).num_missing == common(two).num_missing
            assert one.num_stats.min == two.num_stats.min
            assert one.num_stats.mean == pytest.approx(two.num_stats.mean)
            assert one.string_stats.unique == two.string_stats.unique
            assert list(one.string_stats.top_values) == list(two.string_stats.top_values)


def test_options_of_splits_and_statistics(sample: Path, tmp_path: Path):
    folder = succeed(
        *("--input", sample, "--output", tmp_path, "--splits", "a:1,b:1,c:2", "--split_key", "company"),
        *("--num_shards", "3", "--stats_features", "fare,company,tips", "--slice_features", "payment_type"),
        *("--top_k", "3", "--quantile_buckets", "7", "--weight_feature", "trip_miles", "--run_id", "mine"),
    )
    assert folder == tmp_path / "mine"
    assert len(list(folder.glob("examples/Split-c/data_tfrecord-*-of-00003.gz"))) == 3
    statistics = {split: statistics_of(folder, split) for split in "abc"}
    named = {"fare", "company", "tips", "payment_type", "trip_miles"}
    assert {f.path.step[0] for f in statistics["a"].features} <= named
    for split in "abc":
        content = (folder / "statistics" / f"Split-{split}" / "FeatureStats.pb").read_bytes()
        overall, *slices = statistics_pb2.DatasetFeatureStatisticsList.FromString(content).datasets
        assert overall.weighted_num_examples > 0
        assert {one.name.rsplit("_", 1)[0] for one in slices} == {"payment_type"}
        assert sum(one.num_examples for one in slices) == overall.num_examples
    companies: list[str] = []
    for split in "abc":
        files = [str(p) for p in folder.glob(f"examples/Split-{split}/*.gz")]
        found = set()
        for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
            found.add(tuple(tf.train.Example.FromString(record).features.feature["company"].bytes_list.value))
        companies += found
    assert max(Counter(companies).values()) == 1


SPLITS: dict[str, tuple[list[str], str, str]] = {
    "conditions": (
        ["--split_by", "trip_start_timestamp < 1388534400", "--split_key", "company", "--max_rejects", "9"],
        "train where trip_start_timestamp < 1388534400; else eval",
        "splits: ",
    ),
    "a column": (
        ["--split_column", "trip_start_month", "--splits", ",".join(map(str, range(1, 13)))],
        "by the value of trip_start_month",
        "",
    ),
    "strata": (
        ["--stratify", "--label", "payment_type", "--direct_running_mode", "multi_processing"],
        "by a hash of the row, with the same shares in each class of payment_type",
        "",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("words", "told", "warning"), SPLITS.values(), ids=SPLITS)
def test_splits_of_every_kind(sample: Path, tmp_path: Path, words: list[str], told: str, warning: str):
    folders = []
    for workers in ("1", "2"):
        done = run(
            *("--input", sample, "--output", tmp_path, "--run_id", f"r{workers}", "--unit_bytes", "100000"),
            *("--metadata_store", "none", "--direct_num_workers", workers, *words),
        )
        assert done.returncode == 0, done.stderr
        assert f"split      {told}\n" in done.stdout
        folders.append(tmp_path / f"r{workers}")
    check_files(folders[0])
    one, two = map(manifest_of, folders)
    assert (one["splits"], one["leakage"]) == (two["splits"], two["leakage"])
    assert sum(split["rows"] for split in one["splits"]) == 4000
    assert any(text.startswith(warning) for text in one["warnings"]) == bool(warning)
    for path in folders[0].rglob("*.gz"):
        assert (folders[1] / path.relative_to(folders[0])).read_bytes() == path.read_bytes()
    assert f"Splits: {told}.".replace("<", "&lt;") in (folders[0] / "report.html").read_text()


def test_the_plan_of_splits(sample: Path, tmp_path: Path):
    words = ["--splits", "a:1,b:1", "--stratify", "--label", "company"]
    done = run("--input", sample, "--output", tmp_path, "--plan", *words)
    assert f"reads      {3 * sample.stat().st_size:,} bytes, 3.0 for each byte of the input\n" in done.stdout
    assert "shards     1 for each split: a:1, b:1\n" in done.stdout
    assert "split      by a hash of the row, with the same shares in each class of company\n" in done.stdout


def test_statistics_alone(sample: Path, sample_run: Path, tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    folder = succeed("--input", sample, "--output", tmp_path, "--no_examples", "--metadata_store", store)
    check_files(folder)
    assert {path.name for path in folder.iterdir()} == {
        "statistics",
        "schema",
        "profile.json",
        "sketches",
        "report.html",
        "openlineage.ndjson",
        "manifest.json",
    }
    assert statistics_of(folder, "all").num_examples == 4000
    (run,) = list_runs(store)
    assert list(run.executions) == ["StatisticsGen", "SchemaGen"]
    # The splits are those that Examples would have.
    both = succeed(
        *("--input", sample, "--output", tmp_path, "--no_examples", "--splits", "train:2,eval:1"),
        *("--unit_bytes", "100000", "--metadata_store", "none"),
    )
    for split in ("train", "eval"):
        assert statistics_of(both, split) == statistics_of(sample_run, split)


def test_a_given_schema_decides_the_types(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a,b,2019\n1,2,3\n4,,6\n")
    (tmp_path / "schema.pbtxt").write_text(
        'feature { name: "a" type: BYTES } feature { name: "b" type: FLOAT } feature { name: "2019" type: INT }'
    )
    folder = succeed("--input", tmp_path / "x.csv", "--output", tmp_path / "out", "--schema", tmp_path / "schema.pbtxt")
    kinds = {feature["name"]: feature["type"] for feature in manifest_of(folder)["features"]}
    assert kinds == {"2019": "INT", "a": "STRING", "b": "FLOAT"}
    (tmp_path / "x.csv").write_text("a,b,2019\n1,2,3\n4,x,6\n")
    done = run("--input", tmp_path / "x.csv", "--output", tmp_path / "out", "--schema", tmp_path / "schema.pbtxt")
    assert done.returncode == 3
    assert "line 3: column 'b': 'x' is not FLOAT" in done.stderr


def test_the_real_taxi_file(shared_data: Path, tmp_path: Path):
    path = shared_data / "data" / "chicago_taxi.csv"
    folder = succeed("--input", path, "--output", tmp_path)
    check_files(folder)
    missing: Counter[str] = Counter()
    for split in ("train", "eval"):
        for feature in statistics_of(folder, split).features:
            missing[feature.path.step[0]] += common(feature).num_missing
    assert missing["pickup_census_tract"] == 15001
    assert missing["company"] == 5140
    assert sum(split["rows"] for split in manifest_of(folder)["splits"]) == 15002
    schema = tfdv.load_schema_text(str(folder / "schema" / "schema.pbtxt"))
    types = {feature.name: feature.type for feature in schema.feature}
    assert types["fare"] == schema_pb2.FLOAT
    assert types["trip_seconds"] == schema_pb2.INT
    assert types["company"] == schema_pb2.BYTES


def test_statistics_equal_tfdvs_own_of_the_same_rows(sample: Path, tmp_path: Path):
    folder = succeed("--input", sample, "--output", tmp_path, "--splits", "all:1", "--metadata_store", "none")
    ours = {f.path.step[0]: f for f in statistics_of(folder, "all").features}
    theirs = tfdv.generate_statistics_from_csv(str(sample)).datasets[0]
    for feature in theirs.features:
        name = feature.path.step[0]
        mine = ours[name]
        assert common(mine).tot_num_values == common(feature).tot_num_values, name
        if feature.HasField("num_stats") and common(feature).tot_num_values:
            for figure in ("min", "max", "mean", "std_dev", "num_zeros"):
                expected = getattr(feature.num_stats, figure)
                assert getattr(mine.num_stats, figure) == pytest.approx(expected, rel=1e-5), (name, figure)
        if feature.HasField("string_stats"):
            assert mine.string_stats.unique == feature.string_stats.unique
            top = {value.value: value.frequency for value in mine.string_stats.top_values}
            assert top == {value.value: value.frequency for value in feature.string_stats.top_values}


BAD = {
    "no match": (["--input", "{dir}/none-*.csv"], 2, "none-*.csv: no file matches"),
    "folder without files": (["--input", "{dir}/out/taken"], 2, "taken: no file matches"),
    "empty": (["--input", "{dir}/empty.csv"], 3, "empty.csv: is empty"),
    "other header": (["--input", "{dir}/good.csv", "{dir}/other.csv"], 3, "other.csv: line 1: the header differs"),
    "ragged": (["--input", "{dir}/ragged.csv"], 3, "ragged.csv: line 3: has 3 fields, the header has 2"),
    "open quote": (["--input", "{dir}/quote.csv"], 3, "quote.csv: line 2: the quote that opens here is never closed"),
    "mistyped flag": (
        ["--input", "{dir}/good.csv", "--num_shard", "2"],
        2,
        "unknown flag --num_shard; did you mean --num_shards?",
    ),
    "mistyped Beam flag": (["--input", "{dir}/good.csv", "--setupfile", "x"], 2, "did you mean --setup_file?"),
    "run exists": (["--input", "{dir}/good.csv", "--run_id", "taken"], 2, "exists; choose another --run_id"),
    "output is a file": (["--input", "{dir}/good.csv", "--output", "{dir}/good.csv"], 2, "good.csv is not a directory"),
    "no input": ([], 2, "--input is required; see --help"),
    "splits": (
        ["--input", "{dir}/good.csv", "--splits", "train"],
        2,
        "--splits 'train': must be NAME:WEIGHT,NAME:WEIGHT",
    ),
    "no number": (
        ["--input", "{dir}/good.csv", "--num_shards", "x", "--top_k", "y"],
        2,
        "--num_shards 'x': must be a whole number; --top_k 'y': must be a whole number",
    ),
    "stray word": (["--input", "{dir}/good.csv", "--no_examples", "b"], 2, "'b'; pass files with --input"),
    "number of shards": (
        ["--input", "{dir}/good.csv", "--num_shards", "0"],
        2,
        "--num_shards 0: must be between 1 and 99999",
    ),
    "split key": (["--input", "{dir}/good.csv", "--split_key", "z"], 2, "--split_key: no column 'z'"),
    "split column": (
        ["--input", "{dir}/parts.csv", "--split_column", "prat", "--split_key", "y"],
        2,
        "--split_key: no column 'y'; --split_column: no column 'prat'; did you mean 'part'?",
    ),
    "row without a split": (
        ["--input", "{dir}/parts.csv", "--split_column", "part"],
        3,
        "parts.csv: line 4: --split_column: 'part': 'Train' is not a split; the splits are train, eval; 1 of 3 rows",
    ),
    "conditions": (
        ["--input", "{dir}/parts.csv", "--split_by", "n < 1", "n < 2"],
        2,
        "--split_by: 2 conditions need 3 splits, but --splits has 2",
    ),
    "condition": (
        ["--input", "{dir}/none.csv", "--split_by", "x <"],
        2,
        "none.csv: no file matches; --split_by 'x <': character 4: expected a value, not the end of the rule",
    ),
    "type of a condition": (
        ["--input", "{dir}/parts.csv", "--split_by", "part < 1"],
        2,
        "--split_by 'part < 1': character 6: 'part' is text and 1 is a number; they cannot be compared",
    ),
    "weights": (
        ["--input", "{dir}/parts.csv", "--split_column", "part", "--splits", "train:2,eval:1"],
        2,
        "--splits train:2,eval:1: weights have no meaning with --split_column; give only the names",
    ),
    "mistyped column": (
        ["--input", "{dir}/good.csv", "--column_names", "fare,tips", "--weight_feature", "fares"],
        2,
        "--weight_feature: no column 'fares'; did you mean 'fare'?",
    ),
    "schema": (["--input", "{dir}/good.csv", "--schema", "{dir}/good.csv"], 2, "not a Schema proto"),
}


@pytest.mark.parametrize(("args", "status", "message"), BAD.values(), ids=BAD)
def test_refused_in_one_line(tmp_path: Path, args: list[str], status: int, message: str):
    files = {
        "good": "a,b\n1,2\n",
        "other": "a,c\n1,2\n",
        "empty": "",
        "parts": "n,part\n1,train\n2,eval\n3,Train\n",
        "ragged": "a,b\n1,2\n1,2,3\n",
        "quote": 'a,b\n1,"2\n',
    }
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "out" / "taken").mkdir(parents=True)
    done = run("--output", tmp_path / "out", *(arg.format(dir=tmp_path) for arg in args))
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    # Of a run that was refused while it ran there is a record.
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file() and "metadata.sqlite" not in p.name]


def test_a_reader_may_see_enough(sample: Path, tmp_path: Path):
    command = [sys.executable, "-m", "beam_taxi.main", "--input", str(sample), "--output", str(tmp_path), "--dry_run"]
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, "")


def test_json_for_machines(sample: Path, tmp_path: Path):
    done = run("--input", sample, "--output", tmp_path, "--log_format", "json")
    told = json.loads(done.stdout)
    assert told["manifest"] == manifest_of(tmp_path / told["manifest"]["run_id"])
    assert told["ml_metadata_ids"]["examples"]
    refused = run("--input", tmp_path / "none", "--output", tmp_path, "--log_format=json")
    assert json.loads(refused.stderr) == {"error": f"--input {tmp_path}/none: no file matches", "exit_status": 2}


def test_an_unreadable_file_is_refused(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    (tmp_path / "x.csv").chmod(0)
    command = [sys.executable, "-m", "beam_taxi.main", "--input", str(tmp_path / "x.csv"), "--output", str(tmp_path)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "x.csv: cannot be read: Permission denied" in done.stderr


def test_dry_run_touches_nothing(sample: Path, tmp_path: Path):
    compressed = tmp_path / "taxi.csv.gz"
    compressed.write_bytes(gzip.compress(sample.read_bytes()))
    done = run("--input", sample, compressed, "--output", tmp_path / "out", "--dry_run", "--num_shards", "4")
    assert done.returncode == 0
    assert f"taxi.csv.gz  {compressed.stat().st_size:,} bytes, read by one worker" in done.stdout
    assert f"taxi.csv  {sample.stat().st_size:,} bytes\n" in done.stdout
    assert "18 columns" in done.stdout
    assert "shards     4 for each split: train:2, eval:1" in done.stdout
    assert "runner     FnApiRunner, " in done.stdout
    assert "memory     about " in done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("args", [["--help"], ["--oops"], ["--input", "none.csv", "--output", "out"]])
def test_quick_answers_import_nothing_heavy(args: list[str]):
    code = (
        "import sys\nfrom beam_taxi.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('apache_beam', 'tensorflow', 'ml_metadata') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
