"""Where an ML Metadata store is: one URI, and its password from the environment or a file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from beam_taxi.errors import UsageError

FORMS = (
    "sqlite:///PATH, mysql://USER@HOST:PORT/DATABASE, mysql+socket:///PATH/TO/SOCKET?user=USER&db=DATABASE, "
    "grpc://HOST:PORT or none"
)
PASSWORD_VARIABLE = "BEAM_TAXI_METADATA_PASSWORD"
_POSTGRESQL = (
    "PostgreSQL is refused: ML Metadata's client fails there on every backslash, has no TLS, and leaves duplicate "
    "types when two processes begin at once; use mysql://, or grpc:// to a server of your own"
)


class StoreError(UsageError):
    """The store cannot be used: it is away, it refuses, or it is no store; what to do stands in the message."""


@dataclass(frozen=True)
class StoreAddress:
    """A store: `kind` is sqlite, mysql, socket or grpc; `path` is that of the file or the socket.

    The password is in no text that comes out of here: neither `uri` nor the repr has it.
    """

    uri: str
    kind: str
    path: str = ""
    host: str = ""
    port: int = 0
    user: str = ""
    database: str = ""
    password: str = field(default="", repr=False)


def without_password(uri: str) -> str:
    """Return `uri` as it may be shown."""
    hidden = re.sub(r"(://[^:/@?]*):.*@", r"\1:***@", uri)
    return re.sub(r"((?:password|passwd|pwd)=)[^&]*", r"\1***", hidden, flags=re.I)


def parse_address(uri: str, password_file: str | None = None) -> StoreAddress | None:
    """Return the store that a URI names, None for `none`. Raises UsageError."""
    shown = without_password(uri)
    if uri == "none":
        return None
    if shown != uri:
        raise UsageError(
            f"--metadata_store {shown}: a password in a command line is seen by everyone on the machine; "
            f"put it in {PASSWORD_VARIABLE} or in a file for --metadata_password_file"
        )
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--metadata_store {shown}: {error}; give {FORMS}") from None
    scheme = parts.scheme.lower()
    if scheme.startswith("postgres"):
        raise UsageError(f"--metadata_store {shown}: {_POSTGRESQL}")
    if scheme == "sqlite" and uri.startswith("sqlite:///") and len(uri) > len("sqlite:///"):
        return StoreAddress(uri, "sqlite", path=os.path.abspath(uri.removeprefix("sqlite:///")))
    if scheme == "grpc" and parts.hostname and port and not parts.path.strip("/"):
        return StoreAddress(uri, "grpc", host=parts.hostname, port=port)
    address = _mysql(uri, parts, port)
    if address is None:
        raise UsageError(f"--metadata_store {shown}: give {FORMS}")
    return StoreAddress(**{**vars(address), "password": _password(password_file)})


def _mysql(uri: str, parts: SplitResult, port: int | None) -> StoreAddress | None:
    if parts.scheme == "mysql" and parts.hostname and parts.username and parts.path.strip("/") and not parts.query:
        # To the client library `localhost` means its default socket, whatever the port.
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
        database = unquote(parts.path.strip("/"))
        return StoreAddress(uri, "mysql", host=host, port=port or 3306, user=unquote(parts.username), database=database)
    if parts.scheme == "mysql+socket" and not parts.netloc and parts.path.startswith("/"):
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if query.keys() == {"user", "db"}:
            return StoreAddress(uri, "socket", path=unquote(parts.path), user=query["user"], database=query["db"])
    return None


def _password(password_file: str | None) -> str:
    if password_file is None:
        return os.environ.get(PASSWORD_VARIABLE, "")
    try:
        with open(password_file, encoding="utf-8") as file:
            return file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise UsageError(f"--metadata_password_file {password_file}: cannot be read: {reason}") from None
