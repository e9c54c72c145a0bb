"""The entry that a worker makes of a run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from beam_taxi.errors import BeamTaxiError
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.on_worker import RecordOnWorker
from tests.metadata import runs
from tests.metadata.conftest import MariaDB, free_port

pytestmark = pytest.mark.slow


def test_a_worker_records_with_a_password_of_its_own(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = parse_address(mariadb.tcp("on_worker"))
    assert store is not None
    (tmp_path / "p").write_text(MariaDB.password)
    monkeypatch.delenv("BEAM_TAXI_METADATA_PASSWORD")
    pickled = pickle.dumps(RecordOnWorker(store.absolute_uri, str(tmp_path / "p")))
    assert b"mlmd@" in pickled
    assert MariaDB.password.encode() not in pickled
    record = pickle.loads(pickled)
    record(runs.manifest("r"))
    record(runs.manifest("r"))
    monkeypatch.setenv("BEAM_TAXI_METADATA_PASSWORD", MariaDB.password)
    assert runs.check_whole(store.uri) == {"r": "COMPLETE"}


def test_an_unreachable_store_is_an_error():
    with pytest.raises(BeamTaxiError, match="Connection refused"):
        RecordOnWorker(f"grpc://127.0.0.1:{free_port()}")(runs.manifest("r"))
