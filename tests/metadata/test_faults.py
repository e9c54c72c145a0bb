"""Stores with faults that a healthy machine does not show: one line, within seconds, and a run goes on."""

from __future__ import annotations

import dataclasses
import errno
import os
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata.queries import get_run, latest_schema, list_runs
from beam_taxi.metadata.recorder import init, record, start
from beam_taxi.metadata.stores.base import StoreError
from beam_taxi.metadata.verify import verify
from beam_taxi.run.folder import read_manifest
from beam_taxi.samples import taxi
from tests.metadata import runs
from tests.metadata.chaos import launch
from tests.metadata.conftest import MariaDB, fail_by, free_port, served, stopped
from tests.metadata.test_stores import fault, without_waiting

pytestmark = pytest.mark.slow

LOCKS = {
    "no locks": ("flock", errno.ENOLCK, "m.sqlite.lock: No locks available; its file system has no locks"),
    "not supported": (
        "flock",
        errno.EOPNOTSUPP,
        "Operation not supported; its file system has no locks",
    ),
    "broken": ("flock", errno.EIO, "m.sqlite.lock: Input/output error; choose another store"),
    "read-only": ("open", errno.EROFS, "Read-only file system: "),
    "no inode": ("open", errno.ENOSPC, "free some space, or choose a path on another disk"),
    "disk full": ("pwrite", errno.ENOSPC, "No space left on device; free some space"),
    "stuck": ("probe", 0, "cannot be read within 6 s: is its file system stuck?"),
    "stuck lock": ("lock hangs", 0, "cannot be read within 6 s: is its file system stuck?"),
}


@pytest.mark.parametrize(("call", "number", "message"), LOCKS.values(), ids=LOCKS)
def test_a_file_system_that_fails(
    faulty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, message: str
):
    fail_by(monkeypatch, faulty, call, number)
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    assert message in fault(uri)


def test_a_run_goes_on_without_locks(faulty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data, store = tmp_path / "x.csv", f"sqlite:///{tmp_path}/m.sqlite"
    taxi.main(["--rows", "100", "--seed", "3", "--out", str(data)])
    with monkeypatch.context() as faults:
        fail_by(faults, faulty, "flock", errno.ENOLCK)
        process = launch("--input", data, "--output", tmp_path / "out", "--metadata_store", store, "--run_id", "r")
        _, error = process.communicate()
    warning, last = without_waiting(error).splitlines()
    assert process.returncode == 0
    assert "the start was not recorded: " in warning
    assert "the run is complete but was not recorded: " in last
    assert warning.count("No locks available") == last.count("No locks available") == 1
    record(read_manifest(str(tmp_path / "out" / "r")), store)
    assert verify(store, "r") == []


def test_a_path_that_is_not_utf8(tmp_path: Path):
    uri = os.fsdecode(f"sqlite:///{tmp_path}/caf".encode() + b"\xe9/m.sqlite")
    for use in (init, list_runs):
        with pytest.raises(StoreError, match=r"caf\\udce9/m.sqlite: the path is not UTF-8"):
            use(uri)
    with pytest.raises(UsageError, match=r"\\udce9: is not UTF-8; use sqlite"):
        init("mysql://u@h/caf\udce9")


def test_a_half_made_sqlite_file(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    init(uri)
    for change in ("DELETE FROM MLMDEnv", "DROP TABLE MLMDEnv"):
        with sqlite3.connect(tmp_path / "m.sqlite") as other:
            other.execute(change)
        other.close()
        with pytest.raises(StoreError, match="its schema is incomplete, since .*; remove the file, then run `python"):
            init(uri)


def test_a_database_that_demands_primary_keys(mariadb: MariaDB):
    uri = mariadb.tcp("demands")
    mariadb.sql("SET GLOBAL innodb_force_primary_key=ON")
    demand = r"server demands primary keys \(innodb_force_primary_key=ON\), and ML Metadata's table EventPath has none"
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match=demand + ": set innodb_force_primary_key=OFF until `python"):
                init(uri)
        assert "demands" not in mariadb.sql("SHOW DATABASES").split()
        # What earlier versions of this package have left.
        mariadb.sql("CREATE DATABASE demands; CREATE TABLE demands.Type (id INT PRIMARY KEY)")
        with pytest.raises(StoreError, match=demand + r": drop what an earlier attempt has left \(Type\), and set"):
            init(uri)
        mariadb.sql("DROP TABLE demands.Type; SET GLOBAL innodb_force_primary_key=OFF")
        init(uri)
        mariadb.sql("SET GLOBAL innodb_force_primary_key=ON")
        runs.record_run(uri, "r")
        assert runs.check_whole(uri) == {"r": "COMPLETE"}
    finally:
        mariadb.sql("SET GLOBAL innodb_force_primary_key=OFF")


def test_a_user_who_cannot_create_tables(mariadb: MariaDB):
    mariadb.sql(
        "CREATE USER reader@'%' IDENTIFIED VIA mysql_native_password USING "
        f"PASSWORD('{MariaDB.password}'); GRANT SELECT ON *.* TO reader@'%'"
    )
    with pytest.raises(StoreError, match="grant the user all rights on the database, even if it exists: ") as no:
        init(mariadb.tcp("rights").replace("mlmd@", "reader@"))
    assert str(no.value).count("Access denied") == 1


@contextmanager
def black_hole() -> Iterator[int]:
    """Yield the port of a listener whose queue is full, so that the kernel drops further connections."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = sockets.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_servers_that_never_answer(mariadb: MariaDB, tmp_path: Path):
    with (
        black_hole() as port,
        served(f"sqlite:///{tmp_path}/m.sqlite") as (grpc, server),
        stopped(server),
        stopped(mariadb.process),
    ):
        answers = {
            f"mysql://u@127.0.0.1:{port}/db": "no answer in 4 s: is it a MySQL server, and does a firewall block it?",
            f"grpc://127.0.0.1:{port}": "no answer: is `python -m beam_taxi serve-metadata` or another server",
            mariadb.tcp("frozen"): "no answer in 4 s: is it a MySQL server",
            grpc: "does not answer as a server of ML Metadata: Deadline Exceeded",
        }
        # At once, since each takes seconds.
        with ThreadPoolExecutor(len(answers)) as pool:
            for answer, message in zip(pool.map(fault, answers), answers.values(), strict=True):
                assert message in answer


def test_this_machine_is_never_reached_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with served(f"sqlite:///{tmp_path}/m.sqlite") as (uri, _):
        for variable in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("no_proxy", "example.com")
        monkeypatch.delenv("no_grpc_proxy", raising=False)
        for host in ("127.0.0.1", "localhost"):
            runs.record_run(uri.replace("127.0.0.1", host), host)
        assert "no_grpc_proxy" not in os.environ
        monkeypatch.setenv("no_grpc_proxy", "example.com")
        assert len(list_runs(uri)) == 2
        assert dict(os.environ)["no_grpc_proxy"] == "example.com"


CONFUSED = {
    "pipeline": ("taxi", "r1", "Taxi", "r2", "--pipeline_name Taxi: the store cannot distinguish it from its 'taxi'"),
    "run": ("taxi", "r1", "taxi", "R1", "--run_id R1: the store cannot distinguish it from its 'r1'"),
    "space": ("taxi", "r1", "taxi", "r1 ", "--run_id r1 : the store cannot distinguish it from its 'r1'"),
}


@pytest.mark.parametrize(("pipeline", "run_id", "pipeline2", "run_id2", "message"), CONFUSED.values(), ids=CONFUSED)
def test_names_that_mysql_confuses(
    mariadb: MariaDB, pipeline: str, run_id: str, pipeline2: str, run_id2: str, message: str
):
    mariadb.sql("CREATE OR REPLACE DATABASE names CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    uri = mariadb.tcp("names")
    first = dataclasses.replace(runs.manifest(run_id), pipeline_name=pipeline)
    second = dataclasses.replace(runs.manifest("x"), run_id=run_id2, pipeline_name=pipeline2)
    record(first, uri)
    before = list_runs(uri)
    with pytest.raises(UsageError, match=message):
        start(dataclasses.replace(second, artifacts={}), uri, "FnApiRunner")
    with pytest.raises(UsageError, match=message):
        record(second, uri)
    assert list_runs(uri) == before
    assert (latest_schema(uri, pipeline2) is None) == (pipeline2 != pipeline)
    if run_id2 != run_id:
        with pytest.raises(UsageError, match="the store has no run of this id"):
            get_run(uri, run_id2)


def test_names_are_compared_exactly_by_sqlite_and_grpc(tmp_path: Path):
    direct = f"sqlite:///{tmp_path}/m.sqlite"
    with served(direct) as (served_uri, _):
        for uri, number in ((direct, 1), (served_uri, 2)):
            for name in ("taxi", "Taxi", "tàxi"):
                run = dataclasses.replace(runs.manifest("x"), run_id=f"{name}{number}", pipeline_name=name)
                record(run, uri)
                schema = latest_schema(uri, name)
                assert schema is not None
                assert schema.run_id == f"{name}{number}"


def test_a_database_with_a_word_of_sql_as_its_name(mariadb: MariaDB):
    with pytest.raises(StoreError, match="must consist of letters, digits and '_', and not be a word of SQL: .*'keys'"):
        init(mariadb.tcp("keys"))


def test_names_that_are_too_long_for_mysql(mariadb: MariaDB, tmp_path: Path):
    long = dataclasses.replace(runs.planned("r" * 120), pipeline_name="p" * 130)
    assert start(long, f"sqlite:///{tmp_path}/m.sqlite", "FnApiRunner") == 1
    with pytest.raises(UsageError, match="its names have at most 255 characters, which --pipeline_name and --run_id"):
        start(long, mariadb.tcp("too_long"), "FnApiRunner")


def test_an_error_says_what_failed(mariadb: MariaDB):
    uri = mariadb.tcp("causes")
    init(uri)
    mariadb.sql("ALTER TABLE causes.Attribution ADD COLUMN required INT NOT NULL")
    with pytest.raises(BeamTaxiError) as failed:
        runs.record_run(uri, "r")
    assert "required" in str(failed.value)
    assert "is it still up" not in str(failed.value)
