"""Pages and a browser for the tests of the report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from beam_taxi.report import html, model
from tests.report import make
from tests.report.browser import MISSING, chromium, is_missing

HOSTILE = (
    "<script>document.title='run'</script>",
    '"><img src=x onerror="document.title=\'run\'">',
    "</style><style>*{display:none}",
    "</script><script>document.title='run'</script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:document.title='run'",
    "https://example.com/x.js",
    "' onfocus=alert(1) autofocus='",
    "\u202egnp.exe",
    "\x00\x1b[31m",
    "long " + "x" * 500,
    "",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    """Yield a browser; without one, skip, but fail on CI, where scripts/test.sh installs it."""
    if is_missing():
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with chromium() as driver:
        yield driver


SLICED = ("paid", "paid ", " paid", "re\u00a0fund", "open\u200b", "open")


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pages by name: 18 columns, 2,000, hostile text everywhere, anomalies beside a baseline, slices."""
    folder = tmp_path_factory.mktemp("pages")
    (entry,) = make.manifest([], {"train": 1000, "eval": 500}).inputs
    bad = {name or "empty": HOSTILE * 10 for name in HOSTILE}
    hostile = make.run(
        bad,
        bad,
        run_id=HOSTILE[0],
        pipeline_name=HOSTILE[1],
        warnings=HOSTILE,
        versions={HOSTILE[0]: HOSTILE[1]},
        inputs=(replace(entry, uri=HOSTILE[1], rejects={HOSTILE[0]: 3}),),
    )
    anomalous = replace(
        make.table(12), validation=make.validation(make.anomaly("feature_0001"), make.anomaly("lost", split=""))
    )
    rows = {"status": SLICED * 50, "amount": [*range(299), 9_000_000], "day": [1_400_000_000 + i for i in range(300)]}
    slices = [make.dataset_profile("train", rows, f"status_{value}") for value in SLICED]
    sources = {
        "small": make.table(18),
        "wide": make.table(2000, {"train": 60, "eval": 30}),
        "hostile": hostile,
        "sliced": make.run(rows, None, *slices),
    }
    reports = {name: model.build(source) for name, source in sources.items()}
    reports["anomalous"] = model.build(anomalous, make.table(18, seed=2))
    made = {}
    for name, report in reports.items():
        made[name] = folder / f"{name}.html"
        made[name].write_bytes(html.render(report))
    return made
