"""Run a command, and print how much memory its processes have used at most, all together and each.

    python scripts/benchmarks/memory.py python -m beam_taxi.main --input trips.csv --output out/

Memory that processes share counts once, see `machine.PeakMemory`. `ru_maxrss` of a process would count what a fork
shares with its parent again.
"""

from __future__ import annotations

import subprocess
import sys

from machine import PeakMemory


def main(command: list[str]) -> int:
    """Run the command; return its exit status."""
    with subprocess.Popen(command) as process, PeakMemory(process.pid) as peak:
        status = process.wait()
    each = ", ".join(f"{size / 1e6:,.0f}" for size in peak.each.values())
    print(f"memory     {peak.bytes / 1e6:,.0f} MB at most; of each process {each}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
