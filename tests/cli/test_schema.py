"""`beam-taxi schema`, from runs and files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.schema_pb2 import Schema

from beam_taxi.cli import main

KEPT = """# Kept by hand.
feature {
  name: "fare"  # dollars
  type: FLOAT
  float_domain {
    min: 0
    max: 20
  }
}

feature {
  name: "id"
  type: INT
  presence { min_fraction: 1 }
}
# The last one.
feature {
  name: "kind"
  type: BYTES
  domain: "kind"
  presence {
    min_fraction: 1
  }
}
string_domain {
  name: "kind"
  value: "cash"
}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    lines = [f"{i},{i / 4},{['cash', 'card', ''][i % 3]}," for i in range(120)]
    (folder / "x.csv").write_text("\n".join(["id,fare,kind,note", *lines]) + "\n")
    words = ["--input", str(folder / "x.csv"), "--output", str(folder), "--run_id", "r", "--metadata_store", "none"]
    assert main(["run", *words, "--splits", "train:9,eval:1"]) == 0
    return folder / "r"


def test_infer(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    published = (run / "schema" / "schema.pbtxt").read_text()
    assert main(["schema", "infer", str(run)]) == 0
    assert capfd.readouterr().out == published
    assert main(["schema", "infer", str(run), "--out", str(tmp_path / "s.pbtxt")]) == 0
    assert (tmp_path / "s.pbtxt").read_text() == published
    assert main(["schema", "infer", str(run / "statistics" / "Split-eval" / "FeatureStats.pb")]) == 0
    assert 'name: "fare"' in capfd.readouterr().out


def test_diff(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    schema = text_format.Parse((run / "schema" / "schema.pbtxt").read_text(), Schema())
    schema.feature.add(name="tip", type=2)
    (tmp_path / "new.pb").write_bytes(schema.SerializeToString())
    assert main(["schema", "diff", str(run), str(run)]) == 0
    assert capfd.readouterr().out == "no differences\n"
    assert main(["schema", "diff", str(run), str(tmp_path / "new.pb")]) == 0
    assert capfd.readouterr().out == "widening    tip: added, may be missing\n"
    assert main(["schema", "diff", str(tmp_path / "new.pb"), str(run), "--json"]) == 1
    found = json.loads(capfd.readouterr().out)
    assert found["level"] == "breaking"
    assert found["differences"][0] == {
        "feature": "tip",
        "field": "feature",
        "old": "present",
        "new": None,
        "level": "breaking",
        "text": "removed",
    }


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a new working directory, a Git repository with a schema."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "schema.pbtxt").write_text(KEPT)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_update(run: Path, repository: Path, capfd: pytest.CaptureFixture[str]):
    update = ["schema", "update", "conf/schema.pbtxt", str(run)]
    assert main(update) == 0
    patch = capfd.readouterr().out
    assert patch.count("\n@@ ") == 4
    assert main([*update, "--out", "new.pbtxt"]) == 0
    assert "fare: Unexpectedly high value: 29.75>20" in capfd.readouterr().out
    subprocess.run(["git", "apply", "-"], input=patch.encode(), check=True)
    updated = (repository / "conf" / "schema.pbtxt").read_text()
    assert updated == (repository / "new.pbtxt").read_text()
    assert set(KEPT.split("\n")) - set(updated.split("\n")) == {"    max: 20", "    min_fraction: 1"}
    assert main([*update, "--in_place"]) == 0
    assert capfd.readouterr().out == "no anomalies\n"
    assert main(update) == 0
    assert capfd.readouterr().out == ""


def test_update_in_place(run: Path, repository: Path, capfd: pytest.CaptureFixture[str]):
    assert main(["schema", "update", "conf/schema.pbtxt", str(run), "--in_place"]) == 0
    assert capfd.readouterr().out.count("\n") == 4
    assert "max: 29.75" in (repository / "conf" / "schema.pbtxt").read_text()
    assert [path.name for path in (repository / "conf").iterdir()] == ["schema.pbtxt"]


def test_freeze(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    frozen = tmp_path / "frozen.pbtxt"
    assert main(["schema", "freeze", str(run), "--ranges", "--chance", "0.01", "--out", str(frozen)]) == 0
    text = frozen.read_text()
    assert text.startswith("# Frozen from 120 rows of r.\n")
    assert main(["schema", "update", str(frozen), str(run)]) == 0
    assert capfd.readouterr().out == ""
    assert "max: 29.75" in text
    assert 'value: "card"' in text


def test_calibrate(run: Path, repository: Path, capfd: pytest.CaptureFixture[str]):
    assert main(["schema", "calibrate", "conf/schema.pbtxt", str(run), "--skew"]) == 0
    patch = capfd.readouterr().out
    subprocess.run(["git", "apply", "-"], input=patch.encode(), check=True)
    text = (repository / "conf" / "schema.pbtxt").read_text()
    features = {one.name: one for one in text_format.Parse(text, Schema()).feature}
    assert features["fare"].skew_comparator.jensen_shannon_divergence.threshold > 0
    assert features["kind"].skew_comparator.infinity_norm.threshold > 0
    assert "# Kept by hand." in text
    # The comparators are those of the runs that they come from.
    assert main(["schema", "calibrate", "conf/schema.pbtxt", str(run), "--skew", "--in_place"]) == 0
    assert capfd.readouterr().out == "no changes\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["infer", "none"], "none: cannot be read: No such file or directory"),
        (["diff", "bad.pbtxt", "bad.pbtxt"], "bad.pbtxt: line 2: not a Schema proto in text format: "),
        (["update", "kept.pbtxt", "RUN", "--in_place", "--out", "x"], "--in_place and --out cannot be combined"),
        (["update", "odd.pbtxt", "RUN"], "odd.pbtxt: line 1: cannot be edited line by line: "),
        (["freeze", "RUN", "--chance", "2"], "argument --chance: '2' must be between 0 and 1"),
        (["infer", "RUN", "--out", "kept.pbtxt"], "--out kept.pbtxt: exists already"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
):
    (tmp_path / "bad.pbtxt").write_text("feature {\n  nam: 1\n}\n")
    (tmp_path / "kept.pbtxt").write_text(KEPT)
    (tmp_path / "odd.pbtxt").write_text('feature { name: "fare" type: FLOAT } feature { name: "z" type: INT }\n')
    monkeypatch.chdir(tmp_path)
    assert main(["schema", *(str(run) if word == "RUN" else word for word in words)]) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert message in told.err
    assert told.err.count("\n") == 1
