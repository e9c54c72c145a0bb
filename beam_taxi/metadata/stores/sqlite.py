"""An SQLite file on this machine, and the lock file next to it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

from beam_taxi.metadata.mlmd import ConnectionConfig
from beam_taxi.metadata.stores import sqlite_probe
from beam_taxi.metadata.stores.base import OTHER_VERSION, StoreAddress, StoreError

_PREFIX = "sqlite:///"
_LOCK_SECONDS = 6.0
_PROBE_SECONDS = 3.0
_FAULTS = {
    "missing": "the file does not exist; a run with this --metadata_store, or `python -m beam_taxi runs init`, "
    "creates it",
    "empty": "the file has no ML Metadata in it",
    "readonly": "the file cannot be written; give yourself write permission, or choose another store",
    "foreign": "the SQLite file belongs to another program; choose another path",
    "version": OTHER_VERSION,
}


@dataclass(frozen=True)
class SqliteStore(StoreAddress):
    """An SQLite file at an absolute `path`. Writers queue, since ML Metadata gives up on a busy file."""

    form = "sqlite:///PATH"
    is_local = True

    path: str

    @classmethod
    def parse(cls, uri: str, parts: SplitResult, password_file: str | None) -> SqliteStore | None:
        """Return the store of `sqlite:///PATH`; the path may be relative, and may contain any characters."""
        path = uri.removeprefix(_PREFIX)
        return cls(uri, os.path.abspath(path)) if path and path != uri else None

    @property
    def absolute_uri(self) -> str:
        """The URI with an absolute path."""
        return _PREFIX + self.path

    def fault(self) -> str:
        """Return why the file cannot be written or created; empty if it can."""
        folder = os.path.dirname(self.path)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if os.access(folder, os.W_OK | os.X_OK):
            return ""
        return f"--metadata_store {self.uri}: {folder} cannot be written; choose another path"

    def probe(self, write: bool) -> None:
        """Inspect the file in a separate process. Raises StoreError."""
        if os.path.isdir(self.path):
            raise StoreError(f"{self.uri}: is a folder; a file is needed")
        mode = "write" if write else "read"
        command = [sys.executable, "-I", "-S", sqlite_probe.__file__, self.path, mode, str(_PROBE_SECONDS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        fault = done.stdout.strip()
        name = fault.split(" ")[0]
        if not fault or (name == "empty" and write):
            return
        if "locked" in fault:
            advice = f"another program has locked the file (see `fuser {self.path}`); end it, then try again"
        elif name in _FAULTS:
            advice = _FAULTS[name]
        else:
            advice = f"SQLite cannot use the file: {fault.removeprefix('error ')}; choose another path"
        raise StoreError(f"{self.uri}: {advice}")

    def config(self, write: bool) -> ConnectionConfig:
        """Return the configuration of the connection; a reader never creates the file."""
        from ml_metadata.proto import metadata_store_pb2

        pb: Any = metadata_store_pb2
        config, modes = pb.ConnectionConfig(), pb.SqliteMetadataSourceConfig
        config.sqlite.filename_uri = self.path
        config.sqlite.connection_mode = modes.READWRITE_OPENCREATE if write else modes.READONLY
        return config

    @contextmanager
    def lock(self, write: bool) -> Iterator[None]:
        """Hold the lock file beside the store, exclusively or with other readers. Raises StoreError."""
        try:
            if write:
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
            # A reader may lack write permission, so it does not create the lock file if no writer has.
            lock = os.open(self.path + ".lock", os.O_CREAT | os.O_RDWR if write else os.O_RDONLY, 0o666)
        except OSError as error:
            if not write:
                yield
                return
            advice = "the folder must be writable for the file and its lock"
            raise StoreError(f"{self.uri}: {error.strerror}: {error.filename}; {advice}") from error
        try:
            self._acquire(lock, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
            yield
        finally:
            os.close(lock)

    def _acquire(self, lock: int, operation: int) -> None:
        """Acquire the lock. A writer leaves a mark in the lock file, so that waiting processes see the queue move."""
        holder, deadline = b"", 0.0
        while True:
            try:
                fcntl.flock(lock, operation | fcntl.LOCK_NB)
                if operation == fcntl.LOCK_EX:
                    os.pwrite(lock, f"{os.getpid():>10} {time.monotonic_ns():>20}\n".encode(), 0)
                return
            except BlockingIOError as error:
                mark = os.pread(lock, 32, 0)
                if mark != holder or not deadline:
                    holder, deadline = mark, time.monotonic() + _LOCK_SECONDS
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"{self.uri}: another process of this package has locked the store for {_LOCK_SECONDS:.0f} s "
                        f"(see `fuser {self.path}.lock`); try again when it is done"
                    ) from error
                time.sleep(0.01)
