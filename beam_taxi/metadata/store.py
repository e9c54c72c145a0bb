"""An open ML Metadata store; whatever goes wrong in it is one of our errors."""

from __future__ import annotations

import fcntl
import logging
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata import sqlite_probe
from beam_taxi.metadata.address import StoreAddress, StoreError, parse_address
from beam_taxi.metadata.mysql_login import check_login

_LOCK_SECONDS = 6.0
_PROBE_SECONDS = 3.0
_HALF_MADE_SECONDS = 4.0
_HALF_MADE = ("subset of tables in MLMD", "no schema_version can be found")
_GRPC_PROBE_SECONDS = 4.0
_OVERTAKEN = "try restarting transaction"
_OVERTAKEN_SECONDS = 6.0
_GRPC_CALL_SECONDS = 60.0
_SQLITE_FAULTS = {
    "missing": "there is no such file; a run with this --metadata_store, or `python -m beam_taxi.runs init`, makes it",
    "empty": "the file has no ML Metadata in it",
    "readonly": "the file cannot be written; give yourself write permission, or another store",
    "foreign": "the SQLite file is that of another program; give another path",
    "version": "the store has another schema version than this ml-metadata (10): use the ml-metadata that made it, or "
    "upgrade a copy of it",
}


@contextmanager
def open_store(store: StoreAddress | str, write: bool = False) -> Iterator[Any]:
    """Yield a MetadataStore for one operation; it is never used again after an error, since it may crash then.

    To write an SQLite file writers queue, since ML Metadata gives up on a busy one. Raises StoreError where the store
    cannot be used, and BeamTaxiError where it fails within the operation.
    """
    address = parse_address(store) if isinstance(store, str) else store
    if address is None:
        raise UsageError("--metadata_store none: there is no record")
    from ml_metadata import errors

    with file_lock(address, write) if address.kind == "sqlite" else nullcontext():
        connection = connect(address, write)
        try:
            yield connection
        except (RuntimeError, errors.StatusError) as error:
            raise BeamTaxiError(f"{address.uri}: the store failed: {_one_line(error)}; is it still up?") from None


def connect(address: StoreAddress, write: bool) -> Any:
    """Return a MetadataStore. Raises StoreError, within 10 seconds."""
    from ml_metadata import MetadataStore, errors

    if address.kind == "sqlite":
        _probe_sqlite(address, write)
    elif address.kind == "grpc":
        _probe_grpc(address)
    else:
        check_login(address)
    # Another process may be making the schema of an empty MySQL database: half of it is seen then.
    deadline = time.monotonic() + _HALF_MADE_SECONDS
    while True:
        try:
            return _Restarting(_quietly(MetadataStore, _config(address, write)))
        except (RuntimeError, errors.StatusError) as error:
            text = _one_line(error)
            half_made = any(sign in text for sign in _HALF_MADE)
            if not half_made or time.monotonic() > deadline:
                raise _refusal(address, text, half_made) from None
        time.sleep(0.1)


def _quietly(make: Any, config: Any) -> Any:
    """Make a MetadataStore, which logs its configuration, with the password, for those who debug."""
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)
    try:
        return make(config)
    finally:
        absl.setLevel(level)


class _Restarting:
    """A MetadataStore whose calls, each a transaction, begin again where the database asks for it: another was faster.

    ML Metadata itself waits for seconds after a deadlock, and gives up where MariaDB 11.6 and later refuse a snapshot.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        from ml_metadata import errors

        once = getattr(self._store, name)

        def call(*args: Any, **more: Any) -> Any:
            deadline = time.monotonic() + _OVERTAKEN_SECONDS
            while True:
                try:
                    return once(*args, **more)
                except (RuntimeError, errors.StatusError) as error:
                    if _OVERTAKEN not in str(error) or time.monotonic() > deadline:
                        raise
                time.sleep(random.uniform(0, 0.05))

        return call


def _refusal(address: StoreAddress, text: str, half_made: bool) -> StoreError:
    told = f"ML Metadata cannot use it: {text}; look into it, or give another store"
    if half_made:
        told = (
            "its schema is half made, since the first `python -m beam_taxi.runs init` was killed, or it is another "
            f"program's: drop the database and run that again: {text}"
        )
    elif "library version" in text:
        told = f"{_SQLITE_FAULTS['version']}: {text}"
    return StoreError(f"{address.uri}: {told}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__


def _config(address: StoreAddress, write: bool) -> Any:
    from ml_metadata.proto import metadata_store_pb2

    pb: Any = metadata_store_pb2
    if address.kind == "grpc":
        return _grpc_config(address, _GRPC_CALL_SECONDS)
    config = pb.ConnectionConfig()
    if address.kind == "sqlite":
        modes = pb.SqliteMetadataSourceConfig
        config.sqlite.filename_uri = address.path
        config.sqlite.connection_mode = modes.READWRITE_OPENCREATE if write else modes.READONLY
        return config
    mysql = config.mysql
    mysql.user, mysql.password, mysql.database = address.user, address.password, address.database
    # Exactly one of host and socket, or the process aborts.
    if address.kind == "socket":
        mysql.socket = address.path
    else:
        mysql.host, mysql.port = address.host, address.port
    return config


def _grpc_config(address: StoreAddress, seconds: float) -> Any:
    from ml_metadata.proto import metadata_store_pb2

    pb: Any = metadata_store_pb2
    config = pb.MetadataStoreClientConfig()
    config.host, config.port, config.client_timeout_sec = address.host, address.port, seconds
    config.channel_arguments.max_receive_message_length = -1
    return config


@contextmanager
def file_lock(address: StoreAddress, write: bool) -> Iterator[None]:
    """Hold the lock file beside an SQLite store, alone or with other readers. Raises StoreError."""
    try:
        if write:
            os.makedirs(os.path.dirname(address.path), exist_ok=True)
        # A reader leaves no lock file where no writer has, and may come where it cannot write.
        lock = os.open(address.path + ".lock", os.O_CREAT | os.O_RDWR if write else os.O_RDONLY, 0o666)
    except OSError as error:
        if not write:
            yield
            return
        raise StoreError(
            f"{address.uri}: {error.strerror}: {error.filename}; the folder must be writable for the file and its lock"
        ) from None
    try:
        _acquire(lock, fcntl.LOCK_EX if write else fcntl.LOCK_SH, address)
        yield
    finally:
        os.close(lock)


def _acquire(lock: int, kind: int, address: StoreAddress) -> None:
    """Take the lock. A writer leaves its mark in the file, so that who waits sees a queue that moves, however long."""
    holder, deadline = b"", 0.0
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
            if kind == fcntl.LOCK_EX:
                os.pwrite(lock, f"{os.getpid():>10} {time.monotonic_ns():>20}\n".encode(), 0)
            return
        except BlockingIOError:
            found = os.pread(lock, 32, 0)
            if found != holder or not deadline:
                holder, deadline = found, time.monotonic() + _LOCK_SECONDS
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{address.uri}: another process of this package has locked the store for {_LOCK_SECONDS:.0f} s "
                    f"(see `fuser {address.path}.lock`); try again when it is done"
                ) from None
            time.sleep(0.01)


def _probe_sqlite(address: StoreAddress, write: bool) -> None:
    if os.path.isdir(address.path):
        raise StoreError(f"{address.uri}: is a folder; give a file")
    mode = "write" if write else "read"
    command = [sys.executable, "-I", "-S", sqlite_probe.__file__, address.path, mode, str(_PROBE_SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    fault = done.stdout.strip()
    name = fault.split(" ")[0]
    if not fault or (name == "empty" and write):
        return
    if "locked" in fault:
        told = f"another program has locked the file (see `fuser {address.path}`); end it, then try again"
    elif name in _SQLITE_FAULTS:
        told = _SQLITE_FAULTS[name]
    else:
        told = f"SQLite cannot use the file: {fault.removeprefix('error ')}; give another path"
    raise StoreError(f"{address.uri}: {told}")


def _probe_grpc(address: StoreAddress) -> None:
    """Connect and make one call, both with a short time limit."""
    from ml_metadata import MetadataStore, errors

    try:
        socket.create_connection((address.host, address.port), _GRPC_PROBE_SECONDS).close()
    except OSError as error:
        known = "the host is not known; check its name" if isinstance(error, socket.gaierror) else error.strerror
        reason = known or "no answer"
        raise StoreError(
            f"{address.uri}: {reason}: is `python -m beam_taxi.metadata.server` or another server of ML Metadata there?"
        ) from None
    try:
        MetadataStore(_grpc_config(address, _GRPC_PROBE_SECONDS)).get_context_type("pipeline")
    except errors.NotFoundError:
        return
    except errors.StatusError as error:
        raise StoreError(
            f"{address.uri}: what listens there does not answer as a server of ML Metadata: {_one_line(error)}; "
            "check host and port"
        ) from None
