"""The record in ML Metadata as the graph's last step, for stores that the workers reach."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from beam_taxi.errors import BeamTaxiError
from beam_taxi.metadata.address import StoreAddress, parse_address


class _Record(beam.DoFn):
    """Records manifests; the password is the worker's own, since what a DoFn holds can be read in the job."""

    def __init__(self, uri: str, password_file: str | None) -> None:
        self._uri = uri
        self._password_file = password_file

    def process(self, manifest: dict[str, Any]) -> Iterator[dict[str, int]]:
        from beam_taxi.metadata.recorder import record

        try:
            store = parse_address(self._uri, self._password_file)
            assert store is not None
            yield record(manifest, store)
        except BeamTaxiError as error:
            # The run is whole: it does not fail because its store is away.
            logging.getLogger(__name__).error("the run is whole, but not recorded: %s", error)


class RecordRun(beam.PTransform):
    """Record the run that a manifest tells of; its ids come out. A second execution finds it recorded.

    ids = manifest | RecordRun(address, password_file)
    """

    def __init__(self, store: StoreAddress, password_file: str | None) -> None:
        super().__init__()
        self._do_fn = _Record(store.absolute_uri, password_file)

    def expand(self, manifest: PCollection[dict[str, Any]]) -> PCollection[dict[str, int]]:
        return manifest | "Record" >> beam.ParDo(self._do_fn)
