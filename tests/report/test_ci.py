"""The judgement for CI systems: JUnit XML, and GitHub's commands and summary."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from beam_taxi.report import github, junit
from beam_taxi.run.validation import CHECKS, NOT_EVALUATED, PASSED, WARNED, Offender, Offenders, Result
from tests.report import make

ROWS = Offenders(2, (Offender("a.csv", 7, "train", values={"fare": "-1"}), Offender("b.parquet", 3, "eval", 0)))
RESULTS = (
    make.anomaly("tips", PASSED),
    Result(CHECKS, "fares", WARNED, "fare >= 0: 2 of 9 rows, <b> | 50%", ("fare",), "train", "payment_type_Cash"),
    replace(make.anomaly("fare"), source="schema.pbtxt", line=12, offenders=ROWS),
    make.anomaly("company", NOT_EVALUATED, split=""),
)
JUDGED = replace(make.validation(*RESULTS), run_id="run-1")


def test_junit_has_a_case_for_each_result():
    root = ElementTree.fromstring(junit.render(JUDGED))
    counts = {"tests": "4", "failures": "1", "skipped": "1"}
    assert {name: root.get(name) for name in counts} == counts
    assert [suite.get("name") for suite in root] == ["anomalies", "checks"]
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert list(cases) == [
        "tips INT_TYPE_BIG_INT",
        "fare INT_TYPE_BIG_INT",
        "company INT_TYPE_BIG_INT",
        "fare fares",
    ]
    fare = cases["fare INT_TYPE_BIG_INT"]
    assert (fare.get("file"), fare.get("line"), fare.get("classname")) == ("schema.pbtxt", "12", "anomalies.eval")
    failure = fare.find("failure")
    assert failure is not None
    assert failure.text == "2 rows\na.csv:7 fare=-1\nb.parquet: row group 0, row 3 "
    assert [child.tag for child in cases["tips INT_TYPE_BIG_INT"]] == []
    assert [child.tag for child in cases["company INT_TYPE_BIG_INT"]] == ["skipped"]
    output = cases["fare fares"].find("system-out")
    assert output is not None
    assert output.text == "warning: fare >= 0: 2 of 9 rows, <b> | 50%\nnot caused by single rows"


def test_github_marks_the_violated_line_and_escapes_what_commands_are_made_of():
    assert list(github.commands(JUDGED, {"schema.pbtxt": "conf/a,b.pbtxt"})) == [
        "::error file=conf/a%2Cb.pbtxt,line=12,title=Out-of-range values::[eval] fare: Unexpectedly high value: <9> "
        "(2 rows, first a.csv:7)",
        "::warning title=fares::[train payment_type_Cash] fare >= 0: 2 of 9 rows, <b> | 50%25",
    ]


def test_githubs_summary_is_a_table_of_what_did_not_pass():
    lines = github.summary(JUDGED, "out/run-1/report.html").splitlines()
    assert lines[0].endswith("run-1: failed, not accepted (`--fail_on anomalies`)")
    assert lines[2] == "1 failed, 1 warned, 1 not evaluated, 1 passed"
    kinds = [line.split(" | ")[1] for line in lines if line.startswith(("| ❌", "| ⚠", "| ⚪"))]
    assert kinds == ["anomalies", "checks", "anomalies"]
    assert any("fare &gt;= 0: 2 of 9 rows, &lt;b&gt; \\| 50%" in line for line in lines)
    assert "Report: out/run-1/report.html" in lines
