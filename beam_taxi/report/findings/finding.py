"""A finding: something in the data that a person should know, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)

Evidence = str | int | float | bool | None


@dataclass(frozen=True)
class Finding:
    """Something that stands out.

    `kind` is a word for programs, such as `outliers`, and `title` says the same to people. `text` is one sentence with
    the numbers, and `evidence` has them again. `features` and `splits` are empty if the finding is about all of them.
    `weight` ranks findings of one severity, the greatest first.
    """

    kind: str
    severity: str
    title: str
    text: str
    features: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    weight: float = 0.0
