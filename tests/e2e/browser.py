"""A real Chromium, or the reason why there is none."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextlib.contextmanager
def page() -> Iterator[Page]:
    """An empty page that may reach this machine only; skips the test where no browser is installed."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    if find_spec("playwright") is None:
        pytest.skip("the package playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        try:
            opened = browser.new_page()
            opened.set_default_timeout(30_000)
            yield opened
        finally:
            browser.close()


def send_from_swagger(page: Page, route: str, body: str | None = None) -> tuple[str, str]:
    """Send a request as a person does; returns (status, body) as the page shows them.

    The form may be open already, otherwise "Try it out" opens it; then "Execute".
    """
    operation = page.locator(".opblock-post", has=page.locator(f'[data-path="/{route}"]'))
    operation.locator(".opblock-summary").click()
    execute = operation.get_by_role("button", name="Execute")
    try_out = operation.get_by_role("button", name="Try it out")
    execute.or_(try_out).first.wait_for()
    if try_out.is_visible():
        try_out.click()
    if body is not None:
        operation.locator("textarea.body-param__text").fill(body)
    execute.click()
    live = operation.locator(".live-responses-table .response")
    live.first.wait_for()
    status = live.locator(".response-col_status").first.inner_text().split()[0]
    answer = live.locator(
        ".response-col_description pre.microlight, .response-col_description .highlight-code pre"
    )
    return status, answer.first.inner_text()
