"""The kinds of stores by the scheme of their URI. A new kind is a module next to this one and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from beam_taxi.metadata.stores.base import StoreAddress
from beam_taxi.metadata.stores.grpc import GrpcStore
from beam_taxi.metadata.stores.mysql import MySqlSocketStore, MySqlStore
from beam_taxi.metadata.stores.sqlite import SqliteStore

STORES: Mapping[str, type[StoreAddress]] = {
    "sqlite": SqliteStore,
    "mysql": MySqlStore,
    "mysql+socket": MySqlSocketStore,
    "grpc": GrpcStore,
}
