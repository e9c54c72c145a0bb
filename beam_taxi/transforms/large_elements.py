"""A coder for large elements, such as accumulators of the statistics of a thousand columns, of 50 MB each.

It tells Beam about how large an element is without encoding it. Beam counts the bytes of a sample of the elements,
among them the first ten of each bundle, by encoding each for every step that it passes. There are only a few large
ones, so they would be pickled eight times to be written once. A coder may estimate the size instead, but that of
types which Beam does not know, which it uses for accumulators of any kind, does not:
https://github.com/apache/beam/blob/v2.72.0/sdks/python/apache_beam/coders/coder_impl.py

It compresses them, since Beam keeps the bytes of all elements between two stages, more than once. That of TFDV's
accumulators takes less time than their pickling, and leaves a sixth.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

import pyarrow as pa
from apache_beam.coders import coder_impl, registry
from apache_beam.coders.coders import FastPrimitivesCoder
from apache_beam.coders.observable import ObservableMixin
from google.protobuf.message import Message

from beam_taxi.sources.memory import release_freed_memory

_LARGE = 1 << 20
"""Bytes of a pickle from which it is compressed."""
_VERY_LARGE = 16 << 20
"""Bytes of a pickle from which what was before it has left memory worth being released."""
_MARK = b"zstd"
"""What compressed bytes begin with; a pickle begins with 0x80. The size of the pickle follows, in 8 bytes."""
_CODEC = "zstd"


class _Impl(coder_impl.FastPrimitivesCoderImpl):
    def estimate_size(self, value: Any, nested: bool = False) -> int:
        return _size(value)

    def get_estimated_size_and_observables(self, value: Any, nested: bool = False) -> tuple[int, list[Any]]:
        if isinstance(value, ObservableMixin):
            # It counts the bytes of its elements as they are read.
            found: tuple[int, list[Any]] = super().get_estimated_size_and_observables(value, nested)
            return found
        return _size(value), []


def _size(value: object) -> int:
    """Return the size in memory of a value, or of those in a tuple or a list, without what other objects refer to."""
    parts = sum(map(_size, value)) if isinstance(value, tuple | list) else 0
    return sys.getsizeof(value) + parts


def _encode(value: object) -> bytes:
    encoded = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    if len(encoded) < _LARGE:
        return encoded
    compressed: bytes = pa.Codec(_CODEC).compress(encoded, asbytes=True)
    return _MARK + len(encoded).to_bytes(8, "big") + compressed


def _decode(encoded: bytes) -> Any:
    if not encoded.startswith(_MARK):
        return pickle.loads(encoded)
    start = len(_MARK) + 8
    size = int.from_bytes(encoded[len(_MARK) : start], "big")
    if size >= _VERY_LARGE:
        release_freed_memory()
    return pickle.loads(pa.Codec(_CODEC).decompress(memoryview(encoded)[start:], size))


class AnyTypeCoder(FastPrimitivesCoder):
    """Beam's coder of any type, which estimates sizes without encoding, and compresses large pickles."""

    @classmethod
    def from_type_hint(cls, typehint: Any, registry: Any) -> AnyTypeCoder:
        if isinstance(typehint, type) and issubclass(typehint, Message):
            raise TypeError("Beam has a coder for messages")
        return cls()

    def _create_impl(self) -> _Impl:
        return _Impl(coder_impl.CallbackCoderImpl(_encode, _decode))


def register_coder() -> None:
    """Make Beam use `AnyTypeCoder` in the graphs that this process builds."""
    if not isinstance(registry.get_coder(Any), AnyTypeCoder):
        registry.register_fallback_coder(AnyTypeCoder)
