"""A coder that estimates the size of an element for Beam, without encoding it.

Beam counts the bytes of a sample of the elements, among them the first ten of each bundle, and encodes each of them
again at every step. An accumulator of the statistics of a thousand columns has a hundred megabytes, and there are only
a few of them, so each would be pickled eight times to be sent once. A coder may estimate the size instead, but Beam's
coder of unknown types, which it also uses for all accumulators, does not:
https://github.com/apache/beam/blob/v2.72.0/sdks/python/apache_beam/coders/coder_impl.py
"""

from __future__ import annotations

import sys
from typing import Any

from apache_beam.coders import coder_impl, registry
from apache_beam.coders.coders import FastPrimitivesCoder, PickleCoder
from apache_beam.coders.observable import ObservableMixin
from google.protobuf.message import Message


class _Impl(coder_impl.FastPrimitivesCoderImpl):
    def estimate_size(self, value: Any, nested: bool = False) -> int:
        return _size(value)

    def get_estimated_size_and_observables(self, value: Any, nested: bool = False) -> tuple[int, list[Any]]:
        if isinstance(value, ObservableMixin):
            # Beam counts the bytes of its elements as they are read.
            found: tuple[int, list[Any]] = super().get_estimated_size_and_observables(value, nested)
            return found
        return _size(value), []


def _size(value: object) -> int:
    """Return the size of a value in memory, with the elements of tuples and lists, but nothing else it refers to."""
    parts = sum(map(_size, value)) if isinstance(value, tuple | list) else 0
    return sys.getsizeof(value) + parts


class AnyTypeCoder(FastPrimitivesCoder):
    """Beam's coder of any type, with the same bytes, which estimates sizes without encoding."""

    @classmethod
    def from_type_hint(cls, typehint: Any, registry: Any) -> AnyTypeCoder:
        if isinstance(typehint, type) and issubclass(typehint, Message):
            raise TypeError("Beam has a coder for messages")
        return cls()

    def _create_impl(self) -> _Impl:
        return _Impl(PickleCoder().get_impl())


def estimate_element_sizes() -> None:
    """Make Beam use `AnyTypeCoder` in all graphs that this process builds from now on.

    Beam looks up the coder of accumulators in the registry, so it cannot be chosen for one graph.
    """
    if not isinstance(registry.get_coder(Any), AnyTypeCoder):
        registry.register_fallback_coder(AnyTypeCoder)
