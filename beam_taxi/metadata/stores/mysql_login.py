"""Log in to a MySQL server, to find out why a login fails.

ML Metadata's client says `mysql_real_connect failed: errno: , error:` for every fault, hangs for over a minute on a
silent peer, and may crash in the next call. So PyMySQL logs in first, with a time limit, and logs out again.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymysql import InternalError, MySQLError
from pymysql.connections import Connection
from pymysql.constants import CR

from beam_taxi.metadata.stores.base import StoreError

_SECONDS = 4.0
_NATIVE = "mysql_native_password"
_PROTOCOL = 10
_NOT_MYSQL = "what answers there is not a MySQL server; check host and port"
_LAST_TABLE = "MLMDEnv"
_TABLES = {
    *("Type", "ParentType", "TypeProperty", "Artifact", "ArtifactProperty", "Execution", "ExecutionProperty"),
    *("Event", "EventPath", "Context", "ParentContext", "ContextProperty", "Association", "Attribution", _LAST_TABLE),
}
_PRIMARY_KEYS_DEMANDED = (
    "SHOW VARIABLES WHERE Variable_name IN ('innodb_force_primary_key', 'sql_require_primary_key') AND Value = 'ON'"
)
"""MariaDB has the first, MySQL the second."""

_ADVICE = {
    1045: "check the user, and the password in BEAM_TAXI_METADATA_PASSWORD or --metadata_password_file; "
    "and that the server does not require TLS, which this client does not support",
    1044: "grant the user all rights on the database",
    1130: "allow the user to connect from this host: CREATE USER name@'%'",
    1698: f"let the user log in by password: ALTER USER ... IDENTIFIED VIA {_NATIVE} USING PASSWORD('...')",
    3159: "the server requires TLS, which this client does not support: use an SSH tunnel or the Cloud SQL Auth Proxy",
    1040: "the server has too many connections: try again later",
}


def check_login(
    uri: str, endpoint: tuple[str, int] | str, user: str, password: str, database: str | None = None
) -> None:
    """Log in to a server and out again, and check that ML Metadata can create its tables in a database, if it is given.

    `endpoint` is a host and port, or a socket's path; `uri` is for messages. Raises StoreError, which says what is
    wrong and what to do, within a few seconds.
    """
    with _logged_in(uri, endpoint, user, password) as connection:
        if database is not None:
            _check_tables(connection, uri, database)


@contextmanager
def _logged_in(uri: str, endpoint: tuple[str, int] | str, user: str, password: str) -> Iterator[Connection]:
    host, port = (None, 0) if isinstance(endpoint, str) else endpoint
    try:
        with _NativeConnection(
            host=host,
            port=port,
            unix_socket=endpoint if host is None else None,
            user=user,
            password=password.encode(),
            # Like ML Metadata's client, which has no TLS.
            ssl_disabled=True,
            autocommit=None,
            connect_timeout=_SECONDS,
            read_timeout=_SECONDS,
            write_timeout=_SECONDS,
        ) as connection:
            yield connection
    except _OtherPluginError as error:
        raise StoreError(
            f"{uri}: user {user!r} logs in by {error.plugin}, and ML Metadata by {_NATIVE} alone: "
            f"ALTER USER {user!r} to that plugin"
        ) from error
    except MySQLError as error:
        raise StoreError(f"{uri}: {_explain(error, endpoint)}") from error
    except (struct.error, IndexError, ValueError) as error:
        raise StoreError(f"{uri}: {_NOT_MYSQL}") from error


def _check_tables(connection: Connection, uri: str, database: str) -> None:
    """Raise StoreError if the server would stop ML Metadata halfway while it creates its tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", (database,))
        present = _TABLES & {name for (name,) in cursor.fetchall()}
        if _LAST_TABLE in present:
            return
        cursor.execute(_PRIMARY_KEYS_DEMANDED)
        demand = cursor.fetchone()
    if demand is None:
        return
    drop = f"drop what an earlier attempt has left ({', '.join(sorted(present))}), and " if present else ""
    raise StoreError(
        f"{uri}: the server demands primary keys ({demand[0]}=ON), and ML Metadata's table EventPath has none: {drop}"
        f"set {demand[0]}=OFF until `python -m beam_taxi runs init` has created the tables"
    )


class _OtherPluginError(Exception):
    """The server requires an authentication plugin that ML Metadata does not have."""

    def __init__(self, plugin: str) -> None:
        super().__init__(plugin)
        self.plugin = plugin


class _NativeConnection(Connection):
    """A connection that logs in as ML Metadata's client does, with mysql_native_password only.

    PyMySQL would switch to any plugin that the server requests, such as MySQL 8's caching_sha2_password.
    """

    def _get_server_information(self) -> None:
        super()._get_server_information()
        if self.protocol_version != _PROTOCOL:
            raise InternalError(f"protocol version {self.protocol_version}")
        self._auth_plugin_name = _NATIVE

    def _process_auth(self, plugin_name: bytes, *rest: Any) -> Any:
        if plugin_name != _NATIVE.encode():
            raise _OtherPluginError(plugin_name.decode("ascii", "replace"))
        return super()._process_auth(plugin_name, *rest)


def _explain(error: MySQLError, endpoint: tuple[str, int] | str) -> str:
    """Return what is wrong and what to do."""
    code, text = (*error.args, "", "")[:2]
    cause = _system_error(error, str(text))
    if isinstance(cause, TimeoutError):
        return f"no answer in {_SECONDS:.0f} s: is it a MySQL server, and does a firewall block it?"
    if isinstance(cause, socket.gaierror):
        return f"host not found: {cause.strerror}; check its name"
    if cause is not None:
        place = endpoint if isinstance(endpoint, str) else f"{endpoint[0]}:{endpoint[1]}"
        return f"{cause.strerror or cause}: is the server up, and does it listen at {place}?"
    if code == CR.CR_SERVER_LOST:
        return "the peer hung up: is it a MySQL server, and may this host connect?"
    if not isinstance(code, int) or CR.CR_ERROR_FIRST <= code <= CR.CR_ERROR_LAST:
        return _NOT_MYSQL
    advice = _ADVICE.get(code, "see the server's manual for this number")
    return f"the server says: {text} (error {code}); {advice}"


def _system_error(error: MySQLError, text: str) -> OSError | None:
    """Return the operating system's error that caused PyMySQL's error, or None.

    PyMySQL's text ends with it, which distinguishes it from an error that the caller of this module was handling.
    """
    cause = error.__context__
    if isinstance(cause, OSError) and text.endswith((f"({cause})", f"({cause!r})")):
        return cause
    return None
