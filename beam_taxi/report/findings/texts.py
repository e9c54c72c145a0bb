"""Findings in how values are written: numbers as text, white space, spellings of one value, placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterator

from beam_taxi.report.figures import percent, plural
from beam_taxi.report.findings import spellings
from beam_taxi.report.findings.finding import INFO, WARNING, Evidence
from beam_taxi.report.findings.kinds import CASE_VARIANTS, NUMBERS_AS_TEXT, SENTINEL, WHITE_SPACE
from beam_taxi.report.findings.seen import Column, Part, Seen, shown
from beam_taxi.run.profile import FeatureProfile

_MOSTLY, _NEARLY_ALL = 0.5, 0.9
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LEADING_ZERO = re.compile(r"0\d+")

_PLACEHOLDER = re.compile(
    r"(?:n/a|#n/a|#n/d|nan|null|\(null\)|<null>|nil|<na>|\?+|-+|\.+|\*+|missing|\(missing\)|undefined|\(blank\)|blank"
    r"|n\.a\.|#value!|#ref!|#div/0!|#name\?|-9+|9999+|tbd|xxx+|\s*)",
    re.IGNORECASE,
)
_MAYBE = re.compile(r"na|none", re.IGNORECASE)
_DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?(?:[T ].*)?|\d\d?[-/.]\d\d?[-/.]\d{4}(?: .*)?")
_IMPOSSIBLE_DATE = re.compile(r"(?:9999|0001|0000|2999)\b.*|.*[-/.](?:9999|0001|0000|2999)")
_FIRST_DATE = re.compile(r"(?:1970|1900)[-/.]0?1[-/.]0?1\b.*|0?1[-/.]0?1[-/.](?:1970|1900)\b.*")


def find(column: Column) -> Iterator[Seen]:
    """Yield what stands out in how strings are written."""
    for part in column.texts:
        yield from _numbers(part)
        yield from _padded(column, part)
        yield from _variants(column, part)
        yield from _placeholders(column, part)


def _strings(one: FeatureProfile) -> dict[str, int]:
    return {each.value: each.count for each in one.counts.counts if isinstance(each.value, str)}


def _numbers(part: Part) -> Iterator[Seen]:
    """Yield that text is numbers, and the most frequent value that keeps it from being read as numbers."""
    one, counts = part.feature, _strings(part.feature)
    numbers = 0 if one.text is None else one.text.numbers
    if one.text is None or numbers < max(10, _MOSTLY * one.values):
        return
    plain = [value for value in counts if _NUMBER.fullmatch(value)]
    if any(_LEADING_ZERO.fullmatch(value) for value in plain):
        # Codes such as 00501 are not numbers.
        return
    reason = next((value for value in counts if not _NUMBER.fullmatch(value)), None)
    all_of = f"{numbers:,} of {plural(one.values, 'value')} are numbers"
    if reason is not None:
        occurs = f" ({plural(counts[reason], 'time')})" if counts[reason] > 1 else ""
        text = f"is text: {all_of}, but {shown(reason)}{occurs} is not a plain number"
    else:
        example = one.text.examples.get("numbers")
        text = f"is text: {all_of}" + ("" if example is None else f", such as {shown(example)}")
    is_code = one.length is not None and one.length.min == one.length.max and numbers == one.values and reason is None
    severity = WARNING if numbers >= _NEARLY_ALL * one.values and not is_code else INFO
    evidence = {"numbers": numbers, "values": one.values, "not_a_number": reason}
    share = numbers / one.values
    yield Seen(NUMBERS_AS_TEXT, severity, part.split, text, percent(share), share, evidence, link=" ")


def _padded(column: Column, part: Part) -> Iterator[Seen]:
    one = part.feature
    if one.text is None or not one.text.padded:
        return
    padded, share = one.text.padded, one.text.padded / one.values
    example = one.text.examples.get("padded")
    begins = f"{plural(padded, 'value')} ({percent(share)})"
    text = f"{begins} {'has' if padded == 1 else 'have'} leading or trailing white space, or invisible characters"
    if example is not None:
        text += f", such as {shown(example)}"
    # Where all values are padded, or none recurs, no value is split in two.
    is_free = one.distinct.value > one.values / 2 or padded == one.values
    severity = INFO if is_free else WARNING
    evidence = {"padded": padded, "values": one.values, "example": example}
    within = tuple(each.split for each in column.parts if each.feature.text is not None and each.feature.text.padded)
    yield Seen(WHITE_SPACE, severity, part.split, text, plural(padded, "value"), share, evidence, within=within)


def _variants(column: Column, part: Part) -> Iterator[Seen]:
    """Yield the values that are other spellings of more frequent ones."""
    counts = _strings(part.feature)
    by_kind = spellings.variants(counts) if part.feature.distinct.value > 1 else []
    is_padded = part.feature.text is not None and part.feature.text.padded
    for kind in (WHITE_SPACE, CASE_VARIANTS):
        pairs = [pair for pair in by_kind if pair.by_white_space == (kind == WHITE_SPACE)]
        if not pairs or (kind == WHITE_SPACE and is_padded):
            continue
        rows = sum(pair.count for pair in pairs)
        words = [
            f"{shown(pair.variant)} ({plural(pair.count, 'time')}) and {shown(pair.common)} ({pair.common_count:,})"
            for pair in pairs
        ]
        differ = {
            WHITE_SPACE: "differ only in white space",
            CASE_VARIANTS: "look like the same value",
        }[kind]
        more = f", and {plural(len(pairs) - 2, 'more pair')} of values" if len(pairs) > 2 else ""
        text = f"{'; '.join(words[:2])}{more} {differ}"
        severity = WARNING if any(pair.is_sure for pair in pairs) else INFO
        evidence: dict[str, Evidence] = {
            "variant": pairs[0].variant,
            "variant_count": pairs[0].count,
            "common": pairs[0].common,
            "common_count": pairs[0].common_count,
            "pairs": len(pairs),
        }
        share = rows / part.feature.values
        within = column.having({pair.variant for pair in pairs})
        yield Seen(kind, severity, part.split, text, plural(len(pairs), "pair"), share, evidence, within=within)


def _placeholders(column: Column, part: Part) -> Iterator[Seen]:
    """Yield strings that mean that there is no value, and dates that no row can have."""
    one, counts = part.feature, _strings(part.feature)
    if one.distinct.value < 3:
        return
    dates = [value for value in counts if _DATE.fullmatch(value)]
    usual = sorted(counts[value] for value in dates)
    for value, count in counts.items():
        severity = None
        if _PLACEHOLDER.fullmatch(value) and not _is_a_number(value, counts):
            severity = WARNING
        elif _MAYBE.fullmatch(value):
            severity = INFO
        elif 2 * len(dates) > len(counts) and value in dates:
            is_frequent = count >= 5 * usual[len(usual) // 2] and count > 1
            if _IMPOSSIBLE_DATE.fullmatch(value) or (_FIRST_DATE.fullmatch(value) and is_frequent):
                severity = WARNING
        if severity is not None:
            occurs = "occurs once" if count == 1 else f"occurs {count:,} times"
            text = f"{shown(value)} {occurs}, and may stand for a missing value"
            share = count / part.rows
            evidence: dict[str, Evidence] = {"value": value, "count": count}
            times, within = plural(count, "time"), column.having({value})
            yield Seen(SENTINEL, severity, part.split, text, times, share, evidence, value, within=within)


def _is_a_number(value: str, counts: dict[str, int]) -> bool:
    """Return whether a value such as 9999 may be one of many numbers or codes."""
    return bool(_NUMBER.fullmatch(value)) and value[0] != "-" and sum(map(str.isdigit, counts)) * 2 > len(counts)
