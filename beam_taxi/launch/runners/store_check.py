"""Whether the ML Metadata store can be reached from here."""

from __future__ import annotations

from beam_taxi.metadata.address import StoreAddress


def store_fault(store: StoreAddress | None) -> str:
    """Return why the store cannot be reached, and what to do; empty if there is no store or no fault."""
    return "" if store is None else store.fault()
