"""The page in a real browser, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.report.browser import AXE, screenshot, show
from tests.report.conftest import HOSTILE


def visible(browser: Chrome) -> list[str]:
    names = "return [...document.querySelectorAll('article:not([hidden])')].map((card) => card.dataset.name)"
    found: list[str] = browser.execute_script(names)
    return found


def press(browser: Chrome, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def tab_to(browser: Chrome, id_: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(40):
        if browser.switch_to.active_element.get_attribute("id") == id_:
            return
        press(browser, Keys.TAB)
    pytest.fail(f"Tab does not lead to #{id_}")


def wait_for(browser: Chrome, script: str) -> None:
    WebDriverWait(browser, 10, 0.05).until(lambda one: one.execute_script(f"return {script}"))


@pytest.mark.parametrize("page", ["small", "wide", "hostile", "anomalous"])
@pytest.mark.parametrize("dark", [False, True], ids=["wide and light", "phone and dark"])
def test_accessible(browser: Chrome, pages: dict[str, Path], page: str, dark: bool):
    show(browser, pages[page], width=390 if dark else 1200, dark=dark)
    browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    # The cards are alike: of many, the first ones stand for all.
    browser.execute_script("[...document.querySelectorAll('article')].slice(20).forEach((card) => card.remove())")
    browser.execute_script(AXE.read_text())
    run = "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    found: dict[str, Any] = browser.execute_async_script(f"{run}.then(arguments[arguments.length - 1])")
    problems = [(one["id"], [node["html"][:150] for node in one["nodes"][:3]]) for one in found["violations"]]
    assert not problems
    assert len(found["passes"]) > 20


@pytest.mark.parametrize("page", ["small", "wide", "hostile"])
def test_nothing_is_requested_and_nothing_complains(browser: Chrome, pages: dict[str, Path], page: str):
    for log in ("performance", "browser"):
        browser.get_log(log)
    show(browser, pages[page])
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert {url for url in urls if not url.startswith("data:")} == {pages[page].as_uri()}
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [320, 390, 1200])
@pytest.mark.parametrize("page", ["small", "hostile", "anomalous"])
def test_nothing_sticks_out(browser: Chrome, pages: dict[str, Path], page: str, width: int):
    show(browser, pages[page], width=width)
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    assert len(screenshot(browser)) > 10_000


@pytest.mark.parametrize(("page", "count"), [("small", 18), ("wide", 2000)])
def test_search_filter_and_sort(browser: Chrome, pages: dict[str, Path], page: str, count: int):
    show(browser, pages[page])
    assert len(visible(browser)) == count
    search = browser.find_element(By.ID, "search")
    search.send_keys("FEATURE 0014")
    assert visible(browser) == ["feature_0014"]
    assert browser.find_element(By.ID, "shown").text == f"1 of {count:,}"
    search.send_keys("zzz")
    assert not visible(browser)
    browser.find_element(By.ID, "reset").click()
    assert len(visible(browser)) == count
    Select(browser.find_element(By.ID, "type")).select_by_visible_text("STRING")
    assert visible(browser)[:3] == ["feature_0002", "feature_0005", "feature_0008"]
    Select(browser.find_element(By.ID, "type")).select_by_visible_text("all")
    if page == "wide":
        Select(browser.find_element(By.ID, "sort")).select_by_value("absent")
        assert visible(browser)[0] == "feature_0099"
        browser.find_element(By.ID, "problems").click()
        assert len(visible(browser)) == 20


def test_2000_features_answer_at_once(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["wide"])
    assert pages["wide"].stat().st_size < 4_500_000
    milliseconds = browser.execute_script(
        "const start = performance.now(); const search = document.getElementById('search');"
        "search.value = '1234'; search.dispatchEvent(new Event('input')); document.body.offsetHeight;"
        "return performance.now() - start"
    )
    assert visible(browser) == ["feature_1234"]
    assert milliseconds < 1000


def test_by_keyboard_alone(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["small"])
    press(browser, Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the features"
    press(browser, Keys.ENTER)
    wait_for(browser, "document.activeElement.id === 'features'")
    tab_to(browser, "search")
    press(browser, "0007")
    assert visible(browser) == ["feature_0007"]
    press(browser, *[Keys.BACKSPACE] * 4)
    tab_to(browser, "type")
    press(browser, "S")
    assert len(visible(browser)) == 6
    press(browser, Keys.HOME)
    tab_to(browser, "sort")
    press(browser, "n")
    assert visible(browser)[0] == "feature_0000"
    tab_to(browser, "problems")
    press(browser, Keys.SPACE)
    assert not visible(browser)
    tab_to(browser, "reset")
    press(browser, Keys.ENTER)
    assert len(visible(browser)) == 18
    assert browser.switch_to.active_element.get_attribute("id") == "search"


def test_a_link_leads_to_a_card_that_the_filter_hides(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["wide"])
    browser.execute_script("document.querySelectorAll('.group').forEach((one) => { one.open = true; })")
    link = browser.find_element(By.LINK_TEXT, "feature_1099")
    browser.find_element(By.ID, "search").send_keys("0001")
    link.send_keys(Keys.ENTER)
    wait_for(browser, "document.activeElement.dataset.name === 'feature_1099'")
    box = browser.switch_to.active_element.rect
    assert browser.execute_script("return scrollY") < box["y"] < browser.execute_script("return scrollY + innerHeight")


def test_hostile_text_is_shown_and_not_run(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["hostile"])
    assert "run" not in browser.title.split()
    assert browser.title.startswith("run-1")
    assert (
        browser.execute_script("return document.querySelectorAll('script, style, img, iframe, [onfocus]').length") == 2
    )
    names = [heading.get_attribute("textContent") for heading in browser.find_elements(By.CSS_SELECTOR, "h3 > bdi")]
    assert names[:8] == list(HOSTILE[:8])
    assert names[8:10] == ["\\u202egnp.exe", "\\x00\\x1b[31m"]
    values = browser.execute_script(
        "return [...document.querySelectorAll('article .top tbody bdi')].map((one) => one.textContent)"
    )
    assert set(HOSTILE[:8]) & set(values)


def test_without_scripts_every_card_is_there(browser: Chrome, pages: dict[str, Path]):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, pages["small"])
        assert len(browser.find_elements(By.TAG_NAME, "article")) == 18
        assert not browser.find_element(By.ID, "search").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_printed_it_has_all_cards_and_no_toolbar(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["small"], dark=True)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    assert not browser.find_element(By.ID, "search").is_displayed()
    assert all(card.is_displayed() for card in browser.find_elements(By.TAG_NAME, "article"))
    colour = browser.execute_script("return getComputedStyle(document.body).color")
    assert colour == "rgb(27, 32, 36)"
    assert len(browser.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 20_000
