"""What Cloud Storage reports about a bucket before a launch: its location, and what the launcher's account may do."""

from __future__ import annotations

from beam_taxi.storage.gcs_client import SCHEME, account, client, lookup_retry
from beam_taxi.storage.gcs_errors import translated_errors

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
        return set(client().bucket(bucket).test_iam_permissions(list(permissions)))


def member() -> str:
    """Return the caller as IAM names it, or `user:YOU` if the credentials do not contain an account."""
    email = account()
    return f"serviceAccount:{email}" if email else "user:YOU"
