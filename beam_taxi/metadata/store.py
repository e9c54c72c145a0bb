"""Open an ML Metadata store, and turn its errors into those of this package."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata import waiting
from beam_taxi.metadata.address import StoreAddress, StoreError, parse_address
from beam_taxi.metadata.mlmd import MetadataStore
from beam_taxi.metadata.stores.base import OTHER_VERSION, StoreFailure, StoreStalled, one_line

Store = StoreAddress | str
"""The address of a store, or its URI, for which the password comes from the environment."""

_HALF_MADE_SECONDS = 4.0
_HALF_MADE = ("subset of tables in MLMD", "no schema_version can be found")
_TABLES = re.compile(r"present tables: .*?, missing tables: \w+(, \w+)*")
_GONE = ("Lost connection", "gone away", "failed to connect", "Deadline Exceeded", "Socket closed")
_OVERTAKEN = ("try restarting transaction", "Duplicate entry")
"""A deadlock or an old snapshot; and a property that another process has added meanwhile, which is then updated."""
_OVERTAKEN_SECONDS = 6.0


def reap_command(store: Store, run_id: str, force: bool = False) -> str:
    """Return the command that ends the record of a run that has died, or whose job has ended."""
    uri = store if isinstance(store, str) else store.uri
    return f"python -m beam_taxi runs reap {run_id} --metadata_store '{uri}'{' --force' if force else ''}"


@contextmanager
def open_store(store: Store, write: bool = False) -> Iterator[MetadataStore]:
    """Yield a MetadataStore for one operation. It is never reused after an error, since it may then crash.

    Each call has a time limit. Raises StoreError if the store cannot be used or does not answer, UsageError if a name
    is too long for it, and StoreFailure if it fails during the operation.
    """
    address = parse_address(store) if isinstance(store, str) else store
    if address is None:
        raise UsageError("--metadata_store none: nothing is recorded")
    from ml_metadata import errors

    with waiting.waiting_for(address.uri), address.lock(write):
        connection = connect(address, write)
        try:
            yield connection
        except errors.DeadlineExceededError as error:
            raise _stalled(address) from error
        except (RuntimeError, errors.StatusError) as error:
            raise _failure(address, one_line(error)) from error
        finally:
            address.close(connection)


def connect(address: StoreAddress, write: bool) -> MetadataStore:
    """Return a MetadataStore, which `address` must close. Raises StoreError."""
    from ml_metadata import errors

    address.probe(write)
    # While another process creates the schema of an empty MySQL database, only part of it is visible.
    deadline = time.monotonic() + _HALF_MADE_SECONDS
    while True:
        try:
            return _Restarting(_quietly(address, write))
        except errors.DeadlineExceededError as error:
            raise _stalled(address) from error
        except (RuntimeError, errors.StatusError) as error:
            text = one_line(error)
            half_made = any(sign in text for sign in _HALF_MADE)
            if not half_made or time.monotonic() > deadline:
                raise _refusal(address, text, half_made) from error
        time.sleep(0.1)


def _quietly(address: StoreAddress, write: bool) -> MetadataStore:
    """Open a MetadataStore without its debug logging, which includes the configuration and so the password."""
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)
    try:
        return address.open(write, waiting.limit_of(address.uri))
    finally:
        absl.setLevel(level)


class _Restarting:
    """A MetadataStore whose calls, each a transaction, are retried if the database asks for it after a conflict.

    ML Metadata gives up if MariaDB 11.6 or later rejects a snapshot. What it retries itself, an aborted transaction, it
    tries five times with waits of 2 s on average, and then fails; of eight writers some do. So it tries once.
    https://github.com/google/ml-metadata/blob/v1.17.1/ml_metadata/metadata_store/metadata_store.py#L203
    """

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self._store._max_num_retries = 1

    def __getattr__(self, name: str) -> Any:
        from ml_metadata import errors

        once = getattr(self._store, name)

        def call(*args: Any, **more: Any) -> Any:
            deadline = time.monotonic() + _OVERTAKEN_SECONDS
            while True:
                try:
                    return once(*args, **more)
                except (RuntimeError, errors.StatusError) as error:
                    if not _is_overtaken(error) or time.monotonic() > deadline:
                        raise
                time.sleep(random.uniform(0, 0.05))

        return call


def _is_overtaken(error: Exception) -> bool:
    """Return whether a call failed since another process was first, so that the same call may succeed now."""
    from ml_metadata import errors

    if isinstance(error, errors.AlreadyExistsError):
        # Whether an entry exists decides who starts and who ends a run.
        return False
    return isinstance(error, errors.AbortedError) or any(one in str(error) for one in _OVERTAKEN)


def _stalled(address: StoreAddress) -> StoreStalled:
    seconds = waiting.limit_of(address.uri)
    return StoreStalled(f"{address.uri}: no answer within {seconds:.0f} s: is {address.suspect} stuck?")


def _refusal(address: StoreAddress, text: str, half_made: bool) -> StoreError:
    advice = f"ML Metadata cannot use it: {text}; inspect it, or choose another store"
    if half_made:
        tables = _TABLES.search(text)
        advice = (
            f"its schema is incomplete{f' ({tables.group()})' if tables else ''}: the first `python -m beam_taxi runs "
            "init` failed or was killed, or another program has such tables; restore or drop them, then run "
            f"`python -m beam_taxi runs init --metadata_store '{address.uri}'`, which says what stops it"
        )
    elif "SQL syntax" in text:
        advice = f"the name of the database must consist of letters, digits and '_', and not be a word of SQL: {text}"
    elif "Access denied" in text or "command denied" in text:
        advice = f"grant the user all rights on the database, even if it exists: {text}"
    elif "library version" in text:
        advice = f"{OTHER_VERSION}: {text}"
    return StoreError(f"{address.uri}: {advice}")


def _failure(address: StoreAddress, text: str) -> BeamTaxiError:
    if "Data too long for column 'name'" in text:
        return UsageError(
            f"{address.uri}: its names have at most 255 characters, which --pipeline_name and --run_id exceed together"
        )
    is_gone = "; is it still up?" if any(sign in text for sign in _GONE) else ""
    return StoreFailure(f"{address.uri}: the store failed: {text}{is_gone}")
