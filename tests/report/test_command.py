"""`python -m beam_taxi report`, on files made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.cli.report import main
from beam_taxi.run.manifest import ArtifactFile
from beam_taxi.run.profile import DatasetProfile, Profile
from tests.report import make


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the folder of a run with 6 features, without its Examples."""
    folder = tmp_path / "run-1"
    source = make.wide(6)
    for split, dataset in source.statistics.items():
        path = folder / "statistics" / f"Split-{split}" / "FeatureStats.pb"
        path.parent.mkdir(parents=True)
        path.write_bytes(statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset]).SerializeToString())
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(schema_pb2.Schema()))
    (folder / "manifest.json").write_text(source.manifest.to_json_text())
    return folder


PLACES = {
    "run": "",
    "manifest": "manifest.json",
    "split": "statistics/Split-eval",
    "file": "statistics/Split-eval/FeatureStats.pb",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_prints_and_writes(run: Path, place: str, capsys: pytest.CaptureFixture[str]):
    out = run.parent / "report.html"
    assert main([str(run / place)]) == 0
    assert "feature_0005" in capsys.readouterr().out
    assert main([str(run / place), "--baseline", str(run), "--out", str(out)]) == 0
    assert "feature_0005" in out.read_text()
    assert sorted(p.name for p in run.parent.iterdir()) == ["report.html", "run-1"]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_prints_json(run: Path, place: str, capsys: pytest.CaptureFixture[str]):
    assert main([str(run / place), "--json", "--baseline", str(run)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["report_version"] == 1
    assert len(found["features"]) == 6
    assert found["splits"]["eval"] == {"rows": 500}


def test_json_of_a_run_has_the_counts_of_its_profile(run: Path, capsys: pytest.CaptureFixture[str]):
    profile = Profile((DatasetProfile("train", 7), DatasetProfile("eval", 3)))
    manifest = make.manifest([], {"train": 7, "eval": 3}, profile_file=ArtifactFile("profile.json", 1, "00"))
    (run / "profile.json").write_text(profile.to_json_text())
    (run / "manifest.json").write_text(manifest.to_json_text())
    assert main([str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"] == {"train": {"rows": 7}, "eval": {"rows": 3}}


def test_text_format_is_read(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    statistics = statistics_pb2.DatasetFeatureStatisticsList(datasets=[make.wide(3).statistics["train"]])
    (tmp_path / "stats.pbtxt").write_text(text_format.MessageToString(statistics))
    assert main([str(tmp_path / "stats.pbtxt")]) == 0
    assert "feature_0002" in capsys.readouterr().out


REFUSED = {
    "no file": ("none", [], "none: cannot be read: No such file or directory"),
    "folder": (".", [], "not a finished run or a split"),
    "other file": ("other.txt", [], "other.txt: contains no statistics"),
    "manifest": ("broken", [], "not the manifest of a run"),
    "lost statistics": ("lost", [], "FeatureStats.pb: cannot be read"),
    "out exists": ("run-1", ["--out", "other.txt"], "other.txt: exists"),
    "out has no folder": ("run-1", ["--out", "other.txt/x.html"], "cannot be written"),
    "json in a file": ("run-1", ["--json", "--out", "x.json"], "not allowed with argument --json"),
    "baseline": ("run-1", ["--baseline", "other.txt"], "contains no statistics"),
}


@pytest.mark.parametrize(("place", "args", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_in_one_line(
    run: Path,
    place: str,
    args: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(run.parent)
    Path("other.txt").write_text("no statistics")
    for name, content in {"broken": "[]", "lost": (run / "manifest.json").read_text()}.items():
        Path(name).mkdir()
        Path(name, "manifest.json").write_text(content)
    assert main([place, *args]) == 2
    error = capsys.readouterr().err
    assert error.startswith("beam_taxi: error: ")
    assert message in error
    assert len(error.splitlines()) == 1
