"""Call ML Metadata's library for another process: `python -I -S database_calls.py LIBRARY`, with a socket as input.

The library keeps Python's lock during a call, and has no time limit: if a server or a file system hangs, only the end
of the process ends the call. A request is two frames, the name of a method and its serialized argument; the answer is
one, a status code with the serialized result or the text of the error.
"""

import os
import signal
import socket
import struct
import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

CONNECT = "CreateMetadataStore"
FAILED = -1
"""The status of a connection that failed; other errors have the codes of ML Metadata."""

_HEADER = struct.Struct(">iQ")
_LONGEST_CALL_SECONDS = 60
"""After this time even an orphan ends."""


def send(peer: socket.socket, content: bytes, status: int = 0) -> None:
    """Send a frame. Raises OSError."""
    peer.sendall(_HEADER.pack(status, len(content)) + content)


def receive(peer: socket.socket) -> tuple[int, bytes]:
    """Return the status and the content of a frame. Raises EOFError if the peer has gone, and OSError."""
    status, size = _HEADER.unpack(_receive(peer, _HEADER.size))
    return status, _receive(peer, size)


def _receive(peer: socket.socket, size: int) -> bytes:
    content = bytearray(size)
    rest = memoryview(content)
    while rest:
        count = peer.recv_into(rest)
        if not count:
            raise EOFError
        rest = rest[count:]
    return bytes(content)


def _serve(library: Any, peer: socket.socket) -> None:
    """Answer calls until the peer has gone. Raises EOFError and OSError."""
    store = None
    while True:
        name, content = receive(peer)[1].decode(), receive(peer)[1]
        signal.alarm(_LONGEST_CALL_SECONDS)
        if name == CONNECT:
            try:
                store = library.CreateMetadataStore(content, b"")
                status, answer = 0, b""
            except RuntimeError as error:
                status, answer = FAILED, str(error).encode()
        else:
            result, text, status = getattr(library, name)(store, content)
            answer = text if status else result
        signal.alarm(0)
        send(peer, answer, status)


def _load(path: str) -> Any:
    """Return the library alone: the package around it takes ten times as long."""
    spec = spec_from_file_location("metadata_store_extension", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.metadata_store


def main(path: str) -> None:
    """Answer the calls of the process at the other end of standard input until it has gone."""
    # A terminal and a supervisor signal whole groups of processes; when to end is for the other process to decide.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        _serve(_load(path), socket.socket(fileno=0))
    except (EOFError, OSError):
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
