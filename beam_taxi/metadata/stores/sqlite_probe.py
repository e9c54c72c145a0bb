"""Inspect an SQLite file before ML Metadata opens it: `python -I -S sqlite_probe.py PATH read|write SECONDS`.

A separate process, since SQLite and ML Metadata in one process ignore each other's locks. ML Metadata itself takes
over 40 seconds to give up on a locked file, and gives no reason. Prints one line if something is wrong.
"""

import os
import sqlite3
import sys
from urllib.parse import quote


def probe(path: str, mode: str, seconds: float) -> str:
    """Return what is wrong with the file; empty if it can be used."""
    if not os.path.exists(path):
        return "" if mode == "write" else "missing"
    if mode == "write" and not os.access(path, os.W_OK):
        return "readonly"
    try:
        # A writer that was killed leaves a journal, which only a process with write permission can roll back.
        rights = "rw" if os.access(path, os.W_OK) else "ro"
        file = sqlite3.connect(f"file:{quote(path)}?mode={rights}", timeout=seconds, uri=True)
        file.isolation_level = None
        file.execute("BEGIN IMMEDIATE" if mode == "write" else "BEGIN")
        tables = {row[0] for row in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return "empty"
        if "MLMDEnv" not in tables:
            return "half-made" if {"Type", "TypeProperty", "Artifact"} & tables else "foreign"
        versions = [str(row[0]) for row in file.execute("SELECT schema_version FROM MLMDEnv")]
        if not versions:
            return "half-made"
        return "" if versions == ["10"] else "version " + " ".join(versions)
    except sqlite3.Error as error:
        return f"error {error}"


if __name__ == "__main__":
    print(probe(sys.argv[1], sys.argv[2], float(sys.argv[3])))
