"""The credentials for calls to Google Cloud: those that Google's libraries find, or impersonated ones."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from beam_taxi.errors import one_line

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
    return _Chosen.impersonated[-1] if _Chosen.impersonated else _own_account()


def member() -> str:
    """Return the caller as IAM names it, or `user:YOU` if the credentials do not contain an account."""
    return _member(account())


def _member(email: str) -> str:
    return f"serviceAccount:{email}" if email else "user:YOU"


def _own_account() -> str:
    """Return the account of the credentials before any impersonation."""
    from google.auth.exceptions import GoogleAuthError

    try:
        email = getattr(credentials_of(()), "service_account_email", None)
    except GoogleAuthError:
        return ""
    return str(email) if email and email != "default" else ""


def fault() -> str:
    """Return why no token can be had, with how to fix it; empty if one can. It takes at most some seconds."""
    return _fault_of(()) or (_fault_of(_Chosen.impersonated) if _Chosen.impersonated else "")


def _fault_of(impersonated: Sequence[str]) -> str:
    from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
    from google.auth.transport.requests import Request

    try:
        found = credentials_of(impersonated)
        request = Request()
        found.refresh(lambda *args, **kwargs: request(*args, **{**kwargs, "timeout": _SECONDS}))
    except RefreshError as error:
        if impersonated:
            return _denial(impersonated, _reason(error))
        return f"the Google Cloud credentials were refused: {_reason(error)}; `{LOG_IN}`"
    except TransportError as error:
        return f"no token for the Google Cloud credentials: {_reason(error)}; check the network, or try again later"
    except (GoogleAuthError, OSError, ValueError) as error:
        return f"the Google Cloud credentials cannot be used: {_reason(error)}; `{LOG_IN}`"
    return ""


def _denial(impersonated: Sequence[str], reason: str) -> str:
    """Return why an impersonation is denied; each account of a chain needs the role on the next."""
    told = f"--impersonate_service_account {','.join(impersonated)}: denied: {reason}"
    if re.search("SERVICE_DISABLED|has not been used in project|is disabled", reason):
        return f"{told}; `gcloud services enable iamcredentials.googleapis.com --project {project() or 'PROJECT'}`"
    members = map(_member, (_own_account(), *impersonated))
    grants = (
        f"`gcloud iam service-accounts add-iam-policy-binding {account} --member {member} "
        "--role roles/iam.serviceAccountTokenCreator`"
        for account, member in zip(impersonated, members, strict=False)
    )
    return f"{told}; {', '.join(grants)}"


def _reason(error: BaseException) -> str:
    """Return in one line why there is no token: the second argument may be the answer, which says more."""
    said = str(error.args[0] if error.args else error)
    with suppress(IndexError, ValueError, LookupError, TypeError):
        said = json.loads(error.args[1])["error"]["message"]
    return one_line(said)


def has_credentials() -> bool:
    """Return within a second whether Google's libraries find credentials; without any, their search takes 20 s."""
    import http.client

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
