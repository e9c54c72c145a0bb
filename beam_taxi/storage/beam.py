"""Files of every scheme that Beam knows (`s3://`, `hdfs://`, …), through its FileSystems."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes, FileMetadata
from apache_beam.io.filesystems import FileSystems

from beam_taxi.errors import StorageError, UsageError, one_line
from beam_taxi.storage.base import InputFile, RemoteFileSystem

_CHUNK_BYTES = 1 << 20


class BeamFileSystem(RemoteFileSystem):
    """The file systems that are registered with Beam. Their errors become one-line StorageErrors."""

    def check_uri(self, uri: str) -> None:
        """Raise UsageError if Beam has no file system for the scheme, or not the settings that it needs."""
        scheme, _, path = uri.partition("://")
        try:
            FileSystems.get_filesystem(uri)
        except Exception as error:
            fault = f"{uri}: Beam cannot use {scheme}:// here: {' '.join(str(error).split())[:200]}"
            raise UsageError(f"{fault}; use a local path or gs://BUCKET/…") from error
        if not path.strip("/"):
            raise UsageError(f"{uri}: names no file or folder; is a variable unset?")

    def match(self, pattern: str) -> list[InputFile]:
        """Return the files that match `pattern`."""
        exact = self.stat(pattern)
        if exact is not None:
            return [exact]
        with _translated_errors(pattern):
            found = FileSystems.match([pattern])[0].metadata_list
        return sorted(map(_input_file, found), key=lambda file: file.uri)

    def match_below(self, pattern: str) -> list[InputFile]:
        """Return the files that match `pattern`, and all files below folders that match it."""
        found = {file.uri: file for one in (pattern, f"{pattern.rstrip('/')}/**") for file in self.match(one)}
        return [found[uri] for uri in sorted(found)]

    def stat(self, uri: str) -> InputFile | None:
        """Return the file with this name."""
        with _translated_errors(uri):
            files = FileSystems.get_filesystem(uri)
            return _input_file(files.metadata(uri)) if files.exists(uri) else None

    def exists(self, uri: str) -> bool:
        """Return whether a file exists, or any file below it."""
        with _translated_errors(uri):
            return any(result.metadata_list for result in FileSystems.match([uri, uri + "/**"], [1, 1]))

    def open(self, uri: str) -> BinaryIO:
        """Open a file for reading, without decompression."""
        with _translated_errors(uri):
            return cast(BinaryIO, FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED))

    def _names(self, run_uri: str) -> Iterator[str]:
        with _translated_errors(run_uri):
            for found in FileSystems.match([f"{run_uri}/**"])[0].metadata_list:
                yield found.path.removeprefix(f"{run_uri}/")

    def _upload(self, uri: str, file: BinaryIO) -> None:
        # Beam's file systems have no precondition, so there is a gap between this look and the upload.
        if self.stat(uri) is not None:
            raise FileExistsError(uri)
        file.seek(0)
        with (
            _translated_errors(uri),
            FileSystems.create(uri, compression_type=CompressionTypes.UNCOMPRESSED) as target,
        ):
            shutil.copyfileobj(file, target, _CHUNK_BYTES)

    def _delete(self, uri: str) -> None:
        with _translated_errors(uri):
            if FileSystems.exists(uri):
                FileSystems.delete([uri])


def _input_file(found: FileMetadata) -> InputFile:
    return InputFile(found.path, found.size_in_bytes, repr(found.last_updated_in_seconds or 0.0))


@contextmanager
def _translated_errors(uri: str) -> Iterator[None]:
    """Turn what Beam raises (ValueError for an unknown scheme, BeamIOError, OSError) into a StorageError."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise StorageError(f"{uri}: {one_line(error)}") from error
