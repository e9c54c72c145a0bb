"""A MySQL or MariaDB database, over TCP or a Unix socket."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote

from beam_taxi.metadata.mlmd import ConnectionConfig
from beam_taxi.metadata.stores.base import StoreAddress, connection_fault, read_password


@dataclass(frozen=True)
class _MySqlStore(StoreAddress):
    """A database, which ML Metadata creates if it does not exist; neither `uri` nor the repr contains the password."""

    user: str
    database: str
    password: str = field(repr=False)

    @property
    @abstractmethod
    def endpoint(self) -> tuple[str, int] | str:
        """Host and port, or the path of the socket."""

    def fault(self) -> str:
        """Return why nothing answers at host and port, or at the socket."""
        return connection_fault(self.uri, self.endpoint)

    def probe(self, write: bool) -> None:
        """Log in and out, and check that the server allows ML Metadata's tables. Raises StoreError."""
        from beam_taxi.metadata.stores.mysql_login import check_login

        check_login(self.uri, self.endpoint, self.user, self.password, self.database)

    def config(self, write: bool) -> ConnectionConfig:
        """Return the configuration of the connection."""
        from ml_metadata.proto import metadata_store_pb2

        pb: Any = metadata_store_pb2
        config = pb.ConnectionConfig()
        mysql = config.mysql
        mysql.user, mysql.password, mysql.database = self.user, self.password, self.database
        # Set exactly one of host and socket, or the process aborts.
        if isinstance(self.endpoint, str):
            mysql.socket = self.endpoint
        else:
            mysql.host, mysql.port = self.endpoint
        return config


@dataclass(frozen=True)
class MySqlStore(_MySqlStore):
    """A MySQL database over TCP."""

    form = "mysql://USER@HOST:PORT/DATABASE"

    port: int

    @classmethod
    def parse(cls, uri: str, parts: SplitResult, password_file: str | None) -> MySqlStore | None:
        """Return the store of `mysql://USER@HOST:PORT/DATABASE`; the default port is 3306."""
        database = unquote(parts.path.strip("/"))
        if not parts.hostname or not parts.username or not database or parts.query:
            return None
        # To the client library `localhost` means its default socket, whatever the port.
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
        password = read_password(password_file)
        return cls(uri, unquote(parts.username), database, password, parts.port or 3306, host=host)

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port


@dataclass(frozen=True)
class MySqlSocketStore(_MySqlStore):
    """A MySQL database over a Unix socket at `path`."""

    form = "mysql+socket:///PATH/TO/SOCKET?user=USER&db=DATABASE"
    is_local = True

    path: str

    @classmethod
    def parse(cls, uri: str, parts: SplitResult, password_file: str | None) -> MySqlSocketStore | None:
        """Return the store of `mysql+socket:///PATH/TO/SOCKET?user=USER&db=DATABASE`."""
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if parts.netloc or not parts.path.startswith("/") or query.keys() != {"user", "db"}:
            return None
        return cls(uri, query["user"], query["db"], read_password(password_file), unquote(parts.path))

    @property
    def endpoint(self) -> str:
        """The path of the socket."""
        return self.path
