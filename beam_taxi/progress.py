"""Progress of a run on this machine: workers, in threads or processes, send datagrams to the launcher.

The in-process runner blocks until the job ends, and reports nothing in the meantime.
"""

from __future__ import annotations

import json
import os
import socket

ADDRESS_VARIABLE = "BEAM_TAXI_PROGRESS"
"""The environment variable with HOST:PORT of a launcher that shows progress."""


def tick(stage: str, size: int, rows: int) -> None:
    """Tell the launcher, if it listens, how many stored bytes and rows a stage has processed since the last call."""
    address = os.environ.get(ADDRESS_VARIABLE)
    if address is not None:
        host, port = address.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(json.dumps([stage, size, rows]).encode(), (host, int(port)))
