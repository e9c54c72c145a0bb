"""`beam-taxi merge` on real runs: what it writes, records and refuses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from beam_taxi.cli import main
from beam_taxi.errors import UsageError
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.queries import artifacts_of, get_run
from beam_taxi.metadata.verify import verify
from beam_taxi.readers import open_run
from beam_taxi.report import results
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.profile import FeatureProfile
from beam_taxi.statistics.read import read_statistics

DAYS = 3
OPTIONS = ["--slice_features", "kind", "--label", "paid"]


def day(number: int) -> list[str]:
    """Return lines of a CSV file without its header."""
    g = np.random.default_rng(number)
    rows = 300 + number
    fares = np.round(g.lognormal(2, 1, rows), 2)
    kinds, paid = g.integers(0, 3, rows), g.integers(0, 2, rows)
    return [
        f"{number * 1000 + i},{fare},{'abc'[kind]},{flag},{'' if i % 7 else 'name ' + str(i % 5)}"
        for i, (fare, kind, flag) in enumerate(zip(fares, kinds, paid, strict=True))
    ]


HEADER = "id,fare,kind,paid,name"


def write(path: Path, lines: list[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def run(input_: Path, output: Path, run_id: str, *options: str) -> Path:
    words = ["run", "--input", str(input_), "--output", str(output), "--run_id", run_id, *options]
    assert main(words) == 0
    return output / run_id


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of each day and one of all days."""
    folder = tmp_path_factory.mktemp("runs")
    for number in range(DAYS):
        run(write(folder / f"{number}.csv", day(number)), folder / "out", f"day{number}", *OPTIONS)
    lines = [line for number in range(DAYS) for line in day(number)]
    run(write(folder / "all.csv", lines), folder / "out", "all", *OPTIONS)
    return folder


@pytest.fixture(scope="module")
def merged(folder: Path) -> Path:
    days = [str(folder / "out" / f"day{number}") for number in range(DAYS)]
    assert (
        main(["merge", *days[:2], f"{days[2]}/manifest.json", "--output", str(folder / "out"), "--run_id", "week"]) == 0
    )
    return folder / "out" / "week"


def without_moments(one: FeatureProfile) -> FeatureProfile:
    return replace(one, mean=None, std=None)


def test_a_merge_is_what_one_run_over_all_rows_is(folder: Path, merged: Path):
    whole, found = RunFolder(str(folder / "out" / "all")), RunFolder(str(merged))
    wanted, profile = whole.read_profile(), found.read_profile()
    assert [(one.split, one.slice) for one in profile.datasets] == [(one.split, one.slice) for one in wanted.datasets]
    for one, other in zip(profile.datasets, wanted.datasets, strict=True):
        for name, feature in one.features.items():
            moments = [(one.mean or 0.0, one.std or 0.0) for one in (feature, other.features[name])]
            assert moments[0] == pytest.approx(moments[1], rel=1e-9)
            assert without_moments(feature) == without_moments(other.features[name])
        assert replace(one, features={}) == replace(other, features={})
    schemas = [(path / "schema" / "schema.pbtxt").read_text() for path in (folder / "out" / "all", merged)]
    assert schemas[0] == schemas[1]
    these, those = read_statistics(str(merged)), read_statistics(str(folder / "out" / "all"))
    for split in ("train", "eval"):
        names = [[dataset.name for dataset in one[split].datasets] for one in (these, those)]
        assert names[0] == names[1]
        for one, other in zip(these[split].datasets, those[split].datasets, strict=True):
            assert one.num_examples == other.num_examples
            for feature, theirs in zip(one.features, other.features, strict=True):
                assert (feature.path, feature.type) == (theirs.path, theirs.type)
                assert feature.string_stats.rank_histogram == theirs.string_stats.rank_histogram
                assert feature.num_stats.median == theirs.num_stats.median


def test_the_manifest_names_the_parts(folder: Path, merged: Path):
    manifest = RunFolder(str(merged)).read_manifest()
    days = [RunFolder(str(folder / "out" / f"day{number}")) for number in range(DAYS)]
    assert [(part.uri, part.digest) for part in manifest.parts] == [
        (one.uri, one.read_manifest().digest()) for one in days
    ]
    assert [one.uri for one in manifest.inputs] == [str(folder / f"{number}.csv") for number in range(DAYS)]
    assert sum(split.rows or 0 for split in manifest.splits) == sum(300 + number for number in range(DAYS))
    assert set(manifest.artifacts) == {"statistics", "schema"}
    assert {file.slice for file in manifest.sketch_files} == {None, "kind_a", "kind_b", "kind_c"}
    page = (merged / "report.html").read_text()
    assert "python -m beam_taxi merge" in page
    assert manifest.warnings == ()


def test_a_merge_is_recorded_with_its_parts(folder: Path, merged: Path):
    store = parse_address(f"sqlite:///{folder}/out/metadata.sqlite")
    assert store is not None
    found = get_run(store, "week")
    assert (found.pipeline, found.state) == ("beam_taxi.merged", "COMPLETE")
    artifacts = artifacts_of(store, found)
    assert {key: artifacts[key].uri for key in artifacts if key.startswith("part")} == {
        f"part_statistics/{number}": f"{folder}/out/day{number}/statistics" for number in range(DAYS)
    }
    assert set(artifacts) >= {"statistics", "schema"}
    assert list(found.executions) == ["StatisticsGen", "SchemaGen"]
    assert verify(store, "week") == []


@pytest.mark.parametrize(
    "words", [["list"], ["show", "week"], ["lineage", "week"], ["verify", "week"], ["diff", "week", "all"]]
)
def test_queries_know_merges(folder: Path, merged: Path, words: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["runs", *words, "--metadata_store", f"sqlite:///{folder}/out/metadata.sqlite"]) == 0
    assert "week" in capsys.readouterr().out


def test_the_order_of_the_runs_does_not_matter_and_merges_can_be_merged(folder: Path, merged: Path, tmp_path: Path):
    days = [str(folder / "out" / f"day{number}") for number in range(DAYS)]
    options = ["--output", str(tmp_path), "--metadata_store", "none"]
    assert main(["merge", *days[::-1], *options, "--run_id", "week"]) == 0
    for path in ("statistics/Split-train/FeatureStats.pb", "profile.json", "sketches/Split-eval/all.parquet"):
        assert (tmp_path / "week" / path).read_bytes() == (merged / path).read_bytes()
    assert main(["merge", days[1], days[2], *options, "--run_id", "two"]) == 0
    assert main(["merge", days[0], str(tmp_path / "two"), *options, "--run_id", "three"]) == 0
    assert (tmp_path / "three" / "schema" / "schema.pbtxt").read_text() == (
        merged / "schema" / "schema.pbtxt"
    ).read_text()
    one, other = (RunFolder(str(path)).read_profile().splits()["train"] for path in (tmp_path / "three", merged))
    assert one.rows == other.rows
    assert (one.duplicates, one.relations, one.sample) == (other.duplicates, other.relations, other.sample)


def test_a_merge_is_a_baseline(folder: Path, merged: Path, capsys: pytest.CaptureFixture[str]):
    output = ["--output", str(folder / "out"), "--metadata_store", "none"]
    day1 = str(folder / "1.csv")
    assert main(["run", "--input", day1, *output, "--run_id", "judged", "--baseline", str(merged), *OPTIONS]) == 0
    assert "verdict" in capsys.readouterr().out
    assert results.read(str(folder / "out" / "judged")).validation is not None
    assert main(["report", str(folder / "out" / "day0"), "--baseline", str(merged)]) == 0


def test_a_merge_is_read_as_a_run_without_examples(merged: Path):
    found = open_run(str(merged))
    assert {name: one.datasets[0].num_examples for name, one in found.statistics.items()} == found.splits
    assert [feature.name for feature in found.features] == sorted(HEADER.split(","))
    with pytest.raises(UsageError, match=r"the run has no Examples: it was merged; open the runs in `manifest\.parts`"):
        found.arrow("train")


def test_the_examples_of_the_page_run(merged: Path, capsys: pytest.CaptureFixture[str]):
    page = (Path(__file__).parents[2] / "docs" / "merge.md").read_text().split("## Read the result")[1]
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", page, re.M)
    assert len(blocks) == 2
    for block in blocks:
        exec(textwrap.dedent(block).replace("out/week-47", str(merged)), {})
    told = capsys.readouterr().out
    assert "day0" in told
    assert "fare: median" in told
    assert "name: 'name " in told


def changed(run_: Path, to: Path, change: Callable[[dict[str, object]], object]) -> Path:
    """Return a copy of a run with another manifest."""
    shutil.copytree(run_, to)
    manifest = json.loads((to / "manifest.json").read_text())
    change(manifest)
    (to / "manifest.json").write_text(json.dumps(manifest))
    return to


def refusal(capsys: pytest.CaptureFixture[str], output: Path, *runs: Path | str, status: int = 2) -> str:
    capsys.readouterr()
    before = sorted(output.iterdir())
    words = [
        "merge",
        *map(str, runs),
        "--output",
        str(output / "deep" / "er"),
        "--run_id",
        "no",
        "--metadata_store",
        "none",
    ]
    assert main(words) == status
    assert sorted(output.iterdir()) == before
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text


def test_what_does_not_go_together_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one, two = folder / "out" / "day0", folder / "out" / "day1"
    old = changed(two, tmp_path / "old", lambda values: values.pop("sketch_files"))
    bad = changed(
        two,
        tmp_path / "bad",
        lambda values: values.update(validation={"verdict": "failed", "accepted": False, "fail_on": ["checks"]}),
    )
    other = changed(two, tmp_path / "other", lambda values: values["settings"]["statistics"].update(slice_features=[]))  # type: ignore[index]
    nine = [{"name": "train", "weight": 9}, {"name": "eval", "weight": 1}]
    shares = changed(two, tmp_path / "shares", lambda values: values["settings"].update(splits=nine))  # type: ignore[attr-defined]
    pipeline = changed(two, tmp_path / "pipeline", lambda values: values.update(pipeline_name="x"))
    broken = changed(two, tmp_path / "broken", lambda values: None)
    (broken / "sketches" / "Split-eval" / "all.parquet").write_bytes(b"PAR1")
    lost = changed(two, tmp_path / "lost", lambda values: None)
    (lost / "sketches" / "Split-eval" / "all.parquet").unlink()
    cases: list[tuple[tuple[Path | str, ...], str]] = [
        ((one,), "merge needs at least two runs"),
        (
            (one, one),
            f"{folder}/0.csv of {one} has the content of {folder}/0.csv of {one}, so its rows would be counted",
        ),
        ((one, tmp_path / "none"), f"{tmp_path}/none: has no manifest.json: not a finished run"),
        ((one, old), f"{old}: was made by a release that kept no sketches to merge; run it again"),
        ((one, bad), f"{bad}: was not accepted (verdict: failed, --fail_on checks); leave it out"),
        ((one, other), f"--slice_features differs: --slice_features kind in {one}, none in {other}; run one again"),
        ((one, shares), f"--splits differs: --splits train:2,eval:1 in {one}, --splits train:9,eval:1 in {shares}"),
        ((one, pipeline), "the runs are of the pipelines beam_taxi, x; choose a name with --pipeline_name"),
        ((one, broken), "Split-eval/all.parquet: is not the file that the manifest names"),
        ((one, lost), "Split-eval/all.parquet: cannot be read: No such file or directory"),
    ]
    for runs, message in cases:
        assert message in refusal(capsys, tmp_path, *runs)
    assert main(["merge", str(one), str(two)]) == 2
    assert "--output" in capsys.readouterr().err


def test_types_that_go_together_are_those_of_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    values = {"whole": ["1", "2"], "parts": ["1.5", "2.25"], "words": ["one", "two"], "large": ["16777217", "5"]}
    runs = {
        name: run(write(tmp_path / f"{name}.csv", lines, "x"), out, name, "--no_examples", "--metadata_store", "none")
        for name, lines in values.items()
    }
    text = refusal(capsys, tmp_path, runs["whole"], runs["words"], status=3)
    assert f"column 'x' is INT in {runs['whole']} and STRING in {runs['words']}; run one of them again" in text
    text = refusal(capsys, tmp_path, runs["large"], runs["parts"], status=3)
    assert "has integers beyond 16,777,216, which floats round; run this one again with --types x:FLOAT" in text
    words = ["merge", str(runs["whole"]), str(runs["parts"]), "--output", str(out), "--run_id", "both"]
    assert main([*words, "--metadata_store", "none"]) == 0
    found = RunFolder(str(out / "both"))
    assert [(one.name, one.type) for one in found.read_manifest().features] == [("x", "FLOAT")]
    feature = found.read_profile().splits()["all"].features["x"]
    assert (feature.type, feature.min, feature.max, feature.distinct.value) == ("FLOAT", 1.0, 2.25, 4)
    assert "type: FLOAT" in (out / "both" / "schema" / "schema.pbtxt").read_text()


DIFFERS = "equal rows, or rows of one key, may be in different splits in different runs; a merge cannot check that"


@pytest.mark.parametrize(
    ("options", "how", "rows", "warns"),
    [
        (["--split_column", "part"], "by the value of part", [3, 3], True),
        (["--split_by", "x < 4"], "train where x < 4; else eval", [3, 3], False),
        (["--split_by", "x < 4", "--split_key", "part"], "train where x < 4; else eval", [3, 3], True),
        (
            ["--stratify", "--label", "part"],
            "by a hash of the row, with the same shares in each class of part",
            None,
            True,
        ),
        (["--split_key", "part"], "by a hash of part", None, False),
    ],
)
def test_runs_whose_rows_are_split_in_the_same_way(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    how: str,
    rows: list[int] | None,
    warns: bool,
):
    out, more = tmp_path / "out", ["--metadata_store", "none"]
    lines = {"a": ["1,train", "2,eval", "5,train"], "b": ["3,eval", "4,train", "6,eval"]}
    runs = [
        run(write(tmp_path / f"{name}.csv", those, "x,part"), out, name, *options, *more)
        for name, those in lines.items()
    ]
    capsys.readouterr()
    assert main(["merge", *map(str, runs), "--output", str(out), "--run_id", "both", *more]) == 0
    assert f"split      {how}\n" in capsys.readouterr().out
    manifest = RunFolder(str(out / "both")).read_manifest()
    assert [split.name for split in manifest.splits] == ["train", "eval"]
    assert rows is None or [split.rows for split in manifest.splits] == rows
    assert (DIFFERS in manifest.warnings) == warns
    # The report must not promise what was not checked.
    assert ("more than one split" in (out / "both" / "report.html").read_text()) == (not warns)


def test_other_columns_are_missing_and_redacted_ones_stay_so(tmp_path: Path):
    out, options = tmp_path / "out", ["--metadata_store", "none"]
    one = run(
        write(tmp_path / "a.csv", ["1,secret-a", "2,secret-b"], "x,s"), out, "a", "--redact_columns", "s", *options
    )
    two = run(write(tmp_path / "b.csv", ["3,secret-a,7", "4,secret-c,8"], "x,s,y"), out, "b", *options)
    assert main(["merge", str(one), str(two), "--output", str(out), "--run_id", "both", *options]) == 0
    manifest = RunFolder(str(out / "both")).read_manifest()
    assert manifest.warnings[0] == "column 'y' is missing from 1 of 2 runs, the first is a"
    assert manifest.warnings[1].startswith("--redact_columns s: runs keep no hashes of these columns")
    assert manifest.settings.columns.redacted == ("s",)
    for path in (out / "both").rglob("*"):
        assert path.is_dir() or b"secret-" not in path.read_bytes()
    for path in (one / "sketches").rglob("*.parquet"):
        assert b"secret-" not in path.read_bytes()
    columns = [one.features for one in RunFolder(str(out / "both")).read_profile().splits().values()]
    assert sum(found["s"].present for found in columns) == 4
    assert sum(found["y"].present for found in columns) == 2
    assert not any(found["s"].distinct.exact for found in columns if found["s"].present)


KILLED = """
import os, signal, sys
from beam_taxi.run.folder import RunFolder
from beam_taxi.cli import main
from beam_taxi.errors import UsageError
RunFolder.write_manifest = lambda self, manifest: os.kill(os.getpid(), signal.{signal})
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "left"), [("SIGKILL", True), ("SIGTERM", False)])
def test_an_interrupted_merge_leaves_no_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, left: bool
):
    days = [str(folder / "out" / f"day{number}") for number in range(2)]
    words = ["merge", *days, "--output", str(tmp_path), "--run_id", "cut", "--metadata_store", "none"]
    ended = subprocess.run([sys.executable, "-c", KILLED.format(signal=name), *words], capture_output=True, text=True)
    assert ended.returncode != 0
    assert (tmp_path / "cut").exists() == left
    assert not (tmp_path / "cut" / "manifest.json").exists()
    if not left:
        return
    assert main(["report", str(tmp_path / "cut")]) == 2
    assert main(words) == 2
    assert "which is dead; remove it with: rm -r" in capsys.readouterr().err
