"""The direction of imports, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import beam_taxi

PACKAGE = Path(beam_taxi.__file__).parent
LEFT = {"counters", "errors", "gcs", "progress", "settings", "storage", "taxi", "layout", "ingest", "examples"}
ALLOWED = {
    "errors": set(),
    "settings": {"errors"},
    "taxi": set(),
    "progress": set(),
    "counters": set(),
    "gcs": {"errors"},
    "storage": {"errors", "gcs"},
    "layout": {"errors", "settings", "storage"},
    "options": {"errors", "settings", "storage"},
    "ingest": {"errors", "progress", "settings", "storage"},
    "examples": {"errors", "settings"},
    "preflight": LEFT | {"metadata", "runners"},
    "runners": LEFT | {"metadata", "options"},
    "metadata": LEFT,
    "rejects": LEFT,
    "report": {"errors", "settings", "storage", "layout"},
    "record": LEFT | {"metadata"},
    "transforms": LEFT | {"metadata", "report"},
    "runs": LEFT | {"metadata"},
    "pipeline": LEFT | {"transforms"},
    "summary": LEFT | {"runners"},
    "main": LEFT | {"options", "preflight", "pipeline", "transforms", "metadata", "runners", "summary"},
}
ONLY_IN = {"ml_metadata": {"metadata"}, "google.cloud": {"gcs", "runners", "ingest"}, "IPython": set()}
BEAM = {"transforms", "pipeline", "main", "storage", "record", "runners"}


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
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__":
        assert not imports(path)
        return
    for name in imports(path):
        if name.startswith("beam_taxi."):
            other = name.split(".")[1]
            assert other in {room, *ALLOWED[room]}, f"{room} imports {name}"
        if name.startswith("apache_beam"):
            assert room in BEAM, f"{room} imports {name}"
        for library, rooms in ONLY_IN.items():
            assert not (name + ".").startswith(library + ".") or room in rooms, f"{room} imports {name}"
