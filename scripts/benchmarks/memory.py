"""Run a command, and print how much memory its processes have used at most, all together and each.

    python scripts/benchmarks/memory.py python -m beam_taxi.main --input trips.csv --output out/

Memory that processes share counts once: the sum is of proportional set sizes (Pss of /proc/PID/smaps_rollup, Linux),
read three times a second. `ru_maxrss` of a process would count what a fork shares with its parent again.
"""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_SECONDS = 0.3


def sizes(session: int) -> dict[int, int]:
    """Return the proportional set size, in MB, of each process of a session by its PID."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) != session:
                continue
            size = re.search(r"^Pss:\s+(\d+) kB", (folder / "smaps_rollup").read_text(), re.M)
            if size:
                found[int(folder.name)] = int(size[1]) // 1000
    return found


def main(command: list[str]) -> int:
    """Run the command; return its exit status."""
    most, each = 0, dict[int, int]()
    process = subprocess.Popen(command, start_new_session=True)
    while True:
        now = sizes(process.pid)
        most = max(most, sum(now.values()))
        each = {pid: max(each.get(pid, 0), now.get(pid, 0)) for pid in {**each, **now}}
        with suppress(subprocess.TimeoutExpired):
            status = process.wait(_SECONDS)
            break
    print(f"memory     {most:,} MB at most; of each process {', '.join(map(str, each.values()))}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
