"""A patch for `git apply` from a sequence of edits, with a hunk for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from beam_taxi.schemas.update import Edit

_CONTEXT = 3
"""Lines of context around a change; fewer if another change is near, so that hunks do not overlap."""


@dataclass(frozen=True)
class _Line:
    """A line of the new text: its number in the old text, from 0, or None and the edit that added it."""

    text: str
    origin: int | None
    edit: int


@dataclass(frozen=True)
class _Change:
    """Lines `start` to `end` of the old text become `new`, by some edits."""

    start: int
    end: int
    new: tuple[str, ...]
    edits: tuple[int, ...]


def patch(old: str, edits: Sequence[Edit], path: str) -> str:
    """Return a unified diff of the edits, with paths `a/PATH` and `b/PATH`; empty if there are none.

    Each hunk belongs to one edit and has its reason as title. Only edits of adjacent lines share a hunk, since
    `git apply` needs a line of context between hunks.
    """
    lines = _split(old)
    hunks = list(_grouped(list(_changes(lines, edits))))
    if not hunks:
        return ""
    # Like git, end a name with spaces by a tab.
    name = f"{path}\t" if " " in path else path
    text = f"--- a/{name}\n+++ b/{name}\n"
    shift = free = 0
    for index, hunk in enumerate(hunks):
        next_start = hunks[index + 1][0].start if index + 1 < len(hunks) else len(lines)
        first = max(free, hunk[0].start - _CONTEXT)
        free = min(next_start, hunk[-1].end + _CONTEXT)
        text += _hunk(lines, hunk, (first, free), shift, edits)
        shift += sum(len(change.new) - (change.end - change.start) for change in hunk)
    return text


def _grouped(changes: Sequence[_Change]) -> Iterator[list[_Change]]:
    """Yield the changes by hunk: those of one edit are in one if their context would overlap."""
    hunk: list[_Change] = []
    for change in changes:
        if hunk and (change.edits != hunk[-1].edits or change.start - hunk[-1].end > 2 * _CONTEXT):
            yield hunk
            hunk = []
        hunk.append(change)
    if hunk:
        yield hunk


def _hunk(
    lines: Sequence[str], changes: Sequence[_Change], span: tuple[int, int], shift: int, edits: Sequence[Edit]
) -> str:
    """Return a hunk of the lines in a span of the old text; `shift` is the number of lines added before it."""
    first, end = span
    body = []
    at = first
    for change in changes:
        body += [" " + line for line in lines[at : change.start]]
        body += ["-" + line for line in lines[change.start : change.end]]
        body += ["+" + line for line in change.new]
        at = change.end
    body += [" " + line for line in lines[at:end]]
    old_count, new_count = end - first, sum(line[0] != "-" for line in body)
    reasons = (edits[number] for number in dict.fromkeys(n for change in changes for n in change.edits))
    title = "; ".join(f"{one.feature}: {one.reason}" if one.feature else one.reason for one in reasons)
    ranges = f"-{first + bool(old_count)},{old_count} +{first + shift + bool(new_count)},{new_count}"
    whole = (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in body)
    return f"@@ {ranges} @@ {title}\n" + "".join(whole)


def _changes(old: Sequence[str], edits: Sequence[Edit]) -> Iterator[_Change]:
    """Yield what the edits change, in the order of the lines; changes of adjacent lines are one."""
    current = [_Line(line, number, -1) for number, line in enumerate(old)]
    removed_by: dict[int, int] = {}
    for index, edit in enumerate(edits):
        current = list(_edited(current, _split(edit.text), index, removed_by))
    start = 0
    new: list[str] = []
    by: set[int] = set()
    for line in [*current, _Line("", len(old), -1)]:
        if line.origin is None:
            new.append(line.text)
            by.add(line.edit)
            continue
        by |= {removed_by[number] for number in range(start, line.origin)}
        if by:
            yield _Change(start, line.origin, tuple(new), tuple(sorted(by)))
        start, new, by = line.origin + 1, [], set()


def _edited(current: Sequence[_Line], after: Sequence[str], edit: int, removed_by: dict[int, int]) -> Iterator[_Line]:
    """Yield the lines after an edit, and note which lines of the old text it removes."""
    before = [line.text for line in current]
    for kind, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from current[start:end]
            continue
        removed_by.update({line.origin: edit for line in current[start:end] if line.origin is not None})
        yield from (_Line(text, None, edit) for text in after[new_start:new_end])


def _split(text: str) -> list[str]:
    """Return the lines of a text with their ends."""
    *lines, last = text.split("\n")
    return [line + "\n" for line in lines] + ([last] if last else [])
