"""The files of a unit: a shard for each split, and its rejects."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.folder import EXAMPLES, REJECTS, RunFolder, rejects_path, shard_path
from beam_taxi.run.manifest import Artifact, ArtifactFile
from beam_taxi.settings import Settings
from beam_taxi.sources.source import Reject
from beam_taxi.tfexample.batches import filter_rows
from beam_taxi.tfexample.formats import ShardWriter, format_of


class UnitFiles:
    """The files of unit `index` of `count`. They appear, complete, when the block ends without an exception.

    `columns` has names and types of the columns, for a format that stores them even if there are no rows.
    """

    def __init__(self, settings: Settings, index: int, count: int, columns: pa.Schema) -> None:
        self._folder = RunFolder(settings.run_uri)
        self._splits = [split.name for split in settings.splits] if settings.examples else []
        self._paths = [shard_path(name, index, count, settings.example_format) for name in self._splits]
        self._open = partial(format_of(settings.example_format).open, columns=columns, level=settings.gzip_level)
        self._rejects_path = rejects_path(index, count)
        self._stack = ExitStack()
        self._shards: list[ShardWriter] = []
        self._rejects: _RejectFile | None = None

    def __enter__(self) -> UnitFiles:
        with ExitStack() as stack:
            for index, path in enumerate(self._paths):
                publish = self._folder.publish(f"{EXAMPLES}/{path}", partial(self._adopt, index))
                writer = self._open(stack.enter_context(publish))
                # The writer is closed before its file appears.
                stack.push(partial(_close_if_whole, writer))
                self._shards.append(writer)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _adopt(self, index: int, existing: BinaryIO) -> bool:
        """Return whether a shard that is there already holds the same records; it is kept then."""
        return self._shards[index].adopt(existing)

    def write_rows(self, rows: pa.BinaryArray | pa.RecordBatch, splits: npt.NDArray[np.uint8]) -> None:
        """Append TFRecord frames, or columns, as the format takes them, to the shards of their splits."""
        for index, shard in enumerate(self._shards):
            shard.write(filter_rows(rows, splits == index))

    def write_rejects(self, rejects: Sequence[Reject]) -> None:
        """Append rejects as JSON lines. A unit without rejects has no such file."""
        if self._rejects is None:
            file = self._stack.enter_context(self._folder.publish(f"{REJECTS}/{self._rejects_path}"))
            self._rejects = _RejectFile(file)
        self._rejects.write(rejects)

    def artifacts(self) -> list[Artifact]:
        """Return what was written, as parts of artifacts."""
        found = []
        if self._shards:
            files = (
                ArtifactFile(
                    path,
                    shard.bytes_written,
                    shard.sha256.hexdigest(),
                    split,
                    shard.records,
                    None if shard.content_sha256 is None else shard.content_sha256.hexdigest(),
                )
                for path, shard, split in zip(self._paths, self._shards, self._splits, strict=True)
            )
            found.append(Artifact(EXAMPLES, "Examples", tuple(files)))
        if self._rejects is not None:
            one = self._rejects
            file = ArtifactFile(self._rejects_path, one.bytes, one.sha256.hexdigest(), rows=one.rows)
            found.append(Artifact(REJECTS, "Rejects", (file,)))
        return found


def _close_if_whole(
    writer: ShardWriter,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
) -> None:
    if error is None:
        writer.close()


class _RejectFile:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.bytes = self.rows = 0

    def write(self, rejects: Sequence[Reject]) -> None:
        for line in (reject.to_json_line() for reject in rejects):
            self._file.write(line)
            self.sha256.update(line)
            self.bytes += len(line)
            self.rows += 1
