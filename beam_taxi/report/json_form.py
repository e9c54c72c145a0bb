"""The report for programs: one JSON object, whose form `docs/report_json.md` describes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import TypeAlias, Union

from beam_taxi.report.findings.finding import Finding
from beam_taxi.run.manifest import InputEntry, RunManifest
from beam_taxi.run.profile import (
    STRING,
    DatasetProfile,
    Distinct,
    FeatureProfile,
    Histogram,
    Lengths,
    Profile,
    Tail,
    Values,
)
from beam_taxi.run.validation import ANOMALIES, CHECKS, DRIFT, NOT_EVALUATED, Validation

REPORT_VERSION = 1
"""Incremented if the meaning of a key changes, but not for a new key."""

Json: TypeAlias = Union[str, int, float, bool, Sequence["Json"], Mapping[str, "Json"], None]  # noqa: UP007 (a string is no operand of |)

_SHA256 = "sha256:"
_NO_TYPE = "MISSING"
"""The type in the manifest of a column that has no values."""


def report_json(
    profile: Profile,
    manifest: RunManifest | None = None,
    validation: Validation | None = None,
    findings: Sequence[Finding] = (),
) -> dict[str, Json]:
    """Return the report as JSON values, none of which is NaN or infinite.

    Without a manifest, what only a run knows is None or empty.

        json.dumps(report_json(profile), allow_nan=False)
    """
    results = _results(validation)
    return {
        "report_version": REPORT_VERSION,
        "run_id": manifest.run_id if manifest else None,
        "pipeline": manifest.pipeline_name if manifest else None,
        "date": manifest.settings.dates.date if manifest else None,
        "created": manifest.started if manifest else None,
        "verdict": manifest.validation.verdict if manifest else NOT_EVALUATED,
        "splits": {name: {"rows": one.rows} for name, one in profile.splits().items()},
        "splitting": manifest.settings.describe_splitting() if manifest else None,
        "leakage": asdict(manifest.leakage) if manifest and manifest.leakage else None,
        "features": [_feature(name, profile, manifest) for name in _names(profile, manifest)],
        "findings": [_finding(one) for one in findings],
        **{kind: [one for one in results if one["kind"] == kind] for kind in (ANOMALIES, CHECKS, DRIFT)},
        "provenance": _provenance(manifest),
    }


def to_text(report: Mapping[str, Json]) -> str:
    """Return the report as one line of ASCII, which any terminal and any program reads."""
    return json.dumps(report, separators=(",", ":"), allow_nan=False) + "\n"


def _names(profile: Profile, manifest: RunManifest | None) -> list[str]:
    """Return the features in the order of the table, then those that are not columns of it."""
    found = {name: None for one in profile.datasets for name in one.features}
    if manifest is None:
        return list(found)
    found |= {one.name: None for one in manifest.features}
    return [*(name for name in manifest.columns if name in found), *(n for n in found if n not in manifest.columns)]


def _feature(name: str, profile: Profile, manifest: RunManifest | None) -> dict[str, Json]:
    type_ = _type(name, profile, manifest)
    splits: dict[str, Json] = {}
    slices: dict[str, dict[str, Json]] = {}
    for dataset in profile.datasets:
        found = _figures(dataset, dataset.features.get(name), type_)
        if dataset.slice:
            slices.setdefault(dataset.slice, {})[dataset.split] = found
        else:
            splits[dataset.split] = found
    return {"name": name, "type": type_, "splits": splits, **({"slices": slices} if slices else {})}


def _type(name: str, profile: Profile, manifest: RunManifest | None) -> str:
    """Return the type of the values; without values, that of the manifest, else STRING."""
    profiles = [one.features[name] for one in profile.datasets if name in one.features]
    types = [one.type for one in profiles if one.values]
    types += [one.type for one in (manifest.features if manifest else ()) if one.name == name and one.type != _NO_TYPE]
    return types[0] if types else STRING


def _figures(dataset: DatasetProfile, found: FeatureProfile | None, type_: str) -> dict[str, Json]:
    # A type is that of values: TFDV calls a column without values STRING.
    one = found if found is not None and found.values else FeatureProfile(type_, 0, 0, counts=Values(complete=True))
    numbers: dict[str, Json] = {"zeros": one.zeros, "nan": one.nan, "infinite": one.infinite}
    return {
        "rows": dataset.rows,
        "present": one.present,
        "missing": dataset.rows - one.present,
        **({} if type_ == STRING else numbers),
        "mean": _finite(one.mean),
        "std": _finite(one.std),
        "min": _finite(one.min),
        "max": _finite(one.max),
        "distinct": _distinct(one.distinct, one.values),
        "percentiles": {
            name: {"value": _finite(found.value), "rank_error": found.rank_error}
            for name, found in one.percentiles.items()
        },
        "histogram": None if one.histogram is None else _histogram(one.histogram),
        "values": {
            "complete": one.counts.complete,
            "exact": one.counts.exact,
            **({} if one.counts.error is None else {"error": one.counts.error}),
            "counts": [{"value": _finite(pair.value), "count": pair.count} for pair in one.counts.counts],
        },
        "length": None if one.length is None else _lengths(one.length),
    }


def _distinct(found: Distinct, values: int) -> dict[str, Json]:
    is_known = found.exact or found.value > 0 or not values
    error: dict[str, Json] = {} if found.exact else {"error": found.error}
    return {"value": found.value if is_known else None, "exact": found.exact, **error}


def _lengths(found: Lengths) -> dict[str, Json]:
    return {"min": found.min, "mean": found.mean, "max": found.max}


def _histogram(found: Histogram) -> dict[str, Json]:
    edges = [found.low + found.width * i for i in range(len(found.counts) + 1)]
    if found.above:
        # The last bin is closed here, and a value at its end is one of those above.
        edges[-1] = math.nextafter(edges[-1], -math.inf)
    return {
        "exact": found.exact,
        "bins": [
            {"low": low, "high": high, "count": count}
            for (low, high), count in zip(pairwise(edges), found.counts, strict=True)
        ],
        "below": _tail(found.below, "min"),
        "above": _tail(found.above, "max"),
    }


def _tail(found: Tail | None, name: str) -> dict[str, Json]:
    return {"count": found.count, name: _finite(found.extreme)} if found else {"count": 0, name: None}


def _finding(one: Finding) -> dict[str, Json]:
    return {
        "kind": one.kind,
        "severity": one.severity,
        "title": one.title,
        "features": list(one.features),
        "splits": list(one.splits),
        "text": one.text,
        "evidence": {name: _finite(value) for name, value in one.evidence.items()},
    }


def _results(validation: Validation | None) -> list[dict[str, Json]]:
    """Return the results in the form of validation.json."""
    results: list[dict[str, Json]] = json.loads(validation.to_json_text())["results"] if validation else []
    return results


def _provenance(manifest: RunManifest | None) -> dict[str, Json]:
    if manifest is None:
        return {"inputs": [], "settings": None, "versions": {}}
    settings: Json = json.loads(json.dumps(manifest.settings.to_json()))
    inputs = [_input(one) for one in manifest.inputs]
    return {"inputs": inputs, "settings": settings, "versions": dict(sorted(manifest.versions.items()))}


def _input(one: InputEntry) -> dict[str, Json]:
    """Return an input; of a large file or a table, the content hash is not the SHA-256 of the bytes."""
    is_of_bytes = one.content_hash is not None and one.content_hash.startswith(_SHA256)
    sha256 = one.content_hash.removeprefix(_SHA256) if one.content_hash is not None and is_of_bytes else None
    return {
        "uri": one.uri,
        "format": one.format,
        "bytes": one.size,
        "sha256": sha256,
        "content_hash": one.content_hash,
        "rows": one.rows,
    }


def _finite(value: str | int | float | bool | None) -> str | int | float | bool | None:
    """Return a value; None if it is NaN or infinite, for which JSON has no number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
