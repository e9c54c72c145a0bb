"""Serve a store over gRPC, as `beam-taxi serve-metadata` does.

ML Metadata's wheel has a client for this service but no server. The service has neither password nor TLS, so it
listens on this machine only, unless another host is given.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.metadata.mlmd import MetadataStore
from beam_taxi.metadata.store import connect

if TYPE_CHECKING:
    import grpc
    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message


_SERVICE = "ml_metadata.MetadataStoreService"


def serve(store: StoreAddress, host: str, port: int) -> tuple[grpc.Server, int]:
    """Start a server, and return it and its port. Raises StoreError and UsageError."""
    # Otherwise gRPC writes to standard error what the exceptions below say in one line.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import grpc
    from ml_metadata.proto import metadata_store_service_pb2

    with store.lock(write=True):
        calls = _Calls(store, connect(store, write=True))
    service = metadata_store_service_pb2.DESCRIPTOR.services_by_name["MetadataStoreService"]
    handlers = {method.name: calls.handler(method) for method in service.methods}
    # A transaction may have any size. A second server must fail instead of sharing the port.
    options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(8), options=options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    in_use = f"--port {port}: cannot listen on it; is another server there?"
    try:
        port = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise UsageError(in_use) from error
    # Older releases of gRPC do not raise.
    if not port:
        raise UsageError(in_use)
    server.start()
    return server, port


class _Calls:
    """The calls of the service, one at a time, since a MetadataStore is not thread-safe."""

    def __init__(self, store: StoreAddress, connection: MetadataStore) -> None:
        self._store = store
        self._connection = connection
        self._lock = threading.Lock()

    def handler(self, method: MethodDescriptor) -> grpc.RpcMethodHandler:
        """Return the handler of a method, given its descriptor."""
        import grpc
        from google.protobuf import message_factory
        from ml_metadata import errors

        request_type = message_factory.GetMessageClass(method.input_type)
        response_type = message_factory.GetMessageClass(method.output_type)
        codes = {code.value[0]: code for code in grpc.StatusCode}

        def call(request: Message, context: grpc.ServicerContext) -> Message:
            response = response_type()
            try:
                with self._lock, self._store.lock(write=True):
                    self._call(method.name, request, response)
            except BeamTaxiError as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            except errors.DeadlineExceededError as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, f"{self._store.uri}: {error}")
            except (errors.InternalError, errors.FailedPreconditionError) as error:
                context.abort(grpc.StatusCode.INTERNAL, str(error))
            except errors.StatusError as error:
                context.abort(codes[error.error_code], str(error))
            return response

        return grpc.unary_unary_rpc_method_handler(call, request_type.FromString, response_type.SerializeToString)

    def _call(self, name: str, request: Message, response: Message) -> None:
        """Make a call. After an error that may have broken the connection, the next call opens another."""
        from ml_metadata import errors

        self._connection = self._connection or connect(self._store, write=True)
        try:
            self._connection._call_method(name, request, response)
        except (errors.InternalError, errors.FailedPreconditionError, errors.DeadlineExceededError):
            self._store.close(self._connection)
            self._connection = None
            raise
