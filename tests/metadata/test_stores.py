"""Every way to name a store, and every fault of one: what is wrong and what to do, soon, and never the password."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.recorder import init
from beam_taxi.metadata.stores.base import StoreError
from beam_taxi.metadata.stores.mysql import MySqlStore
from beam_taxi.metadata.stores.mysql_login import check_login
from tests.metadata import runs
from tests.metadata.conftest import MariaDB, free_port

REFUSED = {
    "postgresql": (
        "postgresql://u@h/db",
        "PostgreSQL is not supported: with it, ML Metadata's client fails on every backslash",
    ),
    "no path": ("sqlite:///", "use sqlite:///PATH, mysql://"),
    "no scheme": ("m.sqlite", "use sqlite:///PATH, mysql://"),
    "no user": ("mysql://h:3306/db", "use sqlite"),
    "no database": ("mysql://u@h:3306", "use sqlite"),
    "no port": ("grpc://h", "use sqlite"),
    "not a port": ("grpc://h:x", "use sqlite"),
    "socket without user": ("mysql+socket:///tmp/s?db=x", "use sqlite"),
    "password": ("mysql://u:hunter2@h:3306/db", "mysql://u:***@h:3306/db: a password in a command line is seen"),
    "password with signs": ("mysql://u:hunter2/@x@h:3306/db", "mysql://u:***@h:3306/db: a password"),
    "password in the query": ("mysql+socket:///s?user=u&password=hunter2&db=d", "password=***&db=d: a password"),
    "password for PostgreSQL": ("postgresql://u:hunter2@h/db", "u:***@h/db: a password"),
}


@pytest.mark.parametrize(("uri", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(uri: str, message: str):
    with pytest.raises(UsageError) as refused:
        parse_address(uri)
    assert message in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_password_is_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("BEAM_TAXI_METADATA_PASSWORD", "one")
    (tmp_path / "p").write_text("two\n")
    uri = "mysql://u@localhost/db"
    first, second = parse_address(uri), parse_address(uri, str(tmp_path / "p"))
    assert isinstance(first, MySqlStore)
    assert isinstance(second, MySqlStore)
    assert (first.password, second.password, first.host, first.port) == ("one", "two", "127.0.0.1", 3306)
    assert "one" not in repr(first)
    with pytest.raises(UsageError, match="--metadata_password_file .*: cannot be read: No such file"):
        parse_address(uri, str(tmp_path / "none"))
    assert parse_address("none") is None


def fault(uri: str, *command: str, password: str = "") -> str:
    """Return the one line that `runs init`, or another command, answers with within 10 seconds."""
    env = {**os.environ, "BEAM_TAXI_METADATA_PASSWORD": password}
    args = [sys.executable, "-m", "beam_taxi.runs", *(command or ("init",)), "--metadata_store", uri]
    done = subprocess.run(args, capture_output=True, text=True, env=env, timeout=10, check=False)
    assert done.returncode == 2, done
    line = without_waiting(done.stderr)
    assert len(line.splitlines()) == 1, done.stderr
    assert not password or password not in done.stdout + done.stderr
    return line


def without_waiting(told: str) -> str:
    """Return what was told on standard error, without the signs of life while a store is waited for."""
    lines = told.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("waiting for the metadata store: "))


@contextmanager
def peer(greeting: bytes = b"") -> Iterator[int]:
    """Yield the port of a peer that takes connections and says nothing, or one thing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        if greeting:
            code = "import socket, sys\ns = socket.socket(fileno=int(sys.argv[1]))\nc, _ = s.accept()\n"
            code += "c.sendall(bytes.fromhex(sys.argv[2]))\nc.recv(1)\n"
            server.set_inheritable(True)
            args = [sys.executable, "-c", code, str(server.fileno()), greeting.hex()]
            with subprocess.Popen(args, close_fds=False) as process:
                yield server.getsockname()[1]
                process.kill()
        else:
            yield server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["mysql://u@{}/db", "grpc://{}"])
def test_no_server(scheme: str):
    assert "Connection refused: is " in fault(scheme.format(f"127.0.0.1:{free_port()}"))
    assert "host not found" in fault(scheme.format("no-such-host.invalid:3306"))


def test_no_socket(tmp_path: Path):
    assert "No such file or directory: is the server up" in fault(f"mysql+socket://{tmp_path}/s?user=u&db=d")


def test_silent_and_foreign_peers():
    with peer() as port:
        assert "no answer in 4 s: is it a MySQL server" in fault(f"mysql://u@127.0.0.1:{port}/db")
        assert "does not answer as a server of ML Metadata" in fault(f"grpc://127.0.0.1:{port}")
    with peer(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        assert "is not a MySQL server" in fault(f"mysql://u@127.0.0.1:{port}/db")


def packet(number: int, payload: bytes) -> bytes:
    """Return a packet of MySQL's protocol."""
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


@contextmanager
def mysql_peer(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the port of a peer that greets as MySQL 8 does, and what a client replied before it got `answer`."""
    # Version, connection id, salt, capabilities of PyMySQL and more, character set, status, rest of salt, plugin.
    greeting = (
        b"\x0a8.0.40\0" + bytes(4) + b"12345678\0" + b"\xff\xf7" + b"\x21\x02\0" + b"\xff\xdf" + b"\x15" + bytes(10)
    )
    greeting += b"123456789012\0caching_sha2_password\0"
    replies = []

    def greet() -> None:
        client, _ = server.accept()
        with client:
            client.sendall(packet(0, greeting))
            replies.append(client.recv(1024))
            client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet)
        thread.start()
        yield server.getsockname()[1], replies
        thread.join()


LOGINS = {
    "other plugin": (
        b"\xfecaching_sha2_password\0" + b"1" * 20 + b"\0",
        "logs in by caching_sha2_password, and ML Metadata",
    ),
    "unknown plugin": (
        b"\xfeauth_gssapi\0x",
        "user 'u' logs in by auth_gssapi, and ML Metadata by mysql_native_password",
    ),
    "from this host": (
        b"\xff\x6a\x04Host 'h' is not allowed",
        "is not allowed (error 1130); allow the user to connect",
    ),
    "database": (b"\xff\x14\x04#42000Access denied", "Access denied (error 1044); grant the user all rights"),
    "by socket": (b"\xff\xa2\x06#28000Access denied", "(error 1698); let the user log in by password: ALTER USER"),
    "TLS": (b"\xff\x57\x0c#HY000Insecure", "Insecure (error 3159); the server requires TLS"),
    "connections": (b"\xff\x10\x04#08004Too many connections", "(error 1040); the server has too many"),
    "another": (b"\xff\x21\x03#HY000Out of memory", "(error 801); see the server's manual"),
    "no MySQL": (b"\x07nonsense", "is not a MySQL server; check host and port"),
    "hangs up": (b"", "the peer hung up"),
}


@pytest.mark.parametrize(("answer", "message"), LOGINS.values(), ids=LOGINS)
def test_what_a_mysql_server_answers_to_a_login(answer: bytes, message: str):
    with mysql_peer(packet(2, answer) if answer else b"") as (port, replies):
        try:
            raise OSError(5, "that the caller handles")
        except OSError:
            with pytest.raises(StoreError) as refused:
                check_login("mysql://u@h/db", ("127.0.0.1", port), "u", "pw")
    assert message in str(refused.value)
    assert "caller" not in str(refused.value)
    # As ML Metadata's client does, whatever the server offers first.
    assert b"mysql_native_password" in replies[0]


def test_what_mariadb_refuses(mariadb: MariaDB, tmp_path: Path):
    uri = mariadb.tcp("faults")
    assert "Access denied for user 'mlmd'" in fault(uri, password="wr0ng-password")
    assert "check the user, and the password in BEAM_TAXI_METADATA_PASSWORD" in fault(uri)
    mariadb.sql(
        "INSTALL SONAME 'auth_ed25519'; CREATE USER other@'%' IDENTIFIED VIA ed25519 USING PASSWORD('x');"
        "CREATE USER poor@'%' IDENTIFIED BY 'pw-9'; CREATE USER tls@'%' IDENTIFIED BY 'pw-9' REQUIRE SSL"
    )
    at = f"127.0.0.1:{mariadb.port}/faults"
    assert "user 'other' logs in by client_ed25519" in fault(f"mysql://other@{at}", password="x-password")
    assert "Access denied" in fault(f"mysql://poor@{at}", password="pw-9")
    assert "does not require TLS, which this client does not support" in fault(f"mysql://tls@{at}", password="pw-9")
    mariadb.sql("SET GLOBAL require_secure_transport=ON")
    try:
        assert "TLS, which this client does not support" in fault(uri, password=MariaDB.password)
    finally:
        mariadb.sql("SET GLOBAL require_secure_transport=OFF")


def test_another_schema_and_a_half_made_one(mariadb: MariaDB):
    uri = mariadb.tcp("versions")
    init(uri)
    mariadb.sql("UPDATE versions.MLMDEnv SET schema_version = 11")
    assert "another schema version than this ml-metadata" in fault(uri, password=MariaDB.password)
    mariadb.sql("DELETE FROM versions.MLMDEnv")
    assert "its schema is incomplete" in fault(uri, password=MariaDB.password)
    mariadb.sql("DROP TABLE versions.MLMDEnv; DROP TABLE versions.Artifact")
    refused = fault(uri, password=MariaDB.password)
    assert "its schema is incomplete (present tables: type_table" in refused
    assert "missing tables: artifact_table, mlmd_env_table): the first `python -m beam_taxi runs init`" in refused
    assert f"restore or drop them, then run `python -m beam_taxi runs init --metadata_store '{uri}'`" in refused


def test_mariadb_by_tcp_by_socket_and_by_a_password_file(
    mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ids = runs.record_run(mariadb.tcp("ways"), "r1")
    for _ in range(20):
        assert runs.record_run(mariadb.local("ways"), "r1") == ids
    # A store is closed as soon as it is done with, up to what the server is still ending.
    assert int(mariadb.sql("SHOW STATUS LIKE 'Threads_connected'").split()[1]) < 10
    monkeypatch.delenv("BEAM_TAXI_METADATA_PASSWORD")
    (tmp_path / "p").write_text(MariaDB.password)
    file = ["--metadata_password_file", str(tmp_path / "p")]
    command = [sys.executable, "-m", "beam_taxi.runs", "show", "r1", "--json", "--metadata_store", mariadb.tcp("ways")]
    done = subprocess.run([*command, *file], capture_output=True, text=True, check=True)
    assert '"state": "COMPLETE"' in done.stdout
    dump = subprocess.run(
        ["mariadb-dump", f"--socket={mariadb.socket}", "-uroot", "ways"], capture_output=True, text=True, check=True
    )
    assert "COMPLETE" in dump.stdout
    assert MariaDB.password not in dump.stdout + done.stdout + done.stderr


def test_the_password_is_not_logged(mariadb: MariaDB):
    code = "import logging, sys\nlogging.basicConfig(level=1)\nlogging.getLogger('absl').setLevel(1)\n"
    code += "from absl import logging as absl\nabsl.set_verbosity(absl.DEBUG)\n"
    code += "from beam_taxi.metadata.recorder import init\ninit(sys.argv[1])\n"
    done = subprocess.run([sys.executable, "-c", code, mariadb.tcp("log")], capture_output=True, text=True, check=True)
    assert MariaDB.password not in done.stdout + done.stderr


def test_a_store_that_vanishes_is_told_and_serves_again(mariadb: MariaDB):
    uri = mariadb.tcp("vanishes")
    runs.start(runs.planned("r1"), uri, "FnApiRunner")
    mariadb.stop()
    with pytest.raises(BeamTaxiError, match="Connection refused: is the server up"):
        runs.record_run(uri, "r1")
    mariadb.start()
    runs.record_run(uri, "r1")
    assert runs.check_whole(uri) == {"r1": "COMPLETE"}


def test_a_server_that_dies_within_an_operation(mariadb: MariaDB):
    code = (
        "import sys\nfrom beam_taxi.metadata.store import open_store\nfrom beam_taxi.errors import BeamTaxiError\n"
        "try:\n"
        "    with open_store(sys.argv[1], write=True) as store:\n"
        "        store.get_executions()\n        print('open', flush=True)\n        sys.stdin.readline()\n"
        "        store.get_executions()\n"
        "except BeamTaxiError as error:\n    print(error)\n"
    )
    args = [sys.executable, "-c", code, mariadb.tcp("dies")]
    with subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        mariadb.stop()
        told, _ = process.communicate("\n", timeout=10)
        mariadb.start()
    assert process.returncode == 0
    assert "the store failed:" in told


def as_user(*command: str) -> list[str]:
    """Return a command without root's right to write everywhere."""
    if os.geteuid() == 0:
        return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    return list(command)


def test_reachability_without_ml_metadata(tmp_path: Path):
    def fault_of(uri: str) -> str:
        store = parse_address(uri)
        assert store is not None
        return store.fault()

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert fault_of(f"mysql://u@localhost:{port}/db") == fault_of(f"grpc://127.0.0.1:{port}") == ""
    for uri in (f"mysql://u@localhost:{port}/db", f"grpc://127.0.0.1:{port}"):
        assert fault_of(uri).startswith(f"--metadata_store {uri}: no answer: Connection refused; is the server up")
    assert "no answer: No such file" in fault_of(f"mysql+socket://{tmp_path}/s?user=u&db=d")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"{tmp_path}/s")
        unix.listen()
        assert fault_of(f"mysql+socket://{tmp_path}/s?user=u&db=d") == ""
    assert fault_of(f"sqlite:///{tmp_path}/a/b/m.sqlite") == ""
    (tmp_path / "file").write_text("")
    assert fault_of(f"sqlite:///{tmp_path}/file/m.sqlite").endswith("file cannot be written; choose another path")


def test_where_a_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    stores = [
        parse_address(uri)
        for uri in ("sqlite:///m.sqlite", "mysql+socket:///s?user=u&db=d", "mysql://u@h/db", "grpc://h:1")
    ]
    assert [(s.is_local, s.host, s.can_be_served) for s in stores if s] == [
        (True, "", True),
        (True, "", True),
        (False, "h", True),
        (False, "h", False),
    ]
    assert [s.absolute_uri for s in stores if s][:2] == [
        f"sqlite:///{tmp_path}/m.sqlite",
        "mysql+socket:///s?user=u&db=d",
    ]


def test_faults_of_sqlite(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    assert "the file does not exist" in fault(uri, "list")
    assert "is a folder" in fault(f"sqlite:///{tmp_path}")
    init(uri)
    with sqlite3.connect(tmp_path / "m.sqlite", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "another program has locked the file" in fault(uri)
        other.execute("ROLLBACK")
    other.close()
    (tmp_path / "m.sqlite").chmod(0o444)
    args = [sys.executable, "-m", "beam_taxi.runs", "init", "--metadata_store", uri]
    done = subprocess.run(as_user(*args), capture_output=True, text=True, timeout=10, check=False)
    assert (done.returncode, "the file cannot be written" in done.stderr) == (2, True), done.stderr
    (tmp_path / "m.sqlite").chmod(0o644)
    with sqlite3.connect(tmp_path / "m.sqlite") as other:
        other.execute("UPDATE MLMDEnv SET schema_version = 11")
    other.close()
    assert "another schema version than this ml-metadata" in fault(uri)
    (tmp_path / "text").write_text("not a database, but text that is long enough to be seen as such" * 20)
    assert "file is not a database" in fault(f"sqlite:///{tmp_path}/text")
    with sqlite3.connect(tmp_path / "foreign") as other:
        other.execute("CREATE TABLE x (y)")
    other.close()
    assert "belongs to another program" in fault(f"sqlite:///{tmp_path}/foreign")


@contextmanager
def served(store: str) -> Iterator[str]:
    args = [sys.executable, "-m", "beam_taxi.metadata.server", "--metadata_store", store, "--port", "0"]
    with subprocess.Popen(args, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[-1]
        finally:
            server.terminate()
        assert server.wait() == 0


def test_a_store_is_served_by_grpc_and_used_directly(tmp_path: Path):
    direct = f"sqlite:///{tmp_path}/m.sqlite"
    with served(direct) as uri:
        ids = runs.record_run(uri, "r1")
        assert runs.record_run(direct, "r1") == ids
        runs.record_run(direct, "r2")
        assert runs.check_whole(uri) == runs.check_whole(direct) == {"r1": "COMPLETE", "r2": "COMPLETE"}
        assert "the store has no run of this id" in fault(uri, "show", "r3")


def test_a_default_timeout_of_sockets_is_no_concern_of_a_store(tmp_path: Path):
    default = socket.getdefaulttimeout()
    # Apache Beam sets one when it asks for Google's credentials.
    socket.setdefaulttimeout(60)
    try:
        init(f"sqlite:///{tmp_path}/m.sqlite")
    finally:
        socket.setdefaulttimeout(default)
