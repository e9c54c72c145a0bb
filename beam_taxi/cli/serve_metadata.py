"""Serve an ML Metadata store by gRPC: `beam-taxi serve-metadata --metadata_store sqlite:///PATH --port 8080`."""

from __future__ import annotations

from collections.abc import Sequence

from beam_taxi.metadata import server


def main(argv: Sequence[str] | None = None, prog: str = "beam-taxi serve-metadata") -> int:
    """Serve until SIGINT or SIGTERM; return 0 then, 2 if the store or the port cannot be used."""
    return server.main(argv)
