"""The pages by keyboard alone, in a real Chromium: every way ends where it should, and the focus is seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from bentoml.yatai.access import LOCAL
from tests.e2e import browser
from tests.yatai.conftest import Running

from .conftest import Add
from .test_browser import PAGES, filled

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
__all__ = ["filled"]  # the fixture
MOST_STOPS = 150
DESCRIBE = """() => {
  const found = document.activeElement;
  if (!found || found === document.body) return null;
  const labels = found.labels && found.labels.length ? found.labels[0].textContent : "";
  const look = getComputedStyle(found), box = found.getBoundingClientRect();
  return {
    name: (found.getAttribute("aria-label") || labels || found.textContent).trim().replace(/\\s+/g, " "),
    tag: found.tagName.toLowerCase(),
    seen: look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0,
    inside: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.left < innerWidth,
    html: found.outerHTML.slice(0, 120),
  };
}"""


@pytest.fixture
def db_url() -> None:
    """A browser sees no difference between databases: SQLite only."""


@pytest.fixture
def page() -> Iterator[Page]:
    with browser.page() as opened:
        yield opened


def focused(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(DESCRIBE)
    return found or {"name": "", "tag": "", "seen": False, "inside": False, "html": ""}


def tab_to(page: Page, name: str, tag: str = "") -> None:
    """Press Tab until the element with that name has the focus."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        here = focused(page)
        if here["name"].startswith(name) and (not tag or here["tag"] == tag):
            assert here["seen"], here
            return
    raise AssertionError(f"Tab does not reach '{name}'")


def test_search_results_and_back(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository")
    tab_to(page, "Name or version", "input")
    page.keyboard.type("zeb")
    page.wait_for_url("**/repository?search=zeb*")
    page.locator("#results tbody tr", has_text="Zebra").wait_for()
    assert focused(page)["name"] == "Name or version"  # typing goes on where it was
    tab_to(page, "Zebra", "a")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Zebra").wait_for()


def test_field_of_the_head_finds_from_every_page(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/activity")
    tab_to(page, "Find a model", "input")
    page.keyboard.type("zeb")
    page.keyboard.press("Enter")
    page.wait_for_url("**/repository?search=zeb")
    assert page.locator("#results tbody tr").count() == 1


def test_sorting_and_turning_pages(server: Running, add: Add, page: Page) -> None:
    for number in range(41):
        add("Iris", f"v{number:02d}", content=b"x" * (1 + number))
    page.goto(f"{server.url}/repository")
    tab_to(page, "Size", "a")
    page.keyboard.press("Enter")
    page.wait_for_url("**order_by=size*")
    page.locator("#results tbody tr").first.get_by_text("v40").wait_for()
    tab_to(page, "Size", "a")
    page.keyboard.press("Enter")
    page.wait_for_url("**ascending=1*")
    page.locator("#results tbody tr").first.get_by_text("v00").wait_for()
    tab_to(page, "Next", "a")
    page.keyboard.press("Enter")
    page.get_by_text("41–41 of 41").wait_for()
    tab_to(page, "Previous", "a")
    page.keyboard.press("Enter")
    page.get_by_text("1–40 of 41").wait_for()


def test_copying_keeps_the_focus_and_says_so(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository/Iris/2")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=filled.url)
    tab_to(page, "Copy", "button")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    assert focused(page)["name"] == "Copied"
    assert "bentoml pull Iris:2" in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Copied").wait_for(state="detached")
    assert focused(page)["name"].startswith("Copy the")


def test_copying_without_a_clipboard_keeps_the_focus(filled: Running, page: Page) -> None:
    """Browsers give one to https and to this machine only."""
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto(f"{filled.url}/repository/Iris/2")
    tab_to(page, "Copy", "button")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    assert focused(page)["name"] == "Copied"


def test_alias_is_moved_and_rolled_back(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository/Iris")
    tab_to(page, "Alias", "input")
    page.keyboard.type("prod")
    page.keyboard.press("Tab")
    assert focused(page)["tag"] == "select"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert focused(page)["name"] == "Point it there"
    page.keyboard.press("Space")
    page.get_by_role("status").get_by_text("Iris@prod now points to 1.").wait_for()
    tab_to(page, "Roll back", "button")
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Iris@prod is back at 2.").wait_for()


def test_two_versions_are_chosen_and_compared(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository/Iris")
    for version in ("2", "1"):
        tab_to(page, f"Compare Iris:{version}", "input")
        page.keyboard.press("Space")
    page.keyboard.press("Enter")  # a form is sent from each of its fields
    page.get_by_role("heading", name="Compare").wait_for()


def test_look_is_switched(filled: Running, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(filled.url)
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    tab_to(page, "Switch between light and dark", "button")
    page.keyboard.press("Space")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert focused(page)["name"] == "Switch between light and dark"


def test_menu_of_a_phone(filled: Running, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(filled.url)
    for name, path in (("Models", "/repository"), ("Deployments", "/deployments"), ("Activity", "/activity")):
        tab_to(page, name, "a")
        assert focused(page)["inside"]
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{path}")


def test_details_open_and_close_where_they_are(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository/Iris/2")
    tab_to(page, "Change", "summary")
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Note").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Note").wait_for(state="hidden")
    assert focused(page)["tag"] == "summary"


def test_deletion_is_left_and_done(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository/Iris/1")
    tab_to(page, "Delete", "a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/delete")
    tab_to(page, "Keep it", "a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/repository/Iris/1")
    tab_to(page, "Delete", "a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/delete")
    tab_to(page, "Delete", "button")
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Iris:1 is deleted").wait_for()


def test_rule_of_retention_is_set(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/retention")
    tab_to(page, "Name", "input")
    page.keyboard.type("Iris")
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Iris keeps the last 3").wait_for()


@pytest.mark.parametrize("width", [1280, 360])
def test_every_stop_of_every_page_is_seen_and_none_is_a_trap(filled: Running, page: Page, width: int) -> None:
    """Tab walks from the first to the last stop; each has an outline and is brought into view."""
    filled.registry.retention.set_rule(LOCAL, "Iris", 1)
    page.set_viewport_size({"width": width, "height": 800})
    for path in PAGES:
        page.goto(f"{filled.url}{path}")
        page.evaluate("document.querySelectorAll('[data-pause]').forEach((one) => one.click())")
        stops: list[str] = []
        for _ in range(MOST_STOPS):
            page.keyboard.press("Tab")
            here = focused(page)
            if not here["tag"] or (stops and 'class="skip"' in here["html"]):
                break
            assert here["seen"], (path, here)
            assert here["inside"], (path, here)
            stops.append(here["name"])
        else:
            raise AssertionError(f"the focus does not leave {path}: {stops[-5:]}")
        assert stops[0] == "Skip to the content"
        assert stops[-1] == "This page as JSON", (path, stops[-3:])
