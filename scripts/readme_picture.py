"""Make docs/report.png, the picture in the README: a run on the synthetic sample, and its report in Chromium.

Usage: .venv/bin/python scripts/readme_picture.py      after scripts/setup.sh --dev; needs chromium and chromium-driver
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.report.browser import MISSING, chromium, is_missing, screenshot, show  # noqa: E402


def main() -> int:
    """Make the picture; returns 0 done, 2 the browser is missing."""
    if is_missing():
        print(f"readme_picture: {MISSING}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder, "trips.csv")
        sizes = ["--rows", "15000", "--seed", "1"]
        subprocess.run([sys.executable, "-m", "beam_taxi", "sample", *sizes, "--out", sample], check=True)
        run = ["--input", sample, "--output", folder, "--run_id", "chicago-taxi", "--metadata_store", "none"]
        subprocess.run([sys.executable, "-m", "beam_taxi.main", *run], check=True)
        with chromium() as browser:
            show(browser, Path(folder, "chicago-taxi", "report.html"), width=1280, height=1330)
            browser.execute_script("document.querySelector('#overview a[href=\"#f1\"]').click(); scrollTo(0, 0)")
            picture = screenshot(browser)
    target = ROOT / "docs" / "report.png"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(picture)
    print(f"{target.relative_to(ROOT)}  {len(picture):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
