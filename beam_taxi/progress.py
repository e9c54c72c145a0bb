"""Progress of a run on this machine: workers, in threads or processes, send datagrams to the launcher.

The runner in this process blocks until the job ends, and reports nothing meanwhile.
"""

from __future__ import annotations

import json
import os
import socket

ADDRESS_VARIABLE = "BEAM_TAXI_PROGRESS"
"""The environment variable with HOST:PORT of a launcher that shows progress."""


def tick(stage: str, size: int, rows: int) -> None:
    """Tell the launcher, if it listens, what a stage has done since the last call: stored bytes, and rows."""
    address = os.environ.get(ADDRESS_VARIABLE)
    if address is not None:
        host, port = address.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(json.dumps([stage, size, rows]).encode(), (host, int(port)))
