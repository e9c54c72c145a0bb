"""The judgement for GitHub Actions: annotations of files, and the summary of a step.

The commands are those of https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from beam_taxi.report.figures import printable
from beam_taxi.run.validation import FAILED, NOT_EVALUATED, OUTCOMES, PASSED, WARNED, Result, Validation

_COMMANDS = {FAILED: "error", WARNED: "warning"}
_SIGNS = {FAILED: "❌", WARNED: "⚠️", NOT_EVALUATED: "⚪", PASSED: "✅"}
_SHOWN = 50
"""Maximum number of results in a summary, and of annotations: GitHub shows ten of each kind for a step."""


def commands(validation: Validation, sources: Mapping[str, str]) -> Iterator[str]:
    """Yield a workflow command for each result that failed or warned.

    `sources` are the paths of the schema and of the checks, by their names in results.
    """
    found = [one for one in validation.results if one.outcome in _COMMANDS]
    for one in sorted(found, key=lambda result: OUTCOMES.index(result.outcome))[:_SHOWN]:
        place = {"file": sources.get(one.source), "line": one.line, "title": one.title or one.name}
        properties = ",".join(f"{key}={_escaped(str(value))}" for key, value in place.items() if value is not None)
        yield f"::{_COMMANDS[one.outcome]} {properties}::{_escaped(_placed(one), of_property=False)}"


def _escaped(text: str, of_property: bool = True) -> str:
    escapes = {"%": "%25", "\r": "%0D", "\n": "%0A", **({":": "%3A", ",": "%2C"} if of_property else {})}
    return "".join(escapes.get(character, character) for character in text)


def summary(validation: Validation, report: str) -> str:
    """Return the summary of a step in Markdown; `report` says where the report is."""
    judged = validation.summary
    counts = ", ".join(f"{judged.outcomes[one]:,} {one}" for one in OUTCOMES if one in judged.outcomes)
    accepted = "accepted" if judged.accepted else f"not accepted (`--fail_on {','.join(judged.fail_on)}`)"
    lines = [f"### {_SIGNS[judged.verdict]} {validation.run_id}: {judged.verdict}, {accepted}", "", counts, ""]
    shown = [one for one in validation.results if one.outcome != PASSED]
    shown.sort(key=lambda result: OUTCOMES.index(result.outcome))
    if shown:
        lines += ["| | kind | split | result |", "|---|---|---|---|"]
        lines += [
            f"| {_SIGNS[one.outcome]} | {one.kind} | {_cell(' '.join(filter(None, (one.split, one.slice))))} "
            f"| {_cell(_text(one))} |"
            for one in shown[:_SHOWN]
        ]
    if len(shown) > _SHOWN:
        lines += ["", f"… and {len(shown) - _SHOWN:,} more"]
    return "\n".join([*lines, "", f"Report: {report}", ""])


def _text(result: Result) -> str:
    rows = "" if result.offenders is None else f" ({result.offenders.text()})"
    return printable(f"{result.text}{rows}", 1000)


def _placed(result: Result) -> str:
    place = " ".join(filter(None, (result.split, result.slice)))
    return f"[{printable(place)}] {_text(result)}" if place else _text(result)


def _cell(text: str) -> str:
    escapes = {"|": "\\|", "<": "&lt;", ">": "&gt;", "*": "\\*", "_": "\\_", "`": "\\`"}
    return "".join(escapes.get(character, character) for character in printable(text, 1000))
