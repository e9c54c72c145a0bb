"""The interface of a store, and what several kinds of stores share."""

from __future__ import annotations

import os
import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import SplitResult

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata.mlmd import ConnectionConfig, MetadataStore
from beam_taxi.metadata.texts import shorten

PASSWORD_VARIABLE = "BEAM_TAXI_METADATA_PASSWORD"
OTHER_VERSION = (
    "the store has another schema version than this ml-metadata (10): use the ml-metadata that created it, or "
    "upgrade a copy of it"
)
_SECRET = re.compile(r"gs://|projects/[^/]+/secrets/[^/]+/versions/[^/]+$")
_SECONDS = 3.0
_MESSAGE_CHARACTERS = 1_000


class StoreError(UsageError):
    """The store cannot be used: it is unreachable, denies access, or is not a store. The message says what to do."""


class StoreStalled(StoreError):
    """The store did not answer in time. Whether it has stored what the last call sent is not known."""


class StoreFailure(BeamTaxiError):
    """The store failed during an operation."""


@dataclass(frozen=True)
class StoreAddress(ABC):
    """The address of a store, and what depends on its kind.

    `uri` is as the user gave it and never contains a password; `host` is empty if the store is a file or a socket on
    this machine. `form` is shown in messages about an invalid URI.
    """

    form: ClassVar[str]
    is_local: ClassVar[bool] = False
    """Whether the store is a file or a socket on this machine, which workers elsewhere cannot reach."""
    can_be_served: ClassVar[bool] = True
    """Whether `beam_taxi.metadata.server` can serve it over gRPC."""
    suspect: ClassVar[str] = "the server, or a lock in its database,"
    """What may be stuck if the store does not answer."""

    uri: str
    host: str = field(default="", kw_only=True)

    @classmethod
    @abstractmethod
    def parse(cls, uri: str, parts: SplitResult, password_file: str | None) -> StoreAddress | None:
        """Return the store that a URI of this scheme names, or None if it does not match `form`. Raises UsageError."""

    @property
    def absolute_uri(self) -> str:
        """The URI for a process with another working directory."""
        return self.uri

    @abstractmethod
    def fault(self) -> str:
        """Return why the store cannot be reached, and what to do; empty if no fault is found.

        Returns within seconds, and does not import ml_metadata, which alone takes seconds.
        """

    @abstractmethod
    def probe(self, write: bool) -> None:
        """Check for faults on which ML Metadata would hang, crash or give no reason. Raises StoreError."""

    @abstractmethod
    def config(self, write: bool) -> ConnectionConfig:
        """Return the configuration of the connection for ml_metadata.MetadataStore."""

    def open(self, write: bool, seconds: float) -> MetadataStore:
        """Return an ml_metadata.MetadataStore whose calls take at most so many seconds; see `Database`.

        Raises StoreError, and whatever ML Metadata raises.
        """
        from beam_taxi.metadata.stores.database import Database

        try:
            return Database(self.config(write), seconds)
        except OSError as error:
            raise StoreError(f"{self.uri}: cannot start a process for its calls: {error.strerror}") from error

    def close(self, connection: MetadataStore) -> None:
        """Close what `open` has returned, even in the middle of a call."""
        connection.close()

    @property
    def may_have_runs(self) -> bool:
        """Whether the store can have runs: a file that does not exist yet cannot."""
        return True

    @contextmanager
    def lock(self, write: bool) -> Iterator[None]:
        """Keep other writers out during the block; most stores do that themselves. Raises StoreError."""
        yield


def connection_fault(uri: str, address: tuple[str, int] | str) -> str:
    """Return why nothing answers at a host and port, or at a socket's path; empty if something does."""
    try:
        if isinstance(address, str):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(_SECONDS)
                peer.connect(address)
        else:
            socket.create_connection(address, _SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        return f"--metadata_store {uri}: no answer: {reason}; is the server up, and its address right?"
    return ""


def read_password(password_file: str | None) -> str:
    """Return the password from a file, else from the environment, else an empty string. Raises UsageError.

    The file may be an object (gs://BUCKET/NAME) or a secret (projects/PROJECT/secrets/NAME/versions/VERSION), which
    workers elsewhere can read too.
    """
    if password_file is None:
        return os.environ.get(PASSWORD_VARIABLE, "")
    if _SECRET.match(password_file):
        from beam_taxi.metadata.secrets import read_secret

        return read_secret(password_file)
    try:
        with open(password_file, encoding="utf-8") as file:
            return file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise UsageError(f"--metadata_password_file {password_file}: cannot be read: {reason}") from error


def one_line(error: Exception) -> str:
    """Return the text of an error as one line; of a long one, such as a whole query, the beginning and the end."""
    # For MySQL, ML Metadata's `errno` is the text again.
    text = re.sub(r"errno: (.+), error: \1", r"\1", " ".join(str(error).split()))
    return shorten(text, _MESSAGE_CHARACTERS) or type(error).__name__
