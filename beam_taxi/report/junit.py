"""The judgement as JUnit XML, which CI systems show as tests.

The format is the one that Jenkins, GitLab and others read: https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

from beam_taxi.report.figures import printable
from beam_taxi.run.validation import FAILED, NOT_EVALUATED, WARNED, Result, Validation

_LONGEST_TEXT = 2_000


def render(validation: Validation) -> bytes:
    """Return a test suite for each kind of result, with a test case for each result.

    A result that was not evaluated is a skipped test. A warning is a test that passes, with its text as output.
    """
    root = ElementTree.Element("testsuites", name=printable(validation.run_id))
    for kind in dict.fromkeys(one.kind for one in validation.results):
        results = [one for one in validation.results if one.kind == kind]
        suite = ElementTree.SubElement(root, "testsuite", name=kind)
        _set_counts(suite, results)
        for one in results:
            suite.append(_case(one))
    _set_counts(root, validation.results)
    content: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return content + b"\n"


def _set_counts(element: ElementTree.Element, results: Iterable[Result]) -> None:
    outcomes = [one.outcome for one in results]
    element.set("tests", str(len(outcomes)))
    element.set("failures", str(outcomes.count(FAILED)))
    element.set("skipped", str(outcomes.count(NOT_EVALUATED)))


def _case(result: Result) -> ElementTree.Element:
    place = ".".join(filter(None, (result.kind, result.split, result.slice)))
    name = " ".join(filter(None, (", ".join(result.features), result.name)))
    case = ElementTree.Element("testcase", classname=printable(place), name=printable(name, 300))
    text = printable(result.text, _LONGEST_TEXT)
    if result.line is not None:
        case.set("file", result.source)
        case.set("line", str(result.line))
    if result.outcome == FAILED:
        failure = ElementTree.SubElement(case, "failure", message=text, type=result.name)
        failure.text = _details(result)
    elif result.outcome == NOT_EVALUATED:
        ElementTree.SubElement(case, "skipped", message=text)
    elif result.outcome == WARNED:
        ElementTree.SubElement(case, "system-out").text = f"warning: {text}\n{_details(result)}"
    return case


def _details(result: Result) -> str:
    """Return the number of rows that cause a result, and the first of them, one per line."""
    if result.offenders is None:
        return "not caused by single rows"
    values = (", ".join(f"{name}={value}" for name, value in one.values.items()) for one in result.offenders.first)
    rows = (f"{one.text()} {value}" for one, value in zip(result.offenders.first, values, strict=True))
    count = result.offenders.count
    return f"{count:,} row{'' if count == 1 else 's'}" + "".join(f"\n{printable(row, 500)}" for row in rows)
