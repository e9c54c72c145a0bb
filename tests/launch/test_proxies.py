"""Loopback addresses never go through a proxy, here one that refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_taxi.launch.proxies import except_loopback

PROXY = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
LOOPBACK = "localhost,127.0.0.1,::1,0.0.0.0"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, dict.fromkeys(("no_grpc_proxy", "no_proxy", "NO_PROXY"), LOOPBACK)),
        (
            {"NO_PROXY": "a,127.0.0.1"},
            dict.fromkeys(("no_grpc_proxy", "no_proxy", "NO_PROXY"), "a,127.0.0.1,localhost,::1,0.0.0.0"),
        ),
        (
            {"no_proxy": "a", "NO_PROXY": "b", "no_grpc_proxy": "c"},
            {"no_proxy": f"a,{LOOPBACK}", "NO_PROXY": f"b,{LOOPBACK}", "no_grpc_proxy": f"c,{LOOPBACK}"},
        ),
        ({"no_proxy": "*"}, {"no_proxy": "*", "no_grpc_proxy": f"*,{LOOPBACK}"}),
    ],
)
def test_what_is_excepted(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: dict[str, str]):
    for name in ("no_grpc_proxy", "no_proxy", "NO_PROXY"):
        # So that it is restored, too, if it was not set.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in {**PROXY, **given}.items():
        monkeypatch.setenv(name, value)
    for _ in range(2):
        except_loopback()
        assert {name: os.environ[name] for name in expected} == expected


def test_without_a_proxy_nothing_changes(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    before = dict(os.environ)
    except_loopback()
    assert dict(os.environ) == before


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    words = [sys.executable, "-m", "beam_taxi", "serve-metadata", "--port", "0"]
    words += ["--metadata_store", f"sqlite:///{tmp_path}/m.sqlite"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.mark.parametrize("excepted", [{}, {"no_proxy": "a.example", "no_grpc_proxy": "b.example"}])
def test_a_store_on_this_machine(server: str, excepted: dict[str, str]):
    env = {**os.environ, **PROXY, **excepted}
    for verb in ("init", "list"):
        words = [sys.executable, "-m", "beam_taxi", "runs", verb, "--metadata_store", server]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_local_run(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    words = [sys.executable, "-m", "beam_taxi.main", "--input", "x.csv", "--output", "out", "--num_shards", "2"]
    words += ["--direct_running_mode", "multi_threading", "--direct_num_workers", "2"]
    env = {**os.environ, **PROXY, "no_grpc_proxy": "b.example"}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
