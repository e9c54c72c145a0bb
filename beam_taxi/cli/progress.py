"""Progress bars, fed by the datagrams of `beam_taxi.progress`."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beam_taxi.launch.stderr import terminal
from beam_taxi.progress import ADDRESS_VARIABLE, tick

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_STAGES = ("scan", "write")


@contextmanager
def bars(total: int) -> Iterator[None]:
    """Show bars for the passes over `total` bytes on standard error while the block runs; most runs have two."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener, _new_bars() as shown:
        listener.bind(("127.0.0.1", 0))
        host, port = listener.getsockname()
        os.environ[ADDRESS_VARIABLE] = f"{host}:{port}"
        tasks = {stage: shown.add_task(stage, total=total, rows=0, speed="") for stage in _STAGES}
        thread = threading.Thread(target=_listen, args=(listener, shown, tasks, total), daemon=True)
        thread.start()
        try:
            yield
            for task in tasks.values():
                shown.update(task, completed=total)
        finally:
            tick("", 0, 0)
            del os.environ[ADDRESS_VARIABLE]
            thread.join()


def _new_bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description:<5}"),
        BarColumn(bar_width=16),
        DownloadColumn(binary_units=True),
        TextColumn("{task.fields[rows]:,} rows {task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(file=terminal()),
    )


def _listen(listener: socket.socket, shown: Progress, tasks: dict[str, TaskID], total: int) -> None:
    while True:
        stage, size, rows = json.loads(listener.recv(1024))
        if not stage:
            return
        if stage not in tasks:
            tasks[stage] = shown.add_task(stage, total=total, rows=0, speed="")
        task = shown.tasks[tasks[stage]]
        rows += task.fields["rows"]
        speed = f"{rows / task.elapsed:,.0f}/s" if task.elapsed else ""
        shown.update(task.id, advance=size, rows=rows, speed=speed)
