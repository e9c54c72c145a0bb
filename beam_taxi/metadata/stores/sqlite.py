"""An SQLite file on this machine, and the lock file next to it."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import SplitResult

from beam_taxi.metadata import waiting
from beam_taxi.metadata.mlmd import ConnectionConfig
from beam_taxi.metadata.stores import sqlite_probe
from beam_taxi.metadata.stores.base import OTHER_VERSION, StoreAddress, StoreError
from beam_taxi.metadata.texts import storable

T = TypeVar("T")

_FOLDER = "the folder must be writable for the file and its lock"
_NO_LOCKS = "its file system has no locks, which SQLite needs; choose a path on another one, or a mysql:// store"
_LOCK_ADVICE = {
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOTSUP: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
    errno.EINVAL: _NO_LOCKS,
    errno.ENOSPC: "free some space, or choose a path on another disk",
    errno.EDQUOT: "free some space, or choose a path on another disk",
    errno.EROFS: "choose a path that can be written",
}
_NOT_UTF8 = "the path is not UTF-8, as ML Metadata requires; choose another path"
_PREFIX = "sqlite:///"
_LOCK_SECONDS = 6.0
_PROBE_SECONDS = 3.0
_SYSTEM_SECONDS = 6.0
"""For what takes no time, unless the file system hangs."""
_FAULTS = {
    "missing": "the file does not exist; a run with this --metadata_store, or `python -m beam_taxi runs init`, "
    "creates it",
    "empty": "the file has no ML Metadata in it",
    "readonly": "the file cannot be written; give yourself write permission, or choose another store",
    "half-made": "its schema is incomplete, since what created it was killed or failed; remove the file, then run "
    "`python -m beam_taxi runs init` with this --metadata_store",
    "foreign": "the SQLite file belongs to another program; choose another path",
    "version": OTHER_VERSION,
}


@dataclass(frozen=True)
class SqliteStore(StoreAddress):
    """An SQLite file at an absolute `path`. Writers queue, since ML Metadata gives up on a busy file."""

    form = "sqlite:///PATH"
    is_local = True
    suspect = "its file system"

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

    @property
    def may_have_runs(self) -> bool:
        """Whether the file exists, or may exist in a file system that hangs."""
        try:
            return self._in_time(lambda: os.path.lexists(self.path))
        except StoreError:
            return True

    def fault(self) -> str:
        """Return why the file cannot be written or created; empty if it can."""
        if storable(self.path) != self.path:
            return f"--metadata_store {storable(self.uri)}: {_NOT_UTF8}"
        try:
            folder = self._in_time(self._read_only_folder)
        except StoreError as error:
            return f"--metadata_store {error}"
        return f"--metadata_store {self.uri}: {folder} cannot be written; choose another path" if folder else ""

    def _read_only_folder(self) -> str:
        """Return the nearest folder above the file that exists, or nothing if it can be written."""
        folder = os.path.dirname(self.path)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        return "" if os.access(folder, os.W_OK | os.X_OK) else folder

    def probe(self, write: bool) -> None:
        """Inspect the file in a separate process. Raises StoreError."""
        if self._in_time(lambda: os.path.isdir(self.path)):
            raise StoreError(f"{self.uri}: is a folder; a file is needed")
        mode = "write" if write else "read"
        fault = self._inspect([sys.executable, "-I", "-S", sqlite_probe.__file__, self.path, mode, str(_PROBE_SECONDS)])
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

    def _inspect(self, command: list[str]) -> str:
        """Return what the probe prints. Raises StoreError if it cannot run, or hangs."""
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        try:
            process = subprocess.Popen(command, stdin=null, stdout=pipe, stderr=null)
        except OSError as error:
            raise StoreError(f"{self.uri}: cannot start a process to inspect it: {error.strerror}") from error
        try:
            out, _ = process.communicate(timeout=_SYSTEM_SECONDS)
        except subprocess.TimeoutExpired as error:
            # Without waiting for its end: a process that waits for a file system cannot be killed.
            process.kill()
            raise self._stuck() from error
        return out.decode(errors="replace").strip()

    def _in_time(self, work: Callable[[], T], undo: Callable[[T], object] = lambda _: None) -> T:
        """Return what system calls return. Raises StoreError if the file system hangs, and OSError."""
        try:
            return waiting.in_time(work, _SYSTEM_SECONDS, undo)
        except waiting.OutOfTimeError as error:
            raise self._stuck() from error

    def _stuck(self) -> StoreError:
        return StoreError(f"{self.uri}: cannot be read within {_SYSTEM_SECONDS:.0f} s: is {self.suspect} stuck?")

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
        if storable(self.path) != self.path:
            raise StoreError(f"{storable(self.uri)}: {_NOT_UTF8}")
        try:
            lock = self._in_time(lambda: self._open_lock(write), os.close)
        except OSError as error:
            if not write:
                yield
                return
            place = f"{error.strerror}: {error.filename}"
            raise StoreError(f"{self.uri}: {place}; {_LOCK_ADVICE.get(error.errno or 0, _FOLDER)}") from error
        try:
            self._acquire(lock, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
            yield
        finally:
            os.close(lock)

    def _open_lock(self, write: bool) -> int:
        """Return a descriptor of the lock file. Raises OSError."""
        if write:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
        # A reader may lack write permission, so it does not create the lock file if no writer has.
        return os.open(self.path + ".lock", os.O_CREAT | os.O_RDWR if write else os.O_RDONLY, 0o666)

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
            except OSError as error:
                advice = _LOCK_ADVICE.get(error.errno or 0, "choose another store")
                raise StoreError(f"{self.uri}: cannot lock {self.path}.lock: {error.strerror}; {advice}") from error
