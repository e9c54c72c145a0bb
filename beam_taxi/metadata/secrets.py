"""Passwords that a worker on another machine can read: a version of a secret, or an object in Cloud Storage."""

from __future__ import annotations

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, UsageError


def is_remote(reference: str) -> bool:
    """Return whether `--metadata_password_file` names something that other machines can read too."""
    return storage.is_remote(reference) or reference.startswith("projects/")


def read_secret(reference: str) -> str:
    """Return the password at `gs://BUCKET/OBJECT` or `projects/P/secrets/S/versions/V`. Raises UsageError."""
    try:
        if reference.startswith("projects/"):
            from beam_taxi.storage import secret_manager

            if not secret_manager.NAME.fullmatch(reference):
                raise UsageError("is not a version of a secret; use projects/PROJECT/secrets/SECRET/versions/latest")
            return secret_manager.read_secret(reference).decode().rstrip("\r\n")
        return storage.read_bytes(reference).decode().rstrip("\r\n")
    except (BeamTaxiError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, BeamTaxiError) else "is not UTF-8"
        raise UsageError(f"--metadata_password_file {reference}: {reason.removeprefix(f'{reference}: ')}") from error
