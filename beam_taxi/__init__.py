"""Turn tables into TFRecords, statistics, a schema and an ML Metadata record, in one Apache Beam graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beam_taxi.readers import open_run as open_run

__all__ = ["__version__", "open_run"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Return a public name, imported on first use: most commands need none (PEP 562)."""
    if name == "open_run":
        from beam_taxi.readers import open_run

        return open_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
