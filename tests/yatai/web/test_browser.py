"""The pages in a real Chromium: search as one types, deletion, aliases, looks, U corpus, accessibility."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from sqlalchemy import update

from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.layout import BundleLayout
from bentoml.deploy.base import Counters
from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.repository.models import bentos
from bentoml.settings import home
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.db.deployments import Deployment
from bentoml.yatai.watch import Watch
from tests.deploy.conftest import end_keepers
from tests.e2e import browser
from tests.server.live.process import save_probe
from tests.yatai.conftest import Running, tar_of

from .conftest import Add

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</script><script>window.hacked = 1</script>",
    "javascript:window.hacked=1",
    "[click](javascript:window.hacked=1) ![x](data:text/html,<script>window.hacked=1</script>)",
    "`${window.hacked = 1}` {{ constructor.constructor('window.hacked = 1')() }}",
    '<svg onload="window.hacked = 1"><!-- -->',
    "\u202egnp.exe",
]
PAGES = ["/", "/repository", "/repository/Iris", "/repository/Iris/2", "/compare?tag=Iris:1&tag=Iris:2"]
PAGES += [
    "/deployments",
    "/deployments/dev",
    "/deployments/dev/iris",
    "/deployments/dev/iris?minutes=60",
    "/deployments/dev/iris/log",
    "/deployments/dev/iris/restart",
    "/deployments/dev/iris/delete",
    "/deploy",
    "/deploy?preview=1&namespace=dev&name=iris&bento=Iris@prod",
    "/deploy?preview=1&name=new&bento=nothing",
    "/activity",
    "/tokens",
    "/trash",
    "/retention",
    "/repository/Iris/2/delete",
]


@pytest.fixture
def db_url() -> None:
    """A browser sees no difference between databases: SQLite only."""


@pytest.fixture
def filled(server: Running, add: Add) -> Running:
    add("Iris", "1", {"stage": "dev"})
    record = add("Iris", "2", {"stage": "prod", "team": "flowers"})
    add("Zebra", "1")
    server.registry.aliases.move(LOCAL, "Iris", "prod", "2")
    server.registry.bundles.set_note(LOCAL, record, "The one for **spring**.")
    spec = {"bento_name": "Iris", "bento_version": "2", "operator": "local", "config": {"workers": 2}}
    info = {
        "endpoints": ["http://127.0.0.1:5100"],
        "drift": ["revision 1 serves, 2 is wanted"],
        "restarts": 1,
    }
    state = {"state": "RUNNING", "error_message": "", "info": info}
    server.registry.deployments.save(LOCAL, Deployment("dev", "iris", spec, state))
    write_log(server, "revision 1 serves")
    count(server, 30)
    return server


def spoil_files(layout: BundleLayout, text: str) -> None:
    """Whatever of a bundle's files a page shows."""
    layout.readme.write_text(
        f"# {text}\n\n{text}\n\n<{text}>\n\n```\n{text}\n```\n\n| {text} |\n|---|\n| {text} |\n"
    )
    body = {"content": {text: {"schema": {text: text}, "example": text}}}
    paths = {f"/{text}": {"post": {"requestBody": body}}}
    layout.openapi.write_text(json.dumps({"paths": paths}))
    example = {"api": text, "request": {"text": text}, "answer": {"status": text, "text": text}}
    layout.examples.write_text(json.dumps({"format": 1, "examples": [example]}))


def write_log(server: Running, text: str) -> None:
    """What the service of dev/iris wrote."""
    directory = DeploymentDirectory(home() / "deployments" / "dev" / "iris")
    directory.make()
    directory.log.write_text(text)


def count(server: Running, looks: int, requests_a_look: float = 100.0) -> None:
    """Figures of dev/iris, as looking at a service again and again gives them."""
    history, at = server.server.history, time.monotonic()
    for number in range(looks):
        done = number * requests_a_look
        history.add(
            "dev/iris",
            at + number,
            Counters(done, number, done / 100, buckets=((0.01, done / 2), (1.0, done), (inf, done)),
                     cpu_s=number / 2, memory_bytes=float(1 << 28)),
        )  # fmt: skip


@pytest.fixture
def page() -> Iterator[Page]:
    with browser.page() as opened:
        yield opened


def test_search_as_one_types(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository")
    page.get_by_label("Name or version").fill("zeb")
    page.wait_for_url("**/repository?search=zeb*")
    rows = page.locator("#results tbody tr")
    rows.get_by_text("Zebra").wait_for()
    assert rows.count() == 1
    page.get_by_label("Name or version").fill("")
    page.get_by_label("Labels").fill("stage=prod")
    page.wait_for_url("**labels=stage*")
    rows.get_by_text("Zebra").wait_for(state="detached")
    rows.get_by_text("Iris").first.wait_for()
    assert rows.count() == 1


def test_alias_is_moved_and_a_bundle_deleted(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository/Iris")
    page.get_by_label("Alias", exact=True).fill("prod")
    page.locator("select[name=version]").select_option("1")
    page.get_by_role("button", name="Point it there").click()
    page.get_by_role("status").get_by_text("Iris@prod now points to 1.").wait_for()
    page.locator("tr", has_text="@prod").get_by_role("link", name="1").first.wait_for()
    page.goto(f"{filled.url}/repository/Iris/2")
    page.get_by_role("link", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("Iris:2 is deleted").wait_for()
    assert filled.registry.bundles.find_or_none("Iris", "2") is None


def test_two_versions_are_chosen_and_compared(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository/Iris")
    for version in ("1", "2"):
        page.get_by_label(f"Compare Iris:{version}").check()
    page.get_by_role("button", name="Compare the two chosen").click()
    page.get_by_role("heading", name="Compare").wait_for()
    page.locator(".diff .new", has_text="prod").first.wait_for()


def test_look_is_chosen_and_kept(filled: Running, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(filled.url)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Switch between light and dark").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_keyboard_reaches_the_content_first(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/repository")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(filled: Running, page: Page, scheme: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.emulate_media(color_scheme=scheme)
    for path in PAGES:
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(f"{filled.url}{path}")
            overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert overflow <= 0, (path, width, overflow)
        found = Axe().run(page).response["violations"]
        assert not [(item["id"], item["nodes"][0]["html"]) for item in found], path
    assert problems == []


@pytest.mark.parametrize("text", HOSTILE)
def test_U_text_of_bundles_runs_no_script(filled: Running, page: Page, text: str) -> None:
    record = filled.registry.bundles.find("Iris", "2")
    api = {"name": text, "route": text, "docs": text, "input_type": text, "input_config": {text: text}}
    metadata = {
        "env": {"python_version": text, "pip_packages": [text]},
        "apis": [api],
        "artifacts": [{"name": text, "artifact_type": text, "metadata": {text: text}}],
    }

    def spoil(connection: Any) -> None:
        changed = update(bentos).where(bentos.c.id == record.row_id)
        connection.execute(
            changed.values(bento_service_metadata=metadata, lineage={"git_commit": text, "parent": text})
        )

    filled.registry.database.write(spoil)
    filled.registry.bundles.set_note(LOCAL, record, text)
    state = {"state": text, "error_message": text, "info": {text: text, "endpoint": text}}
    spec = {"bento_name": text, "bento_version": text, "operator": text, "config": {text: text}}
    filled.registry.deployments.save(LOCAL, Deployment("dev", "iris", spec, state))
    loud = {"bento_name": "Iris", "bento_version": "2", "operator": "local", "config": {text: text}}
    shown = {"state": "ERROR", "error_message": text, "info": {"drift": [text], "endpoints": [text]}}
    filled.registry.deployments.save(
        LOCAL, Deployment("dev", "loud", loud, shown, {"team": text}, {text: text})
    )
    write_log(filled, f"{text}\n\x1b[31m{text}")
    spoil_files(BundleLayout(Path(record.uri), record.name), text)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    given = quote(text)
    forms = [f"/deploy?preview=1&name={given}&namespace={given}&bento={given}&config={given}&labels={given}"]
    forms += [f"/deploy?namespace=dev&name=loud&operator={given}", "/deployments/dev/loud"]
    searches = [f"/repository?search={given}", f"/activity?resource={given}", f"/deployments?labels={given}"]
    for path in (*PAGES, *forms, *searches):
        page.goto(f"{filled.url}{path}")
        assert page.evaluate("window.hacked") is None, path
        assert page.locator("a[href^='javascript:'], a[href^='data:']").count() == 0, path
    assert all(url.startswith(filled.url) for url in asked)
    page.goto(f"{filled.url}/repository/Iris/2")
    assert text.strip() in page.locator(".docs").inner_text()


def test_a_deployment_is_looked_at_live(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/deployments/dev/iris")
    log = page.locator("#log-text")
    log.get_by_text("revision 1 serves").wait_for()
    page.get_by_text("As a table").click()
    deployment = filled.registry.deployments.find("dev", "iris")
    state = {"state": "CRASH_LOOP_BACK_OFF", "error_message": "It fell over.", "info": {}}
    filled.registry.deployments.set_state("dev", "iris", state)
    write_log(filled, "revision 1 ended")
    page.locator("#live").get_by_text("It fell over.").wait_for()
    log.get_by_text("revision 1 ended").wait_for()
    page.locator("#announcement", has_text="crash loop back off").wait_for(state="attached")
    assert page.locator("#figures-table[open]").count() == 1
    page.get_by_role("button", name="Pause").click()
    filled.registry.deployments.set_state("dev", "iris", deployment.state)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(7000)
    assert asked == []
    page.get_by_role("button", name="Go on").click()
    page.locator("#live").get_by_text("running", exact=True).wait_for()


def test_plots_have_words_and_a_table(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/deployments/dev/iris")
    plot = page.get_by_role("img", name="Requests from")
    assert "answers 100/s; errors 1/s" in str(plot.get_attribute("aria-label"))
    assert page.get_by_role("img").count() == 4
    page.get_by_text("As a table").click()
    cells = page.locator("#figures-table tbody tr").first.locator("td").all_inner_texts()
    assert cells == ["100/s", "1/s", "10 ms", "980 ms", "0.5 cores", "256 MiB"]
    page.get_by_role("link", name="60 minutes").click()
    page.locator("nav[aria-label=Period] [aria-current]", has_text="60 minutes").wait_for()


def test_the_keyboard_alone_reaches_the_deletion_and_back(filled: Running, page: Page) -> None:
    page.goto(f"{filled.url}/deployments/dev/iris")
    page.get_by_role("link", name="Delete", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Delete iris?").wait_for()
    page.get_by_role("link", name="Keep it").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="iris").first.wait_for()
    assert filled.registry.deployments.find("dev", "iris")


def test_pages_of_a_long_list_are_turned(server: Running, add: Add, page: Page) -> None:
    for number in range(45):
        add("Iris", f"v{number:02d}")
    page.goto(f"{server.url}/repository")
    page.get_by_text("1–40 of 45").wait_for()
    page.get_by_role("link", name="Next").click()
    page.get_by_text("41–45 of 45").wait_for()
    assert page.locator("#results tbody tr").count() == 5
    assert page.get_by_role("link", name="Next").count() == 0
    page.get_by_role("link", name="Previous").click()
    page.get_by_text("1–40 of 45").wait_for()


def test_people_log_in_and_out(start: Callable[..., Running], add: Add, page: Page) -> None:
    add("Iris", "1")
    server = start(auth_required=True)
    _, secret = server.registry.tokens.create(LOCAL, "reader", ["read"])
    page.goto(f"{server.url}/repository/Iris")
    page.get_by_role("textbox").fill("ybt_wrong")
    page.get_by_role("textbox").press("Enter")
    page.get_by_text("unknown, expired or revoked").wait_for()
    page.get_by_role("textbox").fill(secret)
    page.get_by_role("textbox").press("Enter")
    page.get_by_role("heading", name="Iris").wait_for()
    assert page.get_by_role("button", name="Point it there").count() == 0
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login*")
    page.goto(f"{server.url}/repository")
    page.wait_for_url("**/login?next=/repository")


def test_a_deployment_is_made_and_deleted_by_hand(server: Running, tmp_path: Path, page: Page) -> None:
    bundle = save_probe(tmp_path / "probe")
    version = read_descriptor(bundle).version
    server.registry.uploads.receive_whole(LOCAL, Tag("Probe", version), [tar_of(bundle)])
    watch = Watch(server.registry, server.server.history, every_s=0.5)
    watch.start()
    try:
        page.goto(f"{server.url}/repository/Probe/{version}")
        page.get_by_role("link", name="Deploy", exact=True).click()
        page.get_by_label("Name", exact=True).fill("probe-one")
        page.get_by_label("Options of the platform").fill("grace_s: 2")
        page.get_by_role("button", name="Show what would happen").click()
        page.get_by_text(f"start Probe:{version}").wait_for()
        page.get_by_role("button", name="Deploy", exact=True).click()
        page.get_by_role("status").get_by_text("probe-one is starting").wait_for()
        page.locator("#live .state", has_text="running").wait_for(timeout=120_000)
        page.get_by_role("img", name="Memory from").wait_for(timeout=60_000)
        page.get_by_role("link", name="Delete", exact=True).click()
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("status").get_by_text("probe-one has ended").wait_for(timeout=60_000)
        page.get_by_text("Nothing is deployed").wait_for()
    finally:
        watch.stop()
        end_keepers(home() / "deployments")
