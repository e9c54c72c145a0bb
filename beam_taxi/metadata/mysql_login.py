"""A login at a MySQL server, to learn why one fails.

ML Metadata's client says `mysql_real_connect failed: errno: , error:` for every fault, hangs for over a minute on a
silent peer, and may crash in the call after it. So this logs in first, with a time limit, and logs out again. Packets:
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
"""

from __future__ import annotations

import hashlib
import socket
from contextlib import suppress

from beam_taxi.metadata.address import StoreAddress, StoreError

_SECONDS = 4.0
_CAPABILITIES = 0x1 | 0x200 | 0x8000 | 0x80000  # long password, protocol 4.1, secure connection, plugin auth
_NATIVE = "mysql_native_password"
_ADVICE = {
    1045: "check the user, and the password in BEAM_TAXI_METADATA_PASSWORD or --metadata_password_file; "
    "and that the server requires no TLS, which this client has not",
    1044: "grant the user all rights on the database",
    1130: "allow the user to come from this host: CREATE USER name@'%'",
    1698: f"let the user log in by password: ALTER USER ... IDENTIFIED VIA {_NATIVE} USING PASSWORD('...')",
    3159: "the server wants TLS, which this client has not: use an SSH tunnel or the Cloud SQL Auth Proxy",
    1040: "the server has too many connections: try again later",
}


def check_login(address: StoreAddress) -> None:
    """Log in and out. Raises StoreError with what is wrong and what to do, after at most some seconds."""
    try:
        with _connect(address) as peer:
            _log_in(peer, address)
    except TimeoutError:
        raise StoreError(
            f"{address.uri}: no answer in {_SECONDS:.0f} s: is it a MySQL server, and is no firewall between?"
        ) from None
    except socket.gaierror as error:
        raise StoreError(f"{address.uri}: the host is not known: {error.strerror}; check its name") from None
    except OSError as error:
        where = address.path or f"{address.host}:{address.port}"
        raise StoreError(
            f"{address.uri}: {error.strerror or error}: is the server up, and is {where} where it listens?"
        ) from None


def _connect(address: StoreAddress) -> socket.socket:
    if address.kind == "mysql":
        return socket.create_connection((address.host, address.port), _SECONDS)
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(_SECONDS)
    try:
        peer.connect(address.path)
    except OSError:
        peer.close()
        raise
    return peer


def _log_in(peer: socket.socket, address: StoreAddress) -> None:
    number, greeting = _receive(peer, address)
    _refuse_error(greeting, address)
    if greeting[0] != 10:
        raise StoreError(f"{address.uri}: what answers there is not a MySQL server; check host and port")
    _, rest = greeting[1:].split(b"\0", 1)
    # After the version: connection id 4, salt 8, filler 1, flags 2, character set 1, status 2, flags 2, length 1, 10.
    salt = rest[4:12] + rest[31:43]
    reply = _CAPABILITIES.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x21" + bytes(23)
    scramble = _scramble(address.password, salt)
    reply += address.user.encode() + b"\0" + bytes([len(scramble)]) + scramble + _NATIVE.encode() + b"\0"
    _send(peer, number + 1, reply)
    number, answer = _receive(peer, address)
    if answer[0] == 0xFE:
        plugin, _, data = answer[1:].partition(b"\0")
        if plugin.decode("ascii", "replace") != _NATIVE:
            raise StoreError(
                f"{address.uri}: user {address.user!r} logs in by {plugin.decode('ascii', 'replace')}, and ML Metadata "
                f"by {_NATIVE} alone: ALTER USER {address.user!r} to that plugin"
            )
        _send(peer, number + 1, _scramble(address.password, data[:20]))
        number, answer = _receive(peer, address)
    _refuse_error(answer, address)
    # COM_QUIT, so that the server does not count an aborted connection.
    with suppress(OSError):
        _send(peer, 0, b"\x01")


def _scramble(password: str, salt: bytes) -> bytes:
    if not password:
        return b""
    first = hashlib.sha1(password.encode()).digest()
    mask = hashlib.sha1(salt + hashlib.sha1(first).digest()).digest()
    return bytes(a ^ b for a, b in zip(first, mask, strict=True))


def _send(peer: socket.socket, number: int, payload: bytes) -> None:
    peer.sendall(len(payload).to_bytes(3, "little") + bytes([number]) + payload)


def _receive(peer: socket.socket, address: StoreAddress) -> tuple[int, bytes]:
    head = _exactly(peer, 4, address)
    size = int.from_bytes(head[:3], "little")
    if not 0 < size < 1 << 16:
        raise StoreError(f"{address.uri}: what answers there is not a MySQL server; check host and port")
    return head[3], _exactly(peer, size, address)


def _exactly(peer: socket.socket, size: int, address: StoreAddress) -> bytes:
    data = b""
    while len(data) < size:
        part = peer.recv(size - len(data))
        if not part:
            raise StoreError(f"{address.uri}: the peer hung up: is it a MySQL server, and may this host connect?")
        data += part
    return data


def _refuse_error(packet: bytes, address: StoreAddress) -> None:
    if packet[0] != 0xFF:
        return
    code = int.from_bytes(packet[1:3], "little")
    text = packet[3:].decode("utf-8", "replace")
    text = text[6:] if text.startswith("#") else text
    advice = _ADVICE.get(code, "see the server's manual for this number")
    raise StoreError(f"{address.uri}: the server says: {text} (error {code}); {advice}")
