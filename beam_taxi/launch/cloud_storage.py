"""What Cloud Storage reports about a bucket before a launch: its location, and what the launcher's account may do."""

from __future__ import annotations

import secrets
from contextlib import suppress

from beam_taxi.errors import StorageError
from beam_taxi.storage.gcs import split
from beam_taxi.storage.gcs_client import SCHEME, bucket_of, client, lookup_retry
from beam_taxi.storage.gcs_errors import translated_errors

_WRITE_SECONDS = 20
# Predefined dual-regions, whose regions the service does not list.
# https://cloud.google.com/storage/docs/locations#predefined
_REGION_PAIRS = {
    "NAM4": ("US-CENTRAL1", "US-EAST1"),
    "EUR4": ("EUROPE-NORTH1", "EUROPE-WEST4"),
    "ASIA1": ("ASIA-NORTHEAST1", "ASIA-NORTHEAST2"),
}


def location(bucket: str) -> tuple[str, tuple[str, ...]]:
    """Return the location of a bucket, and the regions known to hold it. Raises StorageError with its `code`."""
    with translated_errors(SCHEME + bucket):
        found = client().get_bucket(bucket, retry=lookup_retry())
    place = str(found.location or "").upper()
    return place, _REGION_PAIRS.get(place, tuple(str(region).upper() for region in found.data_locations or [place]))


def granted(bucket: str, permissions: tuple[str, ...]) -> set[str]:
    """Return which of some permissions on a bucket the caller has. Raises StorageError with its `code`."""
    with translated_errors(SCHEME + bucket):
        return set(bucket_of(bucket).test_iam_permissions(list(permissions), retry=lookup_retry()))


def try_write(folder: str) -> None:
    """Write an object into a folder and delete it again. Raises StorageError.

    Permissions say nothing about keys, service perimeters and billing.
    """
    bucket, name = split(folder)
    path = f"{name.strip('/')}/beam_taxi-check-{secrets.token_hex(8)}".lstrip("/")
    with translated_errors(folder, writes=True):
        blob = bucket_of(bucket).blob(path)
        blob.upload_from_string(b"", timeout=_WRITE_SECONDS, retry=None)
    # A bucket may keep its objects for a time.
    with suppress(StorageError), translated_errors(folder):
        blob.delete(retry=None)
