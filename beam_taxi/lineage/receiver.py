"""Where events are posted: the service at OPENLINEAGE_URL, by the variables of OpenLineage's own client.

That client (openlineage-python) is not used: its import takes as long as the whole job on a small table, it brings a
second HTTP library, and it tries again for longer than a run should wait.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Thread
from urllib.parse import urljoin, urlsplit

from beam_taxi.errors import BeamTaxiError, UsageError, one_line

URL, ENDPOINT, API_KEY = "OPENLINEAGE_URL", "OPENLINEAGE_ENDPOINT", "OPENLINEAGE_API_KEY"
NAMESPACE, DISABLED = "OPENLINEAGE_NAMESPACE", "OPENLINEAGE_DISABLED"

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 3.0
"""The time that a connection, and then the answer, may take."""

LIMIT_SECONDS = CONNECT_SECONDS + ANSWER_SECONDS
"""The time that a request may take in all, whatever happens, so that nobody waits for a receiver."""

_DEFAULT_ENDPOINT = "api/v1/lineage"


@dataclass(frozen=True)
class Receiver:
    """A service that takes events at `url`. Picklable; the API key is read from the variable where events are posted.

    receiver_of(os.environ).post(event)
    """

    url: str

    def post(self, event: bytes) -> None:
        """Post an event, one JSON object. Raises BeamTaxiError if the receiver does not take it in time."""
        Posting(self, event).wait()

    def send(self, event: bytes) -> None:
        """Post an event; a receiver that answers slowly can hold this up. Raises BeamTaxiError."""
        import requests

        headers = {"Content-Type": "application/json"}
        key = os.environ.get(API_KEY, "").strip()
        if not (key.isascii() and key.isprintable()):
            # An error of the library would show it.
            raise BeamTaxiError(f"{API_KEY}: must be one line of ASCII")
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            # Nothing is sent elsewhere, and what the answer says is not read.
            limits = (CONNECT_SECONDS, ANSWER_SECONDS)
            with requests.post(
                self.url, event, headers=headers, timeout=limits, allow_redirects=False, stream=True
            ) as answer:
                status, reason = answer.status_code, answer.reason
        except requests.Timeout as error:
            limit = CONNECT_SECONDS if isinstance(error, requests.ConnectTimeout) else ANSWER_SECONDS
            raise _too_slow(self.url, limit) from error
        except (requests.RequestException, OSError, ValueError) as error:
            raise BeamTaxiError(f"{URL} {self.url}: {_cause(error)}") from error
        if not 200 <= status < 300:
            hint = f"; check {API_KEY}" if status in (401, 403) else ""
            raise BeamTaxiError(f"{URL} {self.url}: HTTP {status} {one_line(reason)}{hint}")


class Posting:
    """An event that is being posted, in a thread of its own."""

    def __init__(self, receiver: Receiver, event: bytes) -> None:
        # A thread that imports a module can block the import of another in this thread.
        import requests  # noqa: F401

        self._receiver = receiver
        self._error: Exception | None = None
        self._deadline = time.monotonic() + LIMIT_SECONDS
        self._thread = Thread(target=self._send, args=(event,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the event is posted, and the thread has ended, since a process with threads cannot be forked.

        Raises BeamTaxiError if it was not posted, or not within the limit.
        """
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._thread.is_alive():
            raise _too_slow(self._receiver.url, LIMIT_SECONDS)
        if self._error is not None:
            raise self._error

    def _send(self, event: bytes) -> None:
        try:
            self._receiver.send(event)
        # It is raised where the event is waited for.
        except Exception as error:
            self._error = error


def receiver_of(variables: Mapping[str, str]) -> Receiver | None:
    """Return the receiver that environment variables name, None if they name none. Raises UsageError."""
    url = variables.get(URL, "").strip()
    if not url or variables.get(DISABLED, "").strip().lower() == "true":
        return None
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise UsageError(f"{URL}: must be http://HOST:PORT or https://HOST")
    if parts.username is not None:
        raise UsageError(f"{URL}: must not have a user or a password; use {API_KEY}")
    endpoint = variables.get(ENDPOINT, "").strip() or _DEFAULT_ENDPOINT
    return Receiver(urljoin(url, endpoint))


def _too_slow(url: str, limit: float) -> BeamTaxiError:
    return BeamTaxiError(f"{URL} {url}: no answer within {limit:.0f} s")


def _cause(error: BaseException) -> str:
    """Return the innermost reason of an error: requests and urllib3 wrap it several times."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return one_line(reason)
