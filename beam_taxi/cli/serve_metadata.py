"""Serve an ML Metadata store by gRPC: `beam-taxi serve-metadata --metadata_store sqlite:///PATH --port 8080`.

The service has neither password nor TLS: it listens on this machine only, unless `--host` says otherwise.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

from beam_taxi.cli.terminal import exit_status_of
from beam_taxi.errors import UsageError
from beam_taxi.flags import Parser
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.service import serve

_LARGEST_PORT = 65535


def main(argv: Sequence[str] | None = None, prog: str = "beam-taxi serve-metadata") -> int:
    """Serve until SIGINT or SIGTERM; return 0 then, 2 if the store or the port cannot be used."""
    return exit_status_of(lambda: _serve(argv, prog), argv)


def _serve(argv: Sequence[str] | None, prog: str) -> int:
    parser = Parser(prog=prog, description=__doc__, allow_abbrev=False)
    parser.add_argument("--metadata_store", required=True, metavar="URI", help="sqlite:///PATH or mysql://…")
    parser.add_argument("--metadata_password_file", metavar="FILE", help="as for `beam-taxi run`")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="0 picks a free port")
    args = parser.parse_args(argv)
    if not 0 <= args.port <= _LARGEST_PORT:
        raise UsageError(f"--port {args.port}: must be between 0 and {_LARGEST_PORT}")
    store = parse_address(args.metadata_store, args.metadata_password_file)
    if store is None or not store.can_be_served:
        raise UsageError(f"--metadata_store {args.metadata_store}: use sqlite:///PATH or mysql://…")
    server, port = serve(store, args.host, args.port)
    print(f"{store.uri} at grpc://{args.host}:{port}", flush=True)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
    server.stop(grace=5).wait()
    return 0
