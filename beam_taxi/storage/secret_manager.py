"""Secrets in Google Cloud's Secret Manager."""

from __future__ import annotations

import base64
import re

from beam_taxi.errors import StorageError, one_line
from beam_taxi.storage import credentials

NAME = re.compile(r"projects/[^/]+/secrets/[^/]+/versions/[^/]+")
"""The name of a version of a secret; `latest` is a version too."""

_SECONDS = 10


def read_secret(name: str) -> bytes:
    """Return a version of a secret. Raises StorageError with how to fix it.

    https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access
    """
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession
    from requests import RequestException

    try:
        session = AuthorizedSession(credentials.credentials(), refresh_timeout=_SECONDS)
        answer = session.get(f"https://secretmanager.googleapis.com/v1/{name}:access", timeout=_SECONDS)
        if answer.status_code == 403:
            secret, project = name.split("/")[3], name.split("/")[1]
            grant = f"gcloud secrets add-iam-policy-binding {secret} --project {project}"
            role = "roles/secretmanager.secretAccessor"
            raise StorageError(f"{name}: access is denied; `{grant} --member {credentials.member()} --role {role}`")
        answer.raise_for_status()
        return base64.b64decode(answer.json()["payload"]["data"])
    except (GoogleAuthError, RequestException, ValueError, KeyError) as error:
        raise StorageError(f"{name}: cannot be read: {one_line(error)}") from error
