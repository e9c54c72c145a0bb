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
"""How long a server may take to answer before a launch."""


def host_and_port(address: str) -> tuple[str, int]:
    """Return what `HOST:PORT`, also behind a scheme and before further addresses, names; no host where it is none."""
    try:
        parts = urlsplit("//" + re.sub(r"^(\w+://)*", "", address).split(",")[0])
        return parts.hostname or "", parts.port or 0
    except ValueError:
        return "", 0


def is_here(host: str) -> bool:
    """Tell whether only this machine is reached by that name."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def connect(address: str) -> None:
    """Raise UsageError where nobody answers at `HOST:PORT`."""
    host, port = host_and_port(address)
    if not host or not port:
        raise UsageError(f"{address!r} is not HOST:PORT")
    try:
        socket.create_connection((host, port), SECONDS).close()
    except OSError as error:
        raise UsageError(f"nobody answers at {host}:{port} ({error.strerror or error})") from None


def ask(address: str, method: str, what: str) -> bytes:
    """Return the answer of a gRPC method to an empty request. Raises UsageError where it is not there."""
    connect(address)
    import grpc

    with grpc.insecure_channel(address) as channel:
        try:
            answer: bytes = channel.unary_unary(method)(b"", timeout=SECONDS)
        except grpc.RpcError as error:
            raise UsageError(f"what answers at {address} is no {what} ({error.code().name})") from None
    return answer


def ask_rest(address: str, verb: str, path: str) -> dict[str, Any]:
    """Return the JSON object that a REST service answers, nothing where there is none."""
    connection = HTTPConnection(*host_and_port(address), timeout=SECONDS)
    try:
        connection.request(verb, path)
        answer: dict[str, Any] = json.load(connection.getresponse())
        return answer
    except (OSError, HTTPException, ValueError):
        return {}
    finally:
        connection.close()
