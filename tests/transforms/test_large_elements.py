"""Beam knows about how large an element is, does not encode it for that, and gets few bytes of large ones."""

from __future__ import annotations

import pickle
from typing import Any

import pyarrow as pa
import pytest
from apache_beam.coders import coders, registry
from apache_beam.runners.worker.opcounters import OperationCounters
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.counters import CounterFactory
from apache_beam.utils.windowed_value import WindowedValue
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics

from beam_taxi.transforms.large_elements import AnyTypeCoder, register_coder


class Counted:
    """Knows how often it was pickled."""

    def __init__(self) -> None:
        self.pickled = 0

    def __reduce__(self) -> tuple[Any, ...]:
        self.pickled += 1
        return Counted, ()


def sample(coder: coders.Coder, value: object) -> int:
    """Return the size of an element as Beam samples it on a worker."""
    counters = OperationCounters(CounterFactory(), "step", coders.WindowedValueCoder(coder), 0)
    element = WindowedValue(value, 0, (GlobalWindow(),))
    counters.update_from(element)
    counters.update_collect()
    size: int = counters.mean_byte_counter.value()[0]
    return size


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: ("key", one), lambda one: ["key", (1, one)]])
def test_an_element_is_not_encoded_to_know_its_size(wrap: Any):
    value = Counted()
    assert sample(AnyTypeCoder(), wrap(value)) > 0
    assert value.pickled == 0


def test_beam_still_encodes_elements_to_know_their_sizes():
    """If this fails, Beam estimates sizes itself: remove the coder."""
    value = Counted()
    sample(coders.FastPrimitivesCoder(), value)
    assert value.pickled == 1


def test_the_size_is_that_in_memory():
    batch = pa.RecordBatch.from_pydict({"x": list(range(10_000))})
    assert 80_000 <= sample(AnyTypeCoder(), ("train", batch)) <= 81_000


@pytest.mark.parametrize("value", [None, True, 1, 2.5, "text", b"bytes", (1, ["a"]), {"a": 1}, {1, 2}, range(3)])
def test_bytes_of_small_elements_are_those_of_beam(value: object):
    encoded = AnyTypeCoder().encode(value)
    assert encoded == coders.FastPrimitivesCoder().encode(value)
    assert AnyTypeCoder().decode(encoded) == value


@pytest.mark.parametrize("rows", [10_000, 200_000, 3_000_000])
def test_large_elements_are_compressed(rows: int):
    batch = pa.RecordBatch.from_pydict({"x": pa.array(range(rows)).cast(pa.float64())})
    encoded = AnyTypeCoder().encode(("train", batch))
    assert (len(encoded) < batch.nbytes / 2) == (batch.nbytes > 1 << 20)
    assert AnyTypeCoder().decode(encoded) == ("train", batch)


def test_it_is_the_coder_of_what_beam_has_none_for():
    register_coder()
    register_coder()
    assert [type(registry.get_coder(hint)) for hint in (Any, object, Counted)] == [AnyTypeCoder] * 3
    assert isinstance(registry.get_coder(DatasetFeatureStatistics), coders.ProtoCoder)
    assert isinstance(registry.get_coder(int), coders.VarIntCoder)
    assert isinstance(pickle.loads(pickle.dumps(registry.get_coder(Any))), AnyTypeCoder)
