"""Headless Chromium, as Debian packages it."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import axe_playwright_python
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

MISSING = "the tests of the report in a browser need Chromium: apt-get install chromium chromium-driver"
AXE = next(Path(axe_playwright_python.__file__).parent.glob("**/axe.min.js"))


def is_missing() -> bool:
    """Tell whether the browser or its driver is not installed."""
    return not (shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Run a browser without a network: any name resolves to nothing."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.add_argument("--headless=new")
    options.add_argument("--hide-scrollbars")
    options.add_argument("--disable-dev-shm-usage")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    if os.geteuid() == 0:
        # Chromium's sandbox refuses to run as root.
        options.add_argument("--no-sandbox")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def show(driver: webdriver.Chrome, page: Path, width: int = 1200, height: int = 900, dark: bool = False) -> None:
    """Open a page at a size in CSS pixels."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [scheme]})
    driver.get(page.as_uri())


def screenshot(driver: webdriver.Chrome) -> bytes:
    """Return what is seen, as PNG."""
    return base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", {})["data"])
