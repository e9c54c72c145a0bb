"""Values that are the same but for how they are spelled."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MOST_CATEGORIES = 200
"""Maximum number of values among which a typing error is looked for: among many words, some are alike by chance."""

_FEW_CATEGORIES = 20
"""Number of categories up to which two rare ones that differ by a letter are not both meant."""

_MORE_FREQUENT = 4
"""A spelling in another case is an error if the other one is this many times more frequent."""

_SHORTEST = 5
"""Minimum number of letters of a value with a typing error."""

_RARER, _MOST_ERRORS = 20, 0.005
"""A typing error is this many times rarer than the value that was meant, and at most this share of all."""

_PUNCTUATION = frozenset("._-/'\u2019`\",&")
_LETTERS = 4
"""Minimum number of letters of a value whose punctuation does not matter, so that A- and A are two grades."""


@dataclass(frozen=True)
class Variant:
    """A value, and a more frequent one that it is a spelling of."""

    variant: str
    count: int
    common: str
    common_count: int
    by_white_space: bool = False
    is_sure: bool = True


def variants(counts: Mapping[str, int]) -> list[Variant]:
    """Return the variants of each value, the most frequent first."""
    found = [*_folded(counts), *_mistyped(counts)]
    return sorted(found, key=lambda one: (-one.count, one.variant))


def _folded(counts: Mapping[str, int]) -> Iterator[Variant]:
    groups: dict[str, list[str]] = {}
    for value in counts:
        groups.setdefault(_key(value), []).append(value)
    for key, values in groups.items():
        if key:
            common, *others = sorted(values, key=lambda value: (-counts[value], value))
            for value in others:
                same = _without_white_space(value) == _without_white_space(common)
                # If both are frequent, two values may be meant.
                is_sure = same or counts[value] * _MORE_FREQUENT <= counts[common]
                yield Variant(value, counts[value], common, counts[common], same, is_sure)


def _without_white_space(value: str) -> str:
    """Return a value without white space and invisible characters."""
    return "".join(c for c in value if not c.isspace() and unicodedata.category(c) not in ("Cf", "Cc", "Zs"))


def _key(value: str) -> str:
    """Return a value without case, white space, compatibility forms, and the punctuation of words."""
    folded = unicodedata.normalize("NFKC", _without_white_space(value)).casefold()
    letters = sum(map(str.isalpha, folded))
    if letters < _LETTERS or any(map(str.isdigit, folded)):
        # Spaces between digits tell 1 12 from 11 2.
        return unicodedata.normalize("NFKC", " ".join(value.split())).casefold()
    return "".join(c for c in folded if c not in _PUNCTUATION)


def _mistyped(counts: Mapping[str, int]) -> Iterator[Variant]:
    """Yield rare values that differ by one letter, not the first, from a frequent one, or from another rare one."""
    if len(counts) > _MOST_CATEGORIES:
        return
    total = sum(counts.values())
    for value, count in counts.items():
        if count > _MOST_ERRORS * total or len(value) < _SHORTEST:
            continue
        rare = _MOST_ERRORS * total
        others = [one for one, n in counts.items() if one != value and (n >= _RARER * count or n <= rare)]
        alike = [one for one in others if (counts[one], value) >= (count, one) and _is_typing_error(value, one)]
        if alike:
            meant = max(alike, key=lambda one: (counts[one], one))
            is_sure = counts[meant] >= _RARER * count or len(counts) <= _FEW_CATEGORIES
            yield Variant(value, count, meant, counts[meant], is_sure=is_sure)


def _is_typing_error(one: str, two: str) -> bool:
    """Return whether a letter was changed, left out, added, or swapped with the next one."""
    if abs(len(one) - len(two)) > 1 or len(two) < _SHORTEST or one[0] != two[0] or _key(one) == _key(two):
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    end = 0
    while end < min(len(one), len(two)) - start and one[-1 - end] == two[-1 - end]:
        end += 1
    rest, other = one[start : len(one) - end], two[start : len(two) - end]
    if not (rest + other).isalpha():
        return False
    return max(len(rest), len(other)) <= 1 or (len(rest) == 2 and rest == other[::-1])
