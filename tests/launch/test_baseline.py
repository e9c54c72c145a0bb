"""What a baseline is known by: the hash of its statistics."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from beam_taxi.launch.baseline import digest_of_statistics
from beam_taxi.metadata.hashes import hash_of_files
from tests.metadata.runs import manifest

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
