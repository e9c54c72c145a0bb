"""What a baseline is known by: the hash of its statistics."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import date, timedelta
from pathlib import Path

import pytest

from beam_taxi.cli.terminal import TerminalConsole
from beam_taxi.launch.baseline import digest_of_statistics, with_baseline
from beam_taxi.launch.command import parse
from beam_taxi.metadata.hashes import hash_of_files
from beam_taxi.metadata.recorder import record
from beam_taxi.settings import ValidationSettings
from tests.metadata.runs import manifest
from tests.metadata.test_spans import dated

CONTENT = b"statistics"
WHOLE = manifest("r")

DIGESTS = {
    "run": ("", hash_of_files(WHOLE.artifacts["statistics"].files)),
    "split": ("statistics/Split-train", hashlib.sha256(CONTENT).hexdigest()),
    "file": ("statistics/Split-train/FeatureStats.pb", hashlib.sha256(CONTENT).hexdigest()),
}


@pytest.mark.parametrize(("path", "digest"), DIGESTS.values(), ids=DIGESTS)
def test_the_digest_of_a_baseline(tmp_path: Path, path: str, digest: str):
    file = tmp_path / "statistics/Split-train/FeatureStats.pb"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    run = dataclasses.replace(WHOLE, run_uri=str(tmp_path))
    (tmp_path / "manifest.json").write_text(run.to_json_text())
    assert digest_of_statistics(str(tmp_path / path)) == digest


def test_the_history_of_a_day_is_of_the_same_weekday_before_it(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    first = date(2019, 11, 1)
    days = [(first + timedelta(days=number)).isoformat() for number in range(50)]
    for day in (*days[40:], *days[:40]):
        record(dated(day, day), store)

    def launched(*dates: str) -> ValidationSettings:
        words = ["--input", "{SPAN}" if dates else "a.csv", "--output", str(tmp_path), "--pipeline_name", "taxi"]
        launch = parse([*words, "--metadata_store", store, "--baseline", "previous", *dates])
        return with_baseline(launch, TerminalConsole(as_json=True)).settings.validation

    late = launched("--date", days[45])
    assert late.baseline == f"/out/{days[44]}"
    assert late.history == tuple(f"/out/{days[number]}" for number in range(3, 45, 7))
    assert launched("--date", days[3]).history == tuple(f"/out/{day}" for day in days[:3])
    assert launched("--date", days[0]).baseline == "previous"
    # A run without a date takes the runs by time: the newest is not that of the last day.
    assert launched().baseline == f"/out/{days[39]}"
