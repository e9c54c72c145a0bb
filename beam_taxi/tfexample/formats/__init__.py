"""The formats of the Examples, one a module, whose `FORMAT` reads and writes the shards of the format."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from beam_taxi.tfexample.formats.base import Decode, ShardFormat, ShardWriter

__all__ = ["Decode", "ShardFormat", "ShardWriter", "format_of"]


def format_of(name: str) -> ShardFormat:
    """Return the format of a name in `example_formats.FORMATS`; what it needs is imported on first use."""
    return cast(ShardFormat, import_module(f"{__name__}.{name}").FORMAT)
