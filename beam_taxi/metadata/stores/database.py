"""A MetadataStore on a database, whose calls have a time limit."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

from ml_metadata import MetadataStore, errors
from ml_metadata.metadata_store.pywrap import metadata_store_extension

from beam_taxi.metadata.mlmd import ConnectionConfig
from beam_taxi.metadata.stores import database_calls

_EXIT_SECONDS = 1.0


class Database(MetadataStore):
    """A MetadataStore that leaves the calls of ML Metadata's library to a process of its own: see `database_calls`.

    A call that takes longer than `seconds` raises DeadlineExceededError, and ends that process; Ctrl-C interrupts it at
    once. If the process dies, the call raises InternalError. After any of these it can only be closed. The constructor
    raises OSError if the process cannot be started.
    """

    def __init__(self, config: ConnectionConfig, seconds: float) -> None:
        # What the base class needs for its calls: its own constructor would connect in this process.
        self._max_num_retries = 5
        self._using_db_connection = True
        self._seconds = seconds
        self._is_busy = False
        self._peer, theirs = socket.socketpair()
        # Apache Beam sets a default timeout, which would leave the other process a socket that does not block.
        theirs.settimeout(None)
        command = [sys.executable, "-I", "-S", database_calls.__file__, metadata_store_extension.__file__]
        self._peer.settimeout(seconds)
        with theirs:
            self._process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL)
        try:
            # The configuration has the password, so it is not in the command.
            self._ask(database_calls.CONNECT, config.SerializeToString())
        except BaseException:
            self.close()
            raise

    def _call_method(self, method_name: str, request: Any, response: Any) -> None:
        response.ParseFromString(self._ask(method_name, request.SerializeToString()))

    def _ask(self, name: str, content: bytes) -> bytes:
        self._is_busy = True
        try:
            database_calls.send(self._peer, name.encode())
            database_calls.send(self._peer, content)
            status, answer = database_calls.receive(self._peer)
        except TimeoutError as error:
            text = f"no answer within {self._seconds:.0f} s"
            raise errors.make_exception(text, errors.DEADLINE_EXCEEDED) from error
        except (EOFError, OSError) as error:
            raise errors.make_exception(f"ML Metadata's library crashed: {self._end()}", errors.INTERNAL) from error
        self._is_busy = False
        if status == database_calls.FAILED:
            raise RuntimeError(answer.decode(errors="replace"))
        if status:
            raise errors.make_exception(answer.decode(errors="replace"), status)
        return answer

    def close(self) -> None:
        """End the connection, and a call that has not ended."""
        self._peer.close()
        if self._is_busy:
            self._process.kill()
        self._end()

    def _end(self) -> str:
        """Wait a moment for the end of the process, and return how it ended: one in a system call cannot be killed."""
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(_EXIT_SECONDS)
            return f"exit status {status}"
        return "it does not end"
