"""From the messages of a job that failed on Dataflow to the line that names the cause.

The last message seldom does: a job that never got a machine ends with "Workflow failed.", a job that lost its workers
with a list of them. https://cloud.google.com/dataflow/docs/guides/common-errors
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from beam_taxi.launch.traces import cause_of, find_error

_LONGEST = 500
_TRACE = re.compile(r"^\s*Traceback \(most recent call last\)|^Caused by: ", re.M)
_ROOT_CAUSE = re.compile(r"Root cause: (.+?)(?:\.?\s*For more information.*|,?\s*Worker ID:.*|[.,]*\s*)$", re.M)
_STEP = re.compile(r" \[while running .*", re.S)
_CHAIN = re.compile(r"\bCauses:|(?<=\.),\s")
_PREFIX = re.compile(r"^(?:\(?[0-9a-f]{12,16}\)?: |Error message from worker: |generic::\w+: )+")

_NO_CAUSE = re.compile(
    r"""Workflow\ failed
    |[SF]\d+:.*\ failed
    |(The\ job\ failed\ because\ a|A)\ work\ item\ (has\ failed|was\ attempted)
    |Look\ in\ previous\ log\ entries
    |If\ the\ logs\ only\ contain\ generic\ timeout
    |For\ more\ information,
    |The\ work\ item\ was\ attempted\ on
    |Worker\ ID:
    |[\w-]+-harness-\w+,?$
    |Stopp(ing|ed)\ |Clean(ing|ed)\ up|Worker\ pool\ stopped|Finished\ operation|Executing\ (failure|success)
    |(Please\ )?see\ https?://\S+$
    """,
    re.X | re.I,
)
"""How lines begin that follow from a failure, and do not name its cause."""

_BEFORE_TRACES = (
    r"RESOURCE_POOL_EXHAUSTED|does not have enough resources|\bstockout\b",
    r"QUOTA_EXCEEDED|insufficient quota|quota '.* exceeded|quota exceeded for|rateLimitExceeded",
    r"PERMISSION_DENIED|SERVICE_DISABLED|permission|does not have [\w.]+ access|\bforbidden\b|access denied",
    r"(pull\w*|fetch\w*) (the )?(container )?image|ImagePullBackOff|ErrImagePull|manifest unknown",
    r"out of memory|lack of memory|MemoryError|OutOfMemoryError|OOM[- ]?kill",
)
_LOST = r"lost contact|waiting for an update from the worker|SDK (harness \S+ )?disconnected|no worker activity"
_CONTINUES = r"Autoscaling: "
"""How messages begin after which a job continues, with fewer workers."""
_TRACE_RANK = len(_BEFORE_TRACES)


class _Line(NamedTuple):
    """A line that may name the cause; the lower the rank, the better."""

    rank: int
    text: str


def cause_of_messages(texts: Sequence[str]) -> str:
    """Return the cause of a failure in one line, from the error messages of a job, oldest first.

    If a worker raised an error of ours, it is the message of that error. Empty if no message names a cause.
    """
    known = find_error("\n".join(texts))
    if known is not None:
        return str(known)
    lines = [line for text in texts for line in _lines(text)]
    if not lines:
        return ""
    # Of several of a kind, the last: earlier attempts may have failed for another reason.
    best = min(line.rank for line in lines)
    found = next(line.text for line in reversed(lines) if line.rank == best)
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 1]}…"


def _lines(text: str) -> Iterator[_Line]:
    """Yield the lines of a message that may name the cause."""
    if _TRACE.search(text):
        cause = _one_line(cause_of(text))
        yield _Line(min(_rank(cause), _TRACE_RANK), cause)
        return
    roots = _ROOT_CAUSE.findall(text)
    if roots:
        cause = _one_line(roots[-1]) + (f" ({len(roots)} attempts)" if len(roots) > 1 else "")
        yield _Line(_rank(cause), cause)
        return
    for line in text.splitlines():
        parts = [_PREFIX.sub("", part.strip()) for part in _CHAIN.split(line)]
        named = [part for part in parts if part and not _NO_CAUSE.match(part)]
        if named:
            cause = _one_line(_STEP.sub("", named[-1]))
            yield _Line(_rank(cause), cause)


def _rank(text: str) -> int:
    """Return how well a line names a cause, 0 for best."""
    if re.match(_CONTINUES, text):
        return _TRACE_RANK + 3
    for rank, pattern in enumerate(_BEFORE_TRACES):
        if re.search(pattern, text, re.I):
            return rank
    return _TRACE_RANK + (1 if re.search(_LOST, text, re.I) else 2)


def _one_line(text: str) -> str:
    return " ".join(text.split())
