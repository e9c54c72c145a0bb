"""The address of an ML Metadata store: a URI, and the password from the environment or a file."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from beam_taxi.errors import UsageError
from beam_taxi.metadata.stores.base import PASSWORD_VARIABLE, StoreAddress, StoreError
from beam_taxi.metadata.stores.registry import STORES
from beam_taxi.metadata.texts import storable

__all__ = ["FORMS", "PASSWORD_VARIABLE", "StoreAddress", "StoreError", "parse_address", "without_password"]

FORMS = ", ".join(store.form for store in STORES.values()) + " or none"
_POSTGRESQL = (
    "PostgreSQL is not supported: with it, ML Metadata's client fails on every backslash, has no TLS, and creates "
    "duplicate types when two processes start at once. Use mysql://, or grpc:// to a server of your own"
)


def without_password(uri: str) -> str:
    """Return `uri` with any password masked, for display."""
    hidden = re.sub(r"(://[^:/@?]*):.*@", r"\1:***@", uri)
    return re.sub(r"((?:password|passwd|pwd)=)[^&]*", r"\1***", hidden, flags=re.I)


def parse_address(uri: str, password_file: str | None = None) -> StoreAddress | None:
    """Return the store that a URI names, or None for `none`. Raises UsageError."""
    shown = without_password(uri)
    if uri == "none":
        return None
    if shown != uri:
        raise UsageError(
            f"--metadata_store {shown}: a password in a command line is seen by everyone on the machine; "
            f"put it in {PASSWORD_VARIABLE} or in a file for --metadata_password_file"
        )
    try:
        parts = urlsplit(uri)
        # The port is validated on access.
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"--metadata_store {shown}: {error}; use {FORMS}") from error
    if parts.scheme != "sqlite" and storable(uri) != uri:
        raise UsageError(f"--metadata_store {storable(shown)}: is not UTF-8; use {FORMS}")
    if parts.scheme.startswith("postgres"):
        raise UsageError(f"--metadata_store {shown}: {_POSTGRESQL}")
    store = STORES[parts.scheme].parse(uri, parts, password_file) if parts.scheme in STORES else None
    if store is None:
        raise UsageError(f"--metadata_store {shown}: use {FORMS}")
    return store
