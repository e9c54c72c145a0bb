"""The direction of imports, read from the source: the graph, the contract, and its readers are three zones."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import beam_taxi

PACKAGE = Path(beam_taxi.__file__).parent
PURE = {
    *("counters", "dates", "dialect", "errors", "example_formats", "flags", "progress", "settings", "storage", "run"),
}
GRAPH = {"sources", "splits", "tfexample", "statistics", "schemas", "transforms", "pipeline"}
READERS = {"lineage", "metadata", "report", "validation", "statistics"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "counters": set(),
    "progress": set(),
    "samples": set(),
    "flags": {"errors"},
    "dialect": {"errors", "flags"},
    "columns": {"errors", "flags"},
    "dates": {"flags"},
    "numerals": set(),
    "example_formats": {"errors"},
    "splitting": {"flags"},
    "settings": {"columns", "dates", "dialect", "errors", "example_formats", "flags", "splitting"},
    "storage": {"errors"},
    "run": {"errors", "example_formats", "settings", "splitting", "storage"},
    "sources": {"columns", "dates", "errors", "numerals", "settings", "storage", "tfexample"},
    "tfexample": set(),
    "statistics": {"errors", "numerals", "run", "settings", "storage"},
    "schemas": {"errors", "example_formats", "run", "statistics", "storage"},
    "validation": {"errors", "run", "schemas", "settings", "sources", "statistics", "tfexample"},
    "splits": {"columns", "errors", "run", "settings", "sources", "statistics", "tfexample", "validation"},
    "transforms": PURE - {"flags"} | GRAPH - {"pipeline"} | {"validation"},
    "pipeline": {"run", "sources", "transforms"},
    "metadata": PURE - {"flags", "progress", "counters"},
    "lineage": {"errors", "run", "settings", "storage"},
    "report": PURE - {"progress", "counters"} | {"statistics", "validation"},
    "readers": {"errors", "example_formats", "run", "schemas", "statistics", "storage", "tfexample"},
    "launch": PURE | GRAPH | READERS,
    "cli": PURE | GRAPH | READERS | {"launch", "samples"},
    "main": {"cli", "launch"},
    "__main__": {"cli"},
}
FORMER_MODULES = {"record", "rejects", "runs", "taxi"}
FORMER_COMMANDS = {*((f"{name}.py",) for name in FORMER_MODULES), ("report", "__main__.py"), ("metadata", "server.py")}
ONLY_IN = {
    "apache_beam": {"transforms", "pipeline", "launch", "storage", "cli"},
    "ml_metadata": {"metadata"},
    "mlflow": {"lineage", "launch"},
    "google.cloud": {"storage", "sources", "launch"},
    "IPython": set(),
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path):
    parts = path.relative_to(PACKAGE).parts
    room = parts[0].removesuffix(".py")
    if room == "__init__":
        return
    # Former commands go on working, by their verbs.
    if parts in FORMER_COMMANDS:
        assert all(name.startswith(("sys", "beam_taxi.cli.", "beam_taxi.samples.")) for name in imports(path))
        return
    for name in imports(path):
        if name.startswith("beam_taxi."):
            other = name.split(".")[1]
            assert other in {room, *ALLOWED[room]}, f"{room} imports {name}"
        for library, rooms in ONLY_IN.items():
            assert not (name + ".").startswith(library + ".") or room in rooms, f"{room} imports {name}"


def test_every_room_has_its_place():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert rooms - FORMER_MODULES - {"__init__"} == set(ALLOWED)
