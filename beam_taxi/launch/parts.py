"""The runs that a merge is of: their manifests, and whether they fit together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from beam_taxi import storage
from beam_taxi.errors import DataError, UsageError
from beam_taxi.flags import Option, values_of
from beam_taxi.run.folder import MANIFEST, RunFolder
from beam_taxi.run.manifest import FeatureEntry, PartEntry, RunManifest

MISSING, INT, FLOAT = "MISSING", "INT", "FLOAT"
"""Types of features."""

_SHAPING = ("columns", "drop_columns", "splits", "split_key", "split_column", "split_by", "stratify")
"""Options that decide which columns and rows a split has."""


@dataclass(frozen=True)
class Part:
    """A run at `uri`, where it may have been moved after its manifest was written."""

    uri: str
    manifest: RunManifest

    @property
    def entry(self) -> PartEntry:
        """What the merged manifest says of the run."""
        return PartEntry(self.uri, self.manifest.run_id, self.manifest.digest())


def open_parts(uris: Sequence[str]) -> list[Part]:
    """Return the runs at some URIs, which are those of their folders or manifests, ordered by run id and digest.

    Raises UsageError with all faults at once, and DataError if columns of two runs have types that do not go together.
    """
    parts, faults = [], []
    for uri in uris:
        try:
            parts.append(_open(uri))
        except UsageError as error:
            faults.append(str(error))
    parts.sort(key=lambda one: (one.manifest.run_id, one.entry.digest, one.uri))
    faults += [fault for part in parts for fault in _faults(part)]
    faults += _different_options(parts)
    faults += _same_inputs(parts)
    if faults:
        raise UsageError("; ".join(dict.fromkeys(faults)))
    merged_features(parts)
    return parts


def _open(uri: str) -> Part:
    uri = storage.absolute(uri).removesuffix(f"/{MANIFEST}")
    folder = RunFolder(uri)
    if not folder.is_whole():
        raise UsageError(f"{uri}: has no {MANIFEST}: not a finished run")
    # The folder may have been moved.
    return Part(uri, replace(folder.read_manifest(), run_uri=uri))


def _faults(part: Part) -> Iterator[str]:
    manifest = part.manifest
    if not manifest.sketch_files and any(split.rows for split in manifest.splits):
        yield f"{part.uri}: was made by a release that kept no sketches to merge; run it again"
    if not manifest.validation.accepted:
        verdict, fail_on = manifest.validation.verdict, ",".join(manifest.validation.fail_on)
        yield f"{part.uri}: was not accepted (verdict: {verdict}, --fail_on {fail_on}); leave it out"


def _different_options(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the options of statistics, columns and splits that are not the same in all runs.

    A slice or a column that one of the runs left out would be counted as if its rows did not have it, and splits of one
    name would not be of the same rows.
    """
    for part in parts[1:]:
        for (option, one), (_, other) in zip(_options(parts[0]), _options(part), strict=True):
            if one != other:
                words = [" ".join(option.words(value)) if value else "none" for value in (one, other)]
                yield f"--{option.name} differs: {words[0]} in {parts[0].uri}, {words[1]} in {part.uri}; run one again"


def _options(part: Part) -> list[tuple[Option, object]]:
    settings = part.manifest.settings
    shaping = [one for one in values_of(settings) if one[0].name in _SHAPING]
    return [*values_of(settings.statistics), *shaping]


def _same_inputs(parts: Sequence[Part]) -> Iterator[str]:
    """Yield inputs whose rows would be counted twice. Content without rows may be that of several files."""
    known: dict[str, tuple[str, str]] = {}
    for part in parts:
        found = {one.content_hash: one.uri for one in part.manifest.inputs if one.content_hash and one.records}
        for content, uri in found.items():
            if content in known:
                first, run = known[content]
                yield f"{uri} of {part.uri} has the content of {first} of {run}, so its rows would be counted twice"
        known = {content: (uri, part.uri) for content, uri in found.items()} | known


def merged_features(parts: Sequence[Part]) -> tuple[FeatureEntry, ...]:
    """Return the features of all runs by name, with the types that they have together.

    A column of integers in one run and of floats in another has floats, as if one run had read all rows. Raises
    DataError if a column has numbers in one run and strings in another: as what its numbers were written is not known.
    """
    found: dict[str, tuple[str, Part]] = {}
    for part in parts:
        for feature in part.manifest.features:
            known, first = found.get(feature.name, (MISSING, part))
            if known == MISSING:
                found[feature.name] = feature.type, part
            elif feature.type not in (known, MISSING):
                found[feature.name] = _common(feature, known, first, part), part
    return tuple(FeatureEntry(name, type_) for name, (type_, _) in found.items())


def _common(feature: FeatureEntry, known: str, first: Part, part: Part) -> str:
    if {feature.type, known} == {INT, FLOAT}:
        return FLOAT
    raise DataError(
        f"column {feature.name!r} is {known} in {first.uri} and {feature.type} in {part.uri}; run one of them again "
        f"with --types {feature.name}:STRING"
    )
