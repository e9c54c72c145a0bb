"""Whether the ML Metadata store can be reached from here, without its client, which takes seconds to import."""

from __future__ import annotations

import os
import socket

from beam_taxi.metadata.address import StoreAddress

_SECONDS = 3.0


def store_fault(store: StoreAddress | None) -> str:
    """Return why nothing can be recorded from here, and what to do; empty where nothing speaks against it."""
    if store is None:
        return ""
    if store.kind == "sqlite":
        folder = os.path.dirname(store.path)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if os.access(folder, os.W_OK | os.X_OK):
            return ""
        return f"--metadata_store {store.uri}: {folder} cannot be written; give another path"
    kind = socket.AF_UNIX if store.kind == "socket" else socket.AF_INET
    try:
        if kind == socket.AF_INET:
            socket.create_connection((store.host, store.port), _SECONDS).close()
        else:
            with socket.socket(kind) as one:
                one.settimeout(_SECONDS)
                one.connect(store.path)
    except OSError as error:
        reason = error.strerror or str(error)
        return f"--metadata_store {store.uri}: no answer: {reason}; is the server up, and its address right?"
    return ""
