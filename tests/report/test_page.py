"""The page in a real browser, without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.report.browser import AXE, screenshot, show
from tests.report.conftest import HOSTILE, SLICED


def visible(browser: Chrome) -> list[str]:
    """Return the names of the columns in the overview that are not filtered out, in order."""
    rows = "#overview > tbody > tr:not([hidden]):not(.detail) > th"
    found: list[str] = browser.execute_script(
        f"return [...document.querySelectorAll('{rows}')].map((one) => one.textContent)"
    )
    return found


def opened(browser: Chrome) -> list[str]:
    """Return the names of the columns whose cards are open."""
    cards = ".detail:not([hidden]) article > h3 > bdi"
    found: list[str] = browser.execute_script(
        f"return [...document.querySelectorAll('{cards}')].map((one) => one.textContent)"
    )
    return found


def link(browser: Chrome, name: str) -> WebElement:
    """Return the link to a card in the overview."""
    return browser.find_element(By.XPATH, f"//table[@id='overview']//a[.='{name}']")


def sort_by(browser: Chrome, header: str) -> str | None:
    """Click a header, and return its state."""
    button = browser.find_element(By.XPATH, f"//table[@id='overview']//th[starts-with(normalize-space(), '{header}')]")
    button.find_element(By.TAG_NAME, "button").click()
    return button.get_attribute("aria-sort")


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


@contextmanager
def without_scripts(browser: Chrome) -> Iterator[None]:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


PAGES = ("small", "wide", "hostile", "anomalous", "sliced")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("dark", [False, True], ids=["wide and light", "phone and dark"])
def test_accessible(browser: Chrome, pages: dict[str, Path], page: str, dark: bool):
    show(browser, pages[page], width=390 if dark else 1200, dark=dark)
    # Rows, cells and findings are alike: of many, the first ones stand for all.
    browser.execute_script(
        "document.querySelectorAll('#overview > tbody, .sample tr, .findings').forEach("
        "(many) => [...many.children].slice(20).forEach((one) => one.remove()))"
    )
    browser.execute_script("document.querySelector('#overview a').click()")
    wait_for(browser, "document.querySelector('.detail') !== null")
    browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.execute_script(AXE.read_text())
    run = "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    found: dict[str, Any] = browser.execute_async_script(f"{run}.then(arguments[arguments.length - 1])")
    problems = [(one["id"], node["html"]) for one in found["violations"] for node in one["nodes"]]
    assert not problems
    assert len(found["passes"]) > 20


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_requested_and_nothing_complains(browser: Chrome, pages: dict[str, Path], page: str):
    for log in ("performance", "browser"):
        browser.get_log(log)
    show(browser, pages[page])
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert {url for url in urls if not url.startswith("data:")} == {pages[page].as_uri()}
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [320, 390, 1200])
@pytest.mark.parametrize("page", ["small", "hostile", "anomalous", "sliced"])
def test_nothing_sticks_out(browser: Chrome, pages: dict[str, Path], page: str, width: int):
    show(browser, pages[page], width=width)
    browser.find_element(By.ID, "all").click()
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    assert len(screenshot(browser)) > 10_000


@pytest.mark.parametrize(("page", "count"), [("small", 18), ("wide", 2000)])
def test_search_and_filter(browser: Chrome, pages: dict[str, Path], page: str, count: int):
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
    Select(browser.find_element(By.ID, "type")).select_by_visible_text("string")
    assert visible(browser)[:3] == ["feature_0002", "feature_0004", "feature_0007"]
    Select(browser.find_element(By.ID, "type")).select_by_visible_text("all")
    if page == "wide":
        browser.find_element(By.ID, "flagged").click()
        assert "feature_0099" in visible(browser)
        assert len(visible(browser)) < count


def test_headers_sort(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["small"])
    assert sort_by(browser, "missing") == "descending"
    assert visible(browser)[0] in {"feature_0004", "feature_0009", "feature_0014"}
    assert sort_by(browser, "missing") == "ascending"
    assert set(visible(browser)[-3:]) == {"feature_0004", "feature_0009", "feature_0014"}
    assert sort_by(browser, "missing") is None
    assert visible(browser)[:2] == ["feature_0000", "feature_0001"]
    # What has no median comes last in both directions.
    for state in ("descending", "ascending"):
        assert sort_by(browser, "median") == state
        assert {int(name[-4:]) % 5 for name in visible(browser)[-7:]} == {2, 4}
    assert sort_by(browser, "column") == "ascending"
    assert sort_by(browser, "column") == "descending"
    assert visible(browser)[0] == "feature_0017"
    assert len(browser.find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1


def test_an_open_card_stays_below_its_row(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["small"])
    assert opened(browser) == []
    browser.find_element(By.CSS_SELECTOR, "#overview > tbody > tr:nth-child(4) > td").click()
    link(browser, "feature_0001").click()
    assert opened(browser) == ["feature_0001", "feature_0003"]
    sort_by(browser, "column")
    sort_by(browser, "column")
    above = (
        "return [...document.querySelectorAll('.detail')].map((one) => one.previousElementSibling.cells[0].textContent)"
    )
    assert browser.execute_script(above) == ["feature_0003", "feature_0001"]
    browser.find_element(By.ID, "search").send_keys("0003")
    assert opened(browser) == ["feature_0003"]
    browser.find_element(By.ID, "search").send_keys(*[Keys.BACKSPACE] * 4)
    link(browser, "feature_0001").click()
    assert opened(browser) == ["feature_0003"]


def test_all_cards_open_and_close(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["small"])
    button = browser.find_element(By.ID, "all")
    button.click()
    assert len(opened(browser)) == 18
    assert button.text == "Close all"
    button.click()
    assert opened(browser) == []


def test_the_pointer_reads_a_bar(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["small"])
    link(browser, "feature_0003").click()
    chart = browser.find_element(By.CSS_SELECTOR, ".detail .chart")
    ActionChains(browser).move_to_element_with_offset(chart, chart.size["width"] // 2 - 5, 0).perform()
    row = browser.find_element(By.CSS_SELECTOR, ".detail .bars tbody tr:last-child")
    texts = [cell.get_attribute("textContent") for cell in row.find_elements(By.CSS_SELECTOR, "th, td")]
    assert browser.find_element(By.CLASS_NAME, "tip").text == f"{texts[0]} · train {texts[1]} · eval {texts[2]}"


def test_2000_columns_answer_at_once(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["wide"])
    assert pages["wide"].stat().st_size < 6_000_000
    milliseconds = browser.execute_script(
        "const start = performance.now(); const search = document.getElementById('search');"
        "search.value = '1234'; search.dispatchEvent(new Event('input')); document.body.offsetHeight;"
        "return performance.now() - start"
    )
    assert visible(browser) == ["feature_1234"]
    assert milliseconds < 1000
    link(browser, "feature_1234").click()
    wait_for(browser, "document.querySelector('.detail article') !== null")
    assert opened(browser) == ["feature_1234"]


def test_18_columns_are_small(pages: dict[str, Path]):
    assert pages["small"].stat().st_size < 200_000


def test_by_keyboard_alone(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["small"])
    press(browser, Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the columns"
    press(browser, Keys.ENTER)
    wait_for(browser, "document.activeElement.id === 'columns'")
    tab_to(browser, "search")
    press(browser, "0007")
    assert visible(browser) == ["feature_0007"]
    press(browser, *[Keys.BACKSPACE] * 4)
    tab_to(browser, "type")
    press(browser, "s")
    assert len(visible(browser)) == 7
    press(browser, Keys.HOME)
    tab_to(browser, "all")
    press(browser, Keys.TAB, Keys.TAB)
    press(browser, Keys.ENTER)
    assert browser.find_elements(By.CSS_SELECTOR, "[aria-sort]")
    link(browser, "feature_0002").send_keys(Keys.ENTER)
    assert opened(browser) == ["feature_0002"]
    assert browser.switch_to.active_element.get_attribute("aria-expanded") == "true"
    press(browser, Keys.ENTER)
    assert opened(browser) == []


@pytest.mark.parametrize(("page", "number"), [("small", 14), ("wide", 1099)])
def test_an_address_leads_to_a_card_that_the_filter_hides(
    browser: Chrome, pages: dict[str, Path], page: str, number: int
):
    show(browser, pages[page])
    browser.find_element(By.ID, "search").send_keys("0001")
    browser.execute_script(f"location.hash = '#f{number}'")
    wait_for(browser, f"document.activeElement.id === 'f{number}'")
    assert opened(browser) == [f"feature_{number:04d}"]
    box = browser.switch_to.active_element.rect
    assert browser.execute_script("return scrollY") < box["y"] < browser.execute_script("return scrollY + innerHeight")
    # The same address once more, as a finding has it.
    browser.find_element(By.ID, "search").send_keys("0001")
    browser.execute_script(f"document.body.append(Object.assign(document.createElement('a'), {{href: '#f{number}'}}))")
    browser.execute_script("document.activeElement.blur(); document.body.lastChild.click()")
    wait_for(browser, f"document.activeElement.id === 'f{number}'")


def test_a_page_opens_at_a_card(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["wide"])
    browser.get("about:blank")
    browser.get(f"{pages['wide'].as_uri()}#f1500")
    wait_for(browser, "document.activeElement.id === 'f1500'")


def test_hostile_text_is_shown_and_not_run(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["hostile"])
    browser.find_element(By.ID, "all").click()
    assert "run" not in browser.title.split()
    assert browser.title.startswith("run-1")
    assert (
        browser.execute_script("return document.querySelectorAll('script, style, img, iframe, [onfocus]').length") == 2
    )
    assert opened(browser)[:8] == list(HOSTILE[:8])
    assert opened(browser)[8:10] == ["\\u202egnp.exe", "\\x00\\x1b[31m"]
    values = browser.execute_script(
        "return [...document.querySelectorAll('article .top tbody bdi')].map((one) => one.textContent)"
    )
    assert set(HOSTILE[:8]) & set(values)


def test_white_space_is_marked(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["sliced"])
    link(browser, "status").click()
    values = {one.text for one in browser.find_elements(By.CSS_SELECTOR, ".detail .top tbody bdi")}
    assert values == {"paid", "paid␣", "␣paid", "re⍽fund", "open\\u200b", "open"}
    marks = browser.find_elements(By.CSS_SELECTOR, ".detail .top mark")
    assert {mark.get_attribute("title") for mark in marks} == {"space", "no-break space"}


def test_a_slice_is_chosen(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["sliced"])
    slices = browser.find_elements(By.CSS_SELECTOR, "details.slice")
    assert len(slices) == len(SLICED)
    Select(browser.find_element(By.ID, "slice")).select_by_visible_text("status_open · train")
    (shown,) = [one for one in slices if one.is_displayed()]
    assert "status_open" in shown.text
    assert [one.text for one in shown.find_elements(By.CSS_SELECTOR, "tbody th")] == ["status", "amount", "day"]


def test_without_scripts_every_card_is_there(browser: Chrome, pages: dict[str, Path]):
    with without_scripts(browser):
        show(browser, pages["small"])
        assert all(one.is_displayed() for one in browser.find_elements(By.CSS_SELECTOR, "#cards > article"))
        assert len(browser.find_elements(By.CSS_SELECTOR, "#cards > article")) == 18
        assert not browser.find_element(By.ID, "search").is_displayed()


def test_without_scripts_a_wide_table_says_what_is_missing(browser: Chrome, pages: dict[str, Path]):
    with without_scripts(browser):
        show(browser, pages["wide"])
        assert browser.find_element(By.ID, "unpacked").is_displayed()


def test_printed_it_has_the_open_cards_and_no_toolbar(browser: Chrome, pages: dict[str, Path]):
    show(browser, pages["small"], dark=True)
    link(browser, "feature_0001").click()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    assert not browser.find_element(By.ID, "search").is_displayed()
    shown = [card for card in browser.find_elements(By.TAG_NAME, "article") if card.is_displayed()]
    assert [card.get_attribute("id") for card in shown] == ["f1"]
    colour = browser.execute_script("return getComputedStyle(document.body).color")
    assert colour == "rgb(27, 32, 36)"
    assert len(browser.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 20_000
