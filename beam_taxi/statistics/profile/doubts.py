"""Warnings about splits and slices that are not as users may expect."""

from __future__ import annotations

import math
from collections.abc import Iterator

from beam_taxi.run.profile import Profile
from beam_taxi.settings import Settings

_DEVIATIONS = 5
"""Standard deviations beyond which the sizes of splits are not due to chance."""

_MANY_SLICES = 100


def doubts(profile: Profile, settings: Settings) -> Iterator[str]:
    """Yield a warning if equal rows make the splits uneven, and one if there are many slices."""
    yield from _uneven_splits(profile, settings)
    slices = len({one.slice for one in profile.datasets if one.slice})
    if slices > _MANY_SLICES:
        names = ",".join(settings.statistics.slice_features)
        yield f"--slice_features {names} makes {slices:,} slices, each with statistics of its own in memory"


def _uneven_splits(profile: Profile, settings: Settings) -> Iterator[str]:
    if not settings.splitting.by_hash or settings.splitting.stratify:
        return
    splits = profile.splits()
    rows = sum(one.rows for one in splits.values())
    given = {split.name: split.weight or 0 for split in settings.splits}
    weights = {name: weight / sum(given.values()) for name, weight in given.items()}
    uneven = any(
        abs(splits[name].rows - rows * share) > _DEVIATIONS * math.sqrt(rows * share * (1 - share))
        for name, share in weights.items()
    )
    if not uneven:
        return
    found = _listed([f"{splits[name].rows / rows:.0%}" for name in weights])
    wanted = _listed([f"{share:.0%}" for share in weights.values()])
    key = settings.splitting.key
    if len(key) == 1:
        columns = [one.features.get(key[0]) for one in splits.values()]
        values = sum(one.distinct.value for one in columns if one is not None)
        why = f"--split_key {key[0]} has only {values:,} distinct values, and rows of one value go to the same split"
    elif key:
        why = f"rows with the same values of --split_key {','.join(key)} go to the same split"
    else:
        distinct = rows - sum(one.duplicates.rows for one in splits.values() if one.duplicates is not None)
        why = (
            f"only {distinct:,} of {rows:,} rows are distinct, and equal rows go to the same split; "
            "--split_key splits by a column instead"
        )
    yield f"the splits have {found} of the rows instead of {wanted}: {why}"


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
