"""Progress of a run on this machine: its workers, threads or processes, send datagrams to the launcher.

The runner in process blocks to the end and tells nothing meanwhile.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ADDRESS = "BEAM_TAXI_PROGRESS"


def tick(stage: str, size: int, rows: int) -> None:
    """Tell the launcher, if it listens, what a stage has done since the last call, in stored bytes and in rows."""
    address = os.environ.get(_ADDRESS)
    if address is not None:
        host, port = address.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(json.dumps([stage, size, rows]).encode(), (host, int(port)))


@contextmanager
def shown(total: int, log_format: str) -> Iterator[None]:
    """Show bars for the two passes over `total` bytes while the block runs, if stderr is a terminal and wants text."""
    if log_format != "text" or not sys.stderr.isatty():
        yield
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener, _bars() as bars:
        listener.bind(("127.0.0.1", 0))
        host, port = listener.getsockname()
        os.environ[_ADDRESS] = f"{host}:{port}"
        tasks = {stage: bars.add_task(stage, total=total, rows=0, speed="") for stage in ("scan", "write")}
        thread = threading.Thread(target=_listen, args=(listener, bars, tasks), daemon=True)
        thread.start()
        try:
            yield
            for task in tasks.values():
                bars.update(task, completed=total)
        finally:
            tick("", 0, 0)
            del os.environ[_ADDRESS]
            thread.join()


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description:<5}"),
        BarColumn(bar_width=16),
        DownloadColumn(binary_units=True),
        TextColumn("{task.fields[rows]:,} rows {task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
    )


def _listen(listener: socket.socket, bars: Any, tasks: dict[str, Any]) -> None:
    while True:
        stage, size, rows = json.loads(listener.recv(1024))
        if not stage:
            return
        task = bars.tasks[tasks[stage]]
        rows += task.fields["rows"]
        speed = f"{rows / task.elapsed:,.0f}/s" if task.elapsed else ""
        bars.update(task.id, advance=size, rows=rows, speed=speed)
