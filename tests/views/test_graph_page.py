"""The page of `autopack graph --format html` in a real browser: keyboard, pointer, search, details, and many phases.

Skipped where there is no Chromium with its driver; `.ci/packages` installs them where it may.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from autopack.plan.model import Plan
from autopack.views.cli.graph_ import drawn
from tests.plan.folder import Folder
from tests.views.test_graph import PLAYBOOK

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="needs the programs chromium and chromedriver (Debian: chromium chromium-driver)"
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,800"),
)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Folder(tmp_path_factory.mktemp("plan")).project().playbook(PLAYBOOK).plan()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield browser
    browser.quit()


@pytest.fixture
def opened(driver: Any, plan: Plan, tmp_path: Path) -> Callable[[Plan | None], Any]:
    def open_page(shown: Plan | None = None) -> Any:
        file = tmp_path / "graph.html"
        file.write_text(drawn(shown or plan, "html"), encoding="utf-8")
        driver.get(file.as_uri())
        WebDriverWait(driver, 60).until(lambda page: page.find_elements("css selector", ".cost"))
        return driver

    return open_page


def press(browser: Any, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def focused(browser: Any) -> str:
    found: str = browser.execute_script(
        "const a = document.activeElement; return a.dataset.id || a.id || a.textContent.trim()"
    )
    return found


def side(browser: Any) -> str:
    found: str = browser.execute_script("return document.getElementById('side').innerText")
    return found


def view(browser: Any) -> list[float]:
    return [
        float(n)
        for n in browser.execute_script("return document.querySelector('#map svg').getAttribute('viewBox')").split()
    ]


def complaints(browser: Any) -> list[Any]:
    return [entry for entry in browser.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]


def test_everything_can_be_reached_by_the_keyboard(opened: Callable[..., Any]):
    page = opened()
    stops = []
    for _ in range(6):
        press(page, Keys.TAB)
        stops.append(focused(page))
    assert stops == ["search", "critical", "in", "out", "fit", "store"]
    press(page, Keys.ARROW_DOWN)
    assert focused(page) == "limit"
    press(page, Keys.END)
    assert focused(page) == "alone"
    press(page, Keys.ARROW_UP, Keys.ARROW_UP)
    assert focused(page) == "last"
    press(page, Keys.ENTER)
    assert side(page).startswith("← All costs\nlast\n")
    assert focused(page) == "last"  # the heading of the details
    assert "Needs\nlimit" in side(page).replace("\n\n", "\n")
    press(page, Keys.ESCAPE)
    assert side(page).startswith("Cost by phase")
    assert page.execute_script("return document.activeElement.matches('.node')")
    press(page, Keys.TAB)
    assert focused(page) == "At most"
    assert complaints(page) == []


def test_focus_can_be_seen(opened: Callable[..., Any]):
    page = opened()
    press(page, *[Keys.TAB] * 6)
    width = "return getComputedStyle(document.activeElement.querySelector('.card')).strokeWidth"
    assert page.execute_script(width) == "4px"
    press(page, Keys.TAB)
    assert page.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_every_control_and_phase_has_a_name(opened: Callable[..., Any]):
    page = opened()
    for element in page.find_elements("css selector", "button, input, .node, main, aside"):
        assert element.accessible_name, element.get_attribute("outerHTML")[:120]
    first = page.find_element("css selector", ".node")
    assert (first.aria_role, first.accessible_name.split(":")[0]) == ("button", "store")


def test_the_critical_path_can_be_shown_alone(opened: Callable[..., Any]):
    page = opened()
    press(page, "c")
    assert page.find_element("id", "critical").get_attribute("aria-pressed") == "true"
    nodes = "[...document.querySelectorAll('.node')]"
    page.execute_script(f"{nodes}.forEach(n => n.style.transition = 'none')")
    dim = f"return {nodes}.filter(n => getComputedStyle(n).opacity < 1).map(n => n.dataset.id)"
    assert page.execute_script(dim) == ["alone"]
    assert page.find_element("id", "said").get_attribute("textContent") == "Critical path: store, limit, last, guide"


def test_a_search_leaves_what_it_finds(opened: Callable[..., Any]):
    page = opened()
    press(page, "/", "docs t2")
    hits = "return [...document.querySelectorAll('.node.hit')].map(n => n.dataset.id)"
    assert page.execute_script(hits) == ["guide"]
    assert page.find_element("id", "said").get_attribute("textContent") == "1 of 5 phases match"
    press(page, Keys.ENTER)
    assert focused(page) == "guide"
    press(page, Keys.ESCAPE)
    assert page.execute_script(hits) == []


def test_a_click_shows_details_and_text_of_a_playbook_stays_text(opened: Callable[..., Any]):
    page = opened()
    page.find_element("css selector", '[data-id="store"]').click()
    said = side(page)
    assert "</script><b>x" in said
    assert "▲ high risk" in said
    assert "src/store/**" in said
    page.find_element("css selector", ".links button").click()
    assert side(page).startswith("← All costs\nlimit\n")
    assert complaints(page) == []


def test_pan_and_zoom_by_pointer_and_buttons(opened: Callable[..., Any]):
    page = opened()
    before = view(page)
    ActionChains(page).move_to_element_with_offset(
        page.find_element("id", "map"), -400, -300
    ).click_and_hold().move_by_offset(60, 40).release().perform()
    after = view(page)
    assert (after[0] < before[0], after[1] < before[1]) == (True, True)
    assert after[2:] == pytest.approx(before[2:], rel=0.01)
    page.find_element("id", "in").click()
    assert view(page)[2] == pytest.approx(after[2] * 0.8)
    page.find_element("id", "fit").click()
    assert view(page)[2] >= before[2] * 0.99


def test_the_costs_can_be_ordered(opened: Callable[..., Any]):
    page = opened()
    names = "return [...document.querySelectorAll('.cost b')].map(b => b.textContent)"
    assert page.execute_script(names)[0] == "store"
    press(page, *["\ue004"] * 7)
    page.find_elements("css selector", ".sort button")[2].click()
    assert page.execute_script(names) == ["store", "limit", "last", "guide", "alone"]


def test_it_works_with_2500_phases(opened: Callable[..., Any], plan: Plan):
    page = opened(large(plan, 2500))
    assert len(page.find_elements("css selector", ".node")) == 2500
    press(page, "/", "p2499", Keys.ENTER)
    assert focused(page) == "p2499"
    press(page, Keys.ENTER)
    assert side(page).startswith("← All costs\np2499\n")
    inside = page.execute_script(
        "const r = document.activeElement, n = document.querySelector('[data-id=p2499]').getBoundingClientRect(),"
        "m = document.getElementById('map').getBoundingClientRect();"
        "return n.left >= m.left && n.right <= m.right && n.top >= m.top && n.bottom <= m.bottom"
    )
    assert inside
    press(page, Keys.ESCAPE)
    assert side(page).startswith("Cost of 1 found phases")
    press(page, Keys.ESCAPE)
    assert "Show 400 more of 2500" in side(page)
    assert complaints(page) == []


def large(plan: Plan, count: int) -> Plan:
    """Tiers of 25, each phase after the one before it, each tier after the one before it."""
    one, tier = plan.phases[0], plan.tiers[0]
    names = [f"p{number}" for number in range(count)]
    phases = []
    for number, name in enumerate(names):
        start = number - number % 25
        needs = (*names[max(0, start - 25) : start], *names[max(start, number - 1) : number])
        phases.append(replace(one, phase_id=name, name=name, index=number, needs=needs, tier_id=f"T{number // 25}"))
    tiers = [
        replace(tier, tier_id=f"T{n}", name=f"T{n}", index=n, phases=tuple(names[n * 25 : n * 25 + 25]))
        for n in range(count // 25)
    ]
    return replace(plan, phases=tuple(phases), tiers=tuple(tiers))
