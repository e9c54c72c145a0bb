"""A server of ML Metadata's gRPC service, such as `python -m beam_taxi serve-metadata`."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

from beam_taxi.metadata.mlmd import ConnectionConfig, MetadataStore
from beam_taxi.metadata.stores.base import StoreAddress, StoreError, connection_fault, one_line

_NO_PROXY = "no_grpc_proxy"
"""Hosts that gRPC reaches without a proxy; if it is not set, gRPC reads `no_proxy`."""

_PROBE_SECONDS = 4.0


@dataclass(frozen=True)
class GrpcStore(StoreAddress):
    """A server at `host` and `port`; the service has neither password nor TLS."""

    form = "grpc://HOST:PORT"
    can_be_served = False

    port: int

    @classmethod
    def parse(cls, uri: str, parts: SplitResult, password_file: str | None) -> GrpcStore | None:
        """Return the store of `grpc://HOST:PORT`."""
        if parts.hostname and parts.port and not parts.path.strip("/"):
            return cls(uri, parts.port, host=parts.hostname)
        return None

    def fault(self) -> str:
        """Return why nothing answers at host and port."""
        return connection_fault(self.uri, (self.host, self.port))

    def probe(self, write: bool) -> None:
        """Connect and make one call, both with a short time limit. Raises StoreError."""
        from ml_metadata import errors

        try:
            socket.create_connection((self.host, self.port), _PROBE_SECONDS).close()
        except OSError as error:
            unknown = "host not found; check its name" if isinstance(error, socket.gaierror) else error.strerror
            raise StoreError(
                f"{self.uri}: {unknown or 'no answer'}: is `python -m beam_taxi serve-metadata` or another server of "
                "ML Metadata running there?"
            ) from error
        try:
            self.open(write, _PROBE_SECONDS).get_context_type("pipeline")
        except errors.NotFoundError:
            return
        except errors.StatusError as error:
            raise StoreError(
                f"{self.uri}: what listens there does not answer as a server of ML Metadata: {one_line(error)}; "
                "check host and port"
            ) from error

    def config(self, write: bool) -> ConnectionConfig:
        """Return the configuration of the client; messages have no size limit."""
        from ml_metadata.proto import metadata_store_pb2

        pb: Any = metadata_store_pb2
        config = pb.MetadataStoreClientConfig()
        config.host, config.port = self.host, self.port
        config.channel_arguments.max_receive_message_length = -1
        return config

    def open(self, write: bool, seconds: float) -> MetadataStore:
        """Return a client, which goes through a proxy of the environment only to another machine."""
        from ml_metadata import MetadataStore as Client

        config = self.config(write)
        config.client_timeout_sec = seconds
        with _no_proxy_for(self.host) if _is_loopback(self.host) else nullcontext():
            return Client(config)

    def close(self, connection: MetadataStore) -> None:
        """Do nothing: gRPC closes a channel that nobody uses."""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _no_proxy_for(host: str) -> Iterator[None]:
    """Let gRPC clients that are made in the block connect to a host directly; ML Metadata sets no such option.

    https://github.com/grpc/grpc/blob/v1.62.0/doc/environment_variables.md
    """
    before = os.environ.get(_NO_PROXY)
    others = os.environ.get("no_proxy", "") if before is None else before
    os.environ[_NO_PROXY] = f"{others},{host}" if others else host
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NO_PROXY]
        else:
            os.environ[_NO_PROXY] = before
