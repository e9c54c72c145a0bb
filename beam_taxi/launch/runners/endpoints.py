"""Servers that a launch depends on: whether they answer, and whether they are on this machine."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from beam_taxi.errors import UsageError

SECONDS = 5.0
"""The time limit of an answer before a launch."""


def host_and_port(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, with or without a scheme; of several addresses the first.

    The host is empty if the address is not valid.
    """
    try:
        parts = urlsplit("//" + re.sub(r"^(\w+://)*", "", address).split(",")[0])
        return parts.hostname or "", parts.port or 0
    except ValueError:
        return "", 0


def is_here(host: str) -> bool:
    """Return whether the name always means this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def connect(address: str) -> None:
    """Raises UsageError if nothing answers at `HOST:PORT`."""
    host, port = host_and_port(address)
    if not host or not port:
        raise UsageError(f"{address!r} is not HOST:PORT")
    try:
        socket.create_connection((host, port), SECONDS).close()
    except OSError as error:
        raise UsageError(f"no answer at {host}:{port} ({error.strerror or error})") from error


def refuses(address: str) -> bool:
    """Return whether the host of `HOST:PORT` answers that nothing listens there."""
    try:
        socket.create_connection(host_and_port(address), SECONDS).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


def ask(address: str, method: str, what: str) -> bytes:
    """Return the answer of a gRPC method to an empty request. Raises UsageError if there is no such method."""
    connect(address)
    import grpc

    with grpc.insecure_channel(address) as channel:
        try:
            answer: bytes = channel.unary_unary(method)(b"", timeout=SECONDS)
        except grpc.RpcError as error:
            raise UsageError(f"the server at {address} is not a {what} ({error.code().name})") from error
    return answer


def ask_rest(address: str, verb: str, path: str) -> dict[str, Any]:
    """Return the JSON object with which a REST service answers, an empty one if it does not answer."""
    connection = HTTPConnection(*host_and_port(address), timeout=SECONDS)
    try:
        connection.request(verb, path)
        answer: dict[str, Any] = json.load(connection.getresponse())
        return answer
    except (OSError, HTTPException, ValueError):
        return {}
    finally:
        connection.close()
