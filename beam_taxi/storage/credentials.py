"""The credentials for calls to Google Cloud: those that Google's libraries find, or impersonated ones."""

from __future__ import annotations

import http.client
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOG_IN = "gcloud auth application-default login"
_SECONDS = 10


class _Chosen:
    """What a launch has chosen for its process."""

    impersonated: tuple[str, ...] = ()
    project: str | None = None


def use(impersonated: str, project: str | None) -> None:
    """Choose the account to impersonate in this process, empty for none, and the project that is billed.

    `impersonated` is the value of Beam's `--impersonate_service_account`: an account, or a chain `DELEGATE,…,ACCOUNT`.
    """
    _Chosen.impersonated = chain(impersonated)
    _Chosen.project = project


def chain(impersonated: str) -> tuple[str, ...]:
    """Return the accounts of `DELEGATE,…,ACCOUNT`."""
    return tuple(name.strip() for name in impersonated.split(",") if name.strip())


def bill(project: str | None) -> None:
    """Choose the project that is billed, as `use` does; for workers."""
    _Chosen.project = project


def is_impersonated() -> bool:
    """Return whether the launch has chosen an account to impersonate."""
    return bool(_Chosen.impersonated)


def project() -> str | None:
    """Return the project that is billed, as far as the launch or the environment names one."""
    return _Chosen.project or os.environ.get("GOOGLE_CLOUD_PROJECT")


def credentials() -> Credentials:
    """Return the credentials that the launch has chosen. Raises GoogleAuthError if there are none."""
    return credentials_of(_Chosen.impersonated)


def credentials_of(impersonated: Sequence[str]) -> Credentials:
    """Return the credentials of the last account of a chain of impersonations, which may be empty."""
    import google.auth

    found, _ = google.auth.default(scopes=[SCOPE])
    if not impersonated:
        return cast("Credentials", found)
    from google.auth.impersonated_credentials import Credentials as Impersonated

    *delegates, account = impersonated
    return cast("Credentials", Impersonated(found, account, [SCOPE], delegates))


def account() -> str:
    """Return the e-mail address of the service account whose credentials are used, empty if it is not known."""
    from google.auth.exceptions import GoogleAuthError

    if _Chosen.impersonated:
        return _Chosen.impersonated[-1]
    try:
        email = getattr(credentials(), "service_account_email", None)
    except GoogleAuthError:
        return ""
    return str(email) if email and email != "default" else ""


def fault() -> str:
    """Return why no token can be had, with how to fix it; empty if one can. It takes at most some seconds."""
    from google.auth.exceptions import GoogleAuthError, RefreshError
    from google.auth.transport.requests import Request

    try:
        found = credentials()
        request = Request()
        found.refresh(lambda *args, **kwargs: request(*args, **{**kwargs, "timeout": _SECONDS}))
    except RefreshError as error:
        said = " ".join(str(error.args[0] if error.args else error).split())[:300]
        if not _Chosen.impersonated:
            return f"the Google Cloud credentials were refused: {said}; `{LOG_IN}`"
        target = _Chosen.impersonated[-1]
        grant = f"gcloud iam service-accounts add-iam-policy-binding {target} --member user:YOU"
        return (
            f"--impersonate_service_account {target}: denied: {said}; "
            f"`{grant} --role roles/iam.serviceAccountTokenCreator`"
        )
    except (GoogleAuthError, OSError, ValueError) as error:
        said = " ".join(str(error.args[0] if error.args else error).split())[:300]
        return f"the Google Cloud credentials cannot be used: {said}; `{LOG_IN}`"
    return ""


def has_credentials() -> bool:
    """Return within a second whether Google's libraries find credentials; without any, their search takes 20 s."""
    from google.auth import environment_vars
    from google.auth._cloud_sdk import get_application_default_credentials_path

    if os.environ.get(environment_vars.CREDENTIALS) or Path(get_application_default_credentials_path()).is_file():
        return True
    # Machines of other clouds have a server at this address too.
    server = http.client.HTTPConnection(
        os.environ.get(environment_vars.GCE_METADATA_HOST, "169.254.169.254"), timeout=1
    )
    try:
        server.request("GET", "/", headers={"Metadata-Flavor": "Google"})
        return server.getresponse().getheader("Metadata-Flavor") == "Google"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        server.close()
