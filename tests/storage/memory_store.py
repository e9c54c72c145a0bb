"""An object store in memory that Beam's FileSystems reach by `memory://`: Beam finds its file systems by subclass."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem


class MemoryStore(FileSystem):
    """Objects by URI, each with the number of the write that made it as its time of change."""

    objects: dict[str, tuple[bytes, float]] = {}  # noqa: RUF012 - Beam makes an instance for each call
    writes = 0

    @classmethod
    def scheme(cls) -> str:
        return "memory"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        folder, _, name = path.rpartition("/")
        return folder, name

    def has_dirs(self) -> bool:
        return False

    def mkdirs(self, path: str) -> None:
        raise NotImplementedError

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for uri in sorted(self.objects):
            if uri.startswith(dir_or_prefix):
                yield self.metadata(uri)

    def create(self, path: str, *_: Any, **__: Any) -> io.BytesIO:
        return _Upload(lambda content: self._write(path, content))

    def _write(self, path: str, content: bytes) -> None:
        MemoryStore.writes += 1
        self.objects[path] = (content, float(self.writes))

    def open(self, path: str, *_: Any, **__: Any) -> io.BytesIO:
        return io.BytesIO(self._object(path)[0])

    def exists(self, path: str) -> bool:
        return path in self.objects

    def size(self, path: str) -> int:
        return len(self._object(path)[0])

    def last_updated(self, path: str) -> float:
        return self._object(path)[1]

    def metadata(self, path: str) -> FileMetadata:
        content, updated = self._object(path)
        return FileMetadata(path, len(content), updated)

    def _object(self, path: str) -> tuple[bytes, float]:
        if path not in self.objects:
            raise BeamIOError("Open failed", {path: FileNotFoundError(path)})
        return self.objects[path]

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            self.objects.pop(path, None)

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise NotImplementedError

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise NotImplementedError


class _Upload(io.BytesIO):
    def __init__(self, done: Callable[[bytes], None]) -> None:
        super().__init__()
        self._done = done

    def close(self) -> None:
        if not self.closed:
            self._done(self.getvalue())
        super().close()
