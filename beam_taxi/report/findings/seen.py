"""What is seen in one split, and how that of several splits becomes one finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from beam_taxi.report.figures import number, printable
from beam_taxi.report.findings.finding import SEVERITIES, Evidence, Finding
from beam_taxi.report.findings.kinds import TITLES, weight
from beam_taxi.run.profile import STRING, Distinct, FeatureProfile, Lengths, Text, Value, ValueCount, Values

_SHOWN = 3
"""Maximum number of columns, values or splits in a text."""

_LONGEST = 60
"""Maximum number of characters of a value in a text."""


@dataclass(frozen=True)
class Part:
    """A column in one split, or in all of them together if `split` is empty."""

    split: str
    rows: int
    feature: FeatureProfile


@dataclass(frozen=True)
class Column:
    """A column in each split that has rows."""

    name: str
    parts: tuple[Part, ...]
    is_label: bool = False

    @cached_property
    def texts(self) -> tuple[Part, ...]:
        """The parts with strings: all of them together if all of their values are known, else each of them."""
        parts = tuple(part for part in self.parts if part.feature.type == STRING and part.feature.values)
        if len(parts) < 2 or not all(part.feature.counts.complete for part in parts):
            return parts
        return (Part("", sum(part.rows for part in self.parts), _together([part.feature for part in parts])),)

    def having(self, values: Collection[Value]) -> tuple[str, ...]:
        """Return the splits in which one of the values is known to occur."""
        return tuple(
            part.split for part in self.parts if any(each.value in values for each in part.feature.counts.counts)
        )


def _together(features: Sequence[FeatureProfile]) -> FeatureProfile:
    """Return the profile of strings of several splits, all of whose values are known."""
    counts: Counter[Value] = Counter()
    examples: dict[str, str] = {}
    for one in features:
        counts.update({each.value: each.count for each in one.counts.counts})
        examples = {**(one.text.examples if one.text is not None else {}), **examples}
    texts = [one.text for one in features if one.text is not None]
    lengths = [one.length for one in features if one.length is not None]
    values = sum(one.values for one in features)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], str(each[0])))
    return FeatureProfile(
        STRING,
        sum(one.present for one in features),
        values,
        distinct=Distinct(len(counts)),
        counts=Values(tuple(ValueCount(*each) for each in ordered), True),
        length=Lengths(
            min(one.min for one in lengths),
            sum(one.length.mean * one.values for one in features if one.length is not None) / values,
            max(one.max for one in lengths),
        )
        if lengths
        else None,
        text=Text(sum(one.padded for one in texts), sum(one.numbers for one in texts), examples),
    )


@dataclass(frozen=True)
class Seen:
    """Something in a split, or in all of them together if `split` is empty; then `within` are those that have it.

    `text` is what follows the name of the column and `link`, and `figure` its number in brief. `share` is the share of
    the rows that it affects. What has the same `kind` and `about` is the same thing.
    """

    kind: str
    severity: str
    split: str
    text: str
    figure: str
    share: float
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    about: str = ""
    link: str = ": "
    within: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, float]:
        """Sort key: the most important first."""
        return SEVERITIES.index(self.severity), -self.share


def findings(features: Sequence[str], found: Iterable[Seen], splits: Sequence[str]) -> list[Finding]:
    """Return a finding for each thing that was seen in some of the splits, as in the split where it is worst."""
    things: dict[tuple[str, str], list[Seen]] = {}
    for one in found:
        things.setdefault((one.kind, one.about), []).append(one)
    return [_finding(features, same, splits) for same in things.values()]


def _finding(features: Sequence[str], same: Sequence[Seen], splits: Sequence[str]) -> Finding:
    worst, *others = sorted(same, key=lambda one: (one.rank, splits.index(one.split) if one.split else -1))
    seen_in = worst.within if not worst.split else tuple(s for s in splits if any(one.split == s for one in same))
    everywhere = len(seen_in) in (0, len(splits))
    place = _place(worst, others, splits)
    evidence = {**worst.evidence, "split": worst.split} if place and worst.split else dict(worst.evidence)
    return Finding(
        worst.kind,
        worst.severity,
        TITLES[worst.kind],
        named(features, worst.link) + worst.text + place,
        tuple(features),
        () if everywhere else seen_in,
        evidence,
        weight(worst.kind, worst.share),
    )


def _place(worst: Seen, others: Sequence[Seen], splits: Sequence[str]) -> str:
    """Return in which splits it was seen, with the figures of those that the text does not tell of."""
    if len(splits) == 1 or (len(others) == len(splits) - 1 and all(one.text == worst.text for one in others)):
        return ""
    if not worst.split:
        return (
            f" (in {listed([printable(one) for one in worst.within])})" if 0 < len(worst.within) < len(splits) else ""
        )
    words = [f"in {printable(worst.split)}"]
    words += [f"{one.figure} in {printable(one.split)}" for one in others[:_SHOWN]]
    if len(others) > _SHOWN:
        words.append(f"{len(others) - _SHOWN:,} more")
    return f" ({'; '.join(words)})"


def named(features: Sequence[str], link: str = ": ") -> str:
    """Return the names of columns as the beginning of a text."""
    return listed([printable(one) for one in features]) + link if features else ""


def listed(words: Sequence[str], most: int = _SHOWN) -> str:
    """Return words as a list in a sentence; of too many, the first, and how many more there are."""
    if len(words) > most + 1:
        return f"{', '.join(words[:most])} and {len(words) - most:,} more"
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def shown(value: Value) -> str:
    """Return a value for a text, with white space that can be seen."""
    return f"'{printable(value, _LONGEST)}'" if isinstance(value, str) else number(value)
