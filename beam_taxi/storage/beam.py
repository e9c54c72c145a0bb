"""Files of every scheme that Beam knows (`s3://`, `hdfs://`, …), through its FileSystems."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from beam_taxi.errors import StorageError
from beam_taxi.storage.base import InputFile, RemoteFileSystem

_CHUNK_BYTES = 1 << 20


class BeamFileSystem(RemoteFileSystem):
    """The file systems that are registered with Beam. Their errors become one-line StorageErrors."""

    def match(self, pattern: str) -> list[InputFile]:
        """Return the files that match `pattern`."""
        with _translated_errors(pattern):
            found = FileSystems.match([pattern])[0].metadata_list
        files = [InputFile(m.path, m.size_in_bytes, m.last_updated_in_seconds or 0.0) for m in found]
        return sorted(files, key=lambda file: file.uri)

    def exists(self, uri: str) -> bool:
        """Return whether a file exists, or any file below it."""
        with _translated_errors(uri):
            return any(result.metadata_list for result in FileSystems.match([uri, uri + "/**"], [1, 1]))

    def open(self, uri: str) -> BinaryIO:
        """Open a file for reading, without decompression."""
        with _translated_errors(uri):
            return cast(BinaryIO, FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED))

    def _upload(self, uri: str, file: BinaryIO) -> None:
        file.seek(0)
        with (
            _translated_errors(uri),
            FileSystems.create(uri, compression_type=CompressionTypes.UNCOMPRESSED) as target,
        ):
            shutil.copyfileobj(file, target, _CHUNK_BYTES)


@contextmanager
def _translated_errors(uri: str) -> Iterator[None]:
    """Turn what Beam raises (ValueError for an unknown scheme, BeamIOError, OSError) into a StorageError."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise StorageError(f"{uri}: {' '.join(str(error).split())[:300]}") from error
