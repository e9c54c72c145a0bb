"""What a report says about the run as a whole, from its manifest."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2

from beam_taxi.report.figures import number, percent, plural, printable, size
from beam_taxi.run.manifest import InputEntry, RunManifest
from beam_taxi.settings import GIVEN_SCHEMA, Settings, command_line

_FILES = 200
"""Maximum number of input files listed; the manifest has all of them."""


@dataclass(frozen=True)
class Verdict:
    """`state` is `anomalies`, `none` or `unvalidated`, which means that nothing was compared, not that all is well."""

    state: str
    title: str
    text: str


@dataclass(frozen=True)
class Part:
    """Some of the records: those of a split, or the rejected ones."""

    name: str
    count: int
    share: float


@dataclass(frozen=True)
class InputRow:
    """What became of an input file."""

    uri: str
    size: str
    records: str
    parts: tuple[str, ...]
    blank_lines: str
    content_hash: str


@dataclass(frozen=True)
class Counts:
    """The records read, and the parts they went to, which add up to them; `inputs` has the first of the files."""

    records: int
    parts: tuple[Part, ...]
    blank_lines: int
    files: int
    inputs: tuple[InputRow, ...]
    rejects: tuple[tuple[str, int, str], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Artifact:
    """An artifact of the run, its folder, and what it consists of."""

    name: str
    type_name: str
    path: str
    content: str


@dataclass(frozen=True)
class Provenance:
    """Where the run came from; `command` repeats it."""

    facts: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    artifacts: tuple[Artifact, ...]
    command: str
    command_note: str


def verdict(anomalies: Mapping[str, anomalies_pb2.Anomalies], manifest: RunManifest | None) -> Verdict:
    """Return the verdict, in one of three states."""
    if not anomalies:
        if manifest is None:
            why = "These are statistics without a schema, so the data was not validated."
        elif manifest.settings.schema:
            why = "The given schema set the types of the columns; the data was not validated against it."
        else:
            why = "No schema was given, so the data was not validated. Add `--schema FILE`."
        return Verdict("unvalidated", "Not validated", why)
    features = {name for one in anomalies.values() for name in one.anomaly_info}
    empty = [split for split, one in anomalies.items() if one.data_missing]
    splits = ", ".join(anomalies)
    if features or empty or any(one.HasField("dataset_anomaly_info") for one in anomalies.values()):
        count = sum(len(info.reason) or 1 for one in anomalies.values() for info in one.anomaly_info.values())
        count += sum(one.HasField("dataset_anomaly_info") for one in anomalies.values()) + len(empty)
        text = f"In {plural(len(features), 'feature')}; compared with the schema: {splits}."
        text += f" No rows in: {', '.join(empty)}." if empty else ""
        return Verdict("anomalies", plural(count, "anomaly", "anomalies"), text)
    return Verdict("none", "No anomalies", f"Compared with the schema: {splits}.")


def count(manifest: RunManifest) -> Counts:
    """Return the counts of a run; rejects are counted as records that were read."""
    inputs = manifest.inputs
    rejects = manifest.count_rejects()
    records = sum(one.records for one in inputs)
    parts = [
        Part(printable(split.name), split.rows or 0, (split.rows or 0) / max(records, 1)) for split in manifest.splits
    ]
    parts.append(Part("rejected", rejects.total(), rejects.total() / max(records, 1)))
    return Counts(
        records,
        tuple(parts),
        sum(one.blank_lines for one in inputs),
        len(inputs),
        tuple(_input(one, [split.name for split in manifest.splits]) for one in inputs[:_FILES]),
        tuple(
            (printable(code), n, percent(n / records)) for code, n in sorted(rejects.items(), key=lambda x: (-x[1], x))
        ),
        tuple(printable(warning, 500) for warning in manifest.warnings),
    )


def _input(one: InputEntry, splits: Sequence[str]) -> InputRow:
    rejected = sum(one.rejects.values())
    return InputRow(
        printable(one.uri, 500),
        size(one.size),
        number(one.records),
        (*(number(one.split_rows[split]) for split in splits), number(rejected)),
        number(one.blank_lines),
        one.content_hash or "",
    )


def provenance(manifest: RunManifest) -> Provenance:
    """Return where the run came from."""
    facts = (
        ("run", manifest.run_id),
        ("pipeline", manifest.pipeline_name),
        ("started", manifest.started),
        ("folder", manifest.run_uri),
        ("settings", f"sha256:{manifest.settings_sha256}"),
    )
    artifacts = (
        Artifact(
            key,
            one.type,
            key,
            f"{plural(len(one.files), 'file')}, {size(sum(file.bytes for file in one.files))}",
        )
        for key, one in manifest.artifacts.items()
    )
    note = f"Save settings.schema of manifest.json as {GIVEN_SCHEMA} first." if manifest.settings.schema else ""
    return Provenance(
        tuple((label, printable(value, 500)) for label, value in facts),
        tuple(manifest.versions.items()),
        tuple(artifacts),
        command(manifest.settings),
        note,
    )


def command(settings: Settings) -> str:
    """Return the command line that runs the job again with the same settings, into the same folder, as a new run."""
    return " ".join(["python -m beam_taxi.main", *map(_quote, command_line(settings))])


def _quote(word: str) -> str:
    """Quote a word for a shell; invisible characters become escapes in bash's $'…'."""
    shown = printable(word.replace("\\", "\\\\").replace("'", "\\'"), len(word) * 2)
    return shlex.quote(word) if printable(word, len(word)) == word else f"$'{shown}'"
