"""What a report says about the run as a whole, from its manifest."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from beam_taxi.report.figures import number, percent, plural, printable, size
from beam_taxi.run.manifest import InputEntry, RunManifest
from beam_taxi.run.validation import FAILED, NOT_EVALUATED, OUTCOMES, PASSED, WARNED, Validation
from beam_taxi.settings import GIVEN_SCHEMA, Settings, command_line

_NOTHING_GIVEN = "There was nothing to compare the data with. Give `--schema`, `--checks` or `--baseline`."
_REASONS = 3
"""Reasons shown for what was not evaluated."""

_FILES = 200
"""Maximum number of input files listed; the manifest has all of them."""


@dataclass(frozen=True)
class Verdict:
    """`state` is `failed`, `warned`, `passed` or `unvalidated`: something was not compared, so that not all is well."""

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
    """The records read, and the parts they went to, which add up to them; `inputs` has the first of the files.

    `splitting` says what decided the split of each record, and whether that keeps the splits apart.
    """

    records: int
    parts: tuple[Part, ...]
    blank_lines: int
    files: int
    inputs: tuple[InputRow, ...]
    rejects: tuple[tuple[str, int, str], ...]
    warnings: tuple[str, ...]
    splitting: str


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


def verdict(validation: Validation | None, manifest: RunManifest | None) -> Verdict:
    """Return the verdict, in one of four states."""
    if validation is None:
        why = "Statistics alone are not validated." if manifest is None else _NOTHING_GIVEN
        return Verdict("unvalidated", "Not validated", why)
    summary = validation.summary
    words = [f"{summary.outcomes[one]:,} {one}" for one in OUTCOMES if one in summary.outcomes]
    text = f"{', '.join(words)}.".capitalize()
    if not summary.accepted:
        text += f" Not accepted (`--fail_on {','.join(summary.fail_on)}`)."
    reasons = dict.fromkeys(one.text for one in validation.results if one.outcome == NOT_EVALUATED)
    if reasons:
        more = f" and {len(reasons) - _REASONS} more" if len(reasons) > _REASONS else ""
        text += f" Not evaluated: {'; '.join(list(reasons)[:_REASONS])}{more}."
    state = {PASSED: "passed", WARNED: "warned", FAILED: "failed"}.get(summary.verdict, "unvalidated")
    return Verdict(state, summary.verdict.capitalize(), printable(text, 1000))


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
        printable(_splitting(manifest), 1000),
    )


def _splitting(manifest: RunManifest) -> str:
    """Return in sentences how the splits were made, and whether a key is in several of them, as far as known."""
    settings = manifest.settings
    made = f"Splits: {settings.describe_splitting()}."
    if manifest.leakage is not None:
        return f"{made} {manifest.leakage.text[0].upper()}{manifest.leakage.text[1:]}."
    if len(manifest.splits) == 1 or (manifest.parts and settings.splitting.may_differ):
        return made
    key = " and ".join(settings.splitting.key)
    what, why = ("key", f"rows with the same {key}") if key else ("row", "equal rows")
    return f"{made} No {what} is in more than one split: {why} go to the same one."


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
        *_day(manifest),
        ("started", manifest.started),
        ("folder", manifest.run_uri),
        ("settings", f"sha256:{manifest.settings_sha256}"),
        *(("merged", part.uri) for part in manifest.parts),
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
        merge_command(manifest) if manifest.parts else command(manifest.settings),
        note,
    )


def _day(manifest: RunManifest) -> Iterator[tuple[str, str]]:
    """Yield the day, the days before it that were read too, and the version of its files, if the run has them."""
    dates = manifest.settings.dates
    if dates.date is not None:
        first = f", with the days from {dates.days[0]}" if dates.window > 1 else ""
        yield "date", f"{dates.date}{first}"
    if manifest.version is not None:
        yield "version", str(manifest.version)


def command(settings: Settings) -> str:
    """Return the command line that runs the job again with the same settings, into the same folder, as a new run."""
    return " ".join(["python -m beam_taxi.main", *map(_quote, command_line(settings))])


def merge_command(manifest: RunManifest) -> str:
    """Return the command line that merges the same runs again, into the same folder, as a new run."""
    words = [*(part.uri for part in manifest.parts), "--output", manifest.run_uri.rpartition("/")[0] or "/"]
    words += ["--pipeline_name", manifest.pipeline_name]
    return " ".join(["python -m beam_taxi merge", *map(_quote, words)])


def _quote(word: str) -> str:
    """Quote a word for a shell; invisible characters become escapes in bash's $'…'."""
    shown = printable(word.replace("\\", "\\\\").replace("'", "\\'"), len(word) * 2)
    return shlex.quote(word) if printable(word, len(word)) == word else f"$'{shown}'"
