"""A MariaDB server of the tests' own, and runs to record."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from beam_taxi.metadata.recorder import init

HOW_TO_GET_IT = "MariaDB is not here: apt-get install -y mariadb-server (Debian 12's is 10.11)"


class MariaDB:
    """A server in a folder of its own, on a free port and a socket; user `mlmd` with a password."""

    password = "S3cret:p/w@?"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self.port = 0
        self._server: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start, and return when the server answers; on the same port as before."""
        self.port = self.port or free_port()
        command = ["mariadbd", "--no-defaults", f"--datadir={self.folder}/data", f"--socket={self.socket}"]
        command += [
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--log-warnings=0",
            "--innodb-flush-log-at-trx-commit=2",
        ]
        command += ["--user=root"] if os.geteuid() == 0 else []
        self._server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._server.stderr is not None
        log = []
        for line in self._server.stderr:
            log.append(line)
            if "ready for connections" in line:
                break
        else:
            raise RuntimeError("".join(log))

    def stop(self) -> None:
        """Kill, and return when it is gone."""
        if self._server is not None:
            self._server.kill()
            self._server.communicate()
            self._server = None

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process of the server, which runs."""
        assert self._server is not None
        return self._server

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let every write wait for the end of the block; reads and logins go on."""
        command = ["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-N", "--unbuffered"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write("FLUSH TABLES WITH READ LOCK; SELECT 'locked';\n")
            client.stdin.flush()
            assert client.stdout.readline() == "locked\n"
            yield

    def sql(self, text: str) -> str:
        """Run SQL as the administrator."""
        command = ["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-N", "-e", text]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def tcp(self, database: str) -> str:
        return f"mysql://mlmd@127.0.0.1:{self.port}/{database}"

    def local(self, database: str) -> str:
        return f"mysql+socket://{self.socket}?user=mlmd&db={database}"


@contextmanager
def stopped(process: subprocess.Popen[str]) -> Iterator[None]:
    """Stop a process for the block: of a server, the kernel still accepts connections."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running() -> Iterator[MariaDB]:
    # Not where TMPDIR is: the path of a socket has 107 bytes at most, and mariadb-install-db takes none with a space.
    folder = Path(tempfile.mkdtemp(prefix="mdb", dir="/tmp"))
    root = ["--user=root"] if os.geteuid() == 0 else []
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={folder}/data", "--skip-test-db", *root]
    server = MariaDB(folder)
    try:
        subprocess.run([*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        server.start()
        server.sql(
            f"CREATE USER mlmd@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('{MariaDB.password}');"
            "GRANT ALL ON *.* TO mlmd@'%'"
        )
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB]:
    os.environ["PATH"] += ":/usr/sbin"
    if shutil.which("mariadbd") is None:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW_TO_GET_IT)
        pytest.skip(HOW_TO_GET_IT)
    with running() as server:
        yield server


@pytest.fixture
def mariadb(mariadb_server: MariaDB, monkeypatch: pytest.MonkeyPatch) -> MariaDB:
    monkeypatch.setenv("BEAM_TAXI_METADATA_PASSWORD", MariaDB.password)
    return mariadb_server


@pytest.fixture
def mariadb_store(mariadb: MariaDB, tmp_path: Path) -> Iterator[str]:
    """Yield the URI of a new database."""
    database = tmp_path.name.replace("-", "_").replace("[", "_").replace("]", "_")
    uri = mariadb.tcp(database)
    init(uri)
    yield uri
    mariadb.sql(f"DROP DATABASE {database}")


@contextmanager
def served(store: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve a store over gRPC; yield the URI and the process of the server."""
    command = [sys.executable, "-m", "beam_taxi", "serve-metadata", "--metadata_store", store, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[-1], server
        finally:
            server.kill()


@pytest.fixture
def grpc_store(tmp_path: Path) -> Iterator[str]:
    """Yield the URI of a server of a new SQLite file."""
    with served(f"sqlite:///{tmp_path}/served.sqlite") as (uri, _):
        yield uri


@pytest.fixture(params=["sqlite", "mariadb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URI of a new store, whose file need not exist yet."""
    return f"sqlite:///{tmp_path}/m.sqlite" if request.param == "sqlite" else _of_kind(request)


@pytest.fixture(params=["sqlite", "mariadb", "grpc"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URI of a new store, also of one that is served."""
    return f"sqlite:///{tmp_path}/m.sqlite" if request.param == "sqlite" else _of_kind(request)


def _of_kind(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_store"))


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a library that lets system calls fail or hang."""
    if shutil.which("gcc") is None:
        reason = "no C compiler: apt-get install -y gcc libc6-dev"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    library = tmp_path_factory.mktemp("faulty") / "faulty.so"
    source = Path(__file__).with_name("faulty.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return str(library)


def fail_by(monkeypatch: pytest.MonkeyPatch, library: str, call: str, number: int = 0) -> None:
    """Let a system call fail in the processes that are started from now on."""
    monkeypatch.setenv("LD_PRELOAD", library)
    monkeypatch.setenv("FAULTY_CALL", call)
    monkeypatch.setenv("FAULTY_ERRNO", str(number))
