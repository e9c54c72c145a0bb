"""A coder for large elements, such as accumulators of the statistics of a thousand columns, of 50 MB each.

It estimates the size of an element without encoding it. Beam counts the bytes of a sample of the elements, among them
the first ten of each bundle, and encodes each of them again at every step. There are only a few large elements, so each
would be pickled eight times to be sent once. A coder may estimate the size instead, but Beam's coder of unknown types,
which it also uses for all accumulators, does not:
https://github.com/apache/beam/blob/v2.72.0/sdks/python/apache_beam/coders/coder_impl.py

It compresses large elements, since Beam keeps more than one copy of all bytes between two stages. Compressing TFDV's
accumulators takes less time than pickling them, and leaves a sixth of their bytes.
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
"""A pickle of so many bytes is compressed."""
_VERY_LARGE = 16 << 20
"""Before a pickle of so many bytes is read, the memory that earlier ones have left is worth releasing."""
_MARK = b"zstd"
"""What compressed bytes begin with; a pickle begins with 0x80. The size of the pickle follows, in 8 bytes."""
_CODEC = "zstd"


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
    """Make Beam use `AnyTypeCoder` in all graphs that this process builds from now on.

    Beam looks up the coder of accumulators in the registry, so it cannot be chosen for one graph.
    """
    if not isinstance(registry.get_coder(Any), AnyTypeCoder):
        registry.register_fallback_coder(AnyTypeCoder)
