"""Retention rules: who may set them, what they delete, and that the server applies them by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from bentoml.cli.main import commandline_interface
from bentoml.exceptions import InvalidArgument, NotFound, PermissionDenied
from bentoml.repository.base import BundleRecord
from bentoml.yatai.access import LOCAL, Caller
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.db.deployments import Deployment
from bentoml.yatai.housekeeping import Housekeeping
from bentoml.yatai.registry import Registry
from bentoml.yatai.services.retention import RULES, Outlook, Retention

from .conftest import Running
from .web.conftest import Site

Add = Callable[..., BundleRecord]
WRITER = Caller("writer", frozenset(["write", "deploy"]))


def tags(registry: Registry) -> list[str]:
    return [record.tag for record in registry.bundles.search(BundleQuery()).records]


@pytest.fixture
def filled(registry: Registry, add: Add) -> Registry:
    for version in ("1", "2", "3", "4"):
        add("Iris", version)
        add("Tulip", version)
    return registry


def test_rule_of_a_name_and_of_every_other_one(filled: Registry, add: Add) -> None:
    retention = filled.retention
    rule, doomed = retention.set_rule(LOCAL, "", 2)
    assert (rule.keep_last, rule.set_by) == (2, "local")
    assert [str(tag) for tag in doomed] == ["Tulip:2", "Iris:2", "Tulip:1", "Iris:1"]
    _, doomed = retention.set_rule(LOCAL, "Iris", 3)
    assert [str(tag) for tag in doomed] == ["Iris:1"]
    _, doomed = retention.set_rule(LOCAL, "Tulip", None)
    assert doomed == []
    outlook = retention.outlook(LOCAL)
    assert [(one.name, one.keep_last, one.applied_at) for one in outlook.rules] == [
        ("", 2, None),
        ("Iris", 3, None),
        ("Tulip", None, None),
    ]
    assert [str(tag) for tag in outlook.doomed] == ["Iris:1"]
    assert retention.apply(LOCAL, dry_run=True) == outlook.doomed
    assert len(tags(filled)) == 8
    assert retention.apply(RULES) == outlook.doomed
    assert "Iris:1" not in tags(filled)
    assert all(one.applied_at for one in retention.outlook(LOCAL).rules)
    assert retention.apply(RULES) == []
    retention.remove_rule(LOCAL, "Tulip")
    assert [str(tag) for tag in retention.outlook(LOCAL).doomed] == ["Tulip:2", "Tulip:1"]
    assert filled.bundles.restore(LOCAL, "Iris", "1").tag == "Iris:1"


def test_dry_run_stores_nothing(filled: Registry) -> None:
    _, doomed = filled.retention.set_rule(LOCAL, "Iris", 1, dry_run=True)
    assert len(doomed) == 3
    assert filled.retention.outlook(LOCAL).rules == []
    assert filled.retention.apply(RULES) == []
    assert filled.events.find(LOCAL, resource_type="retention") == []


def test_what_is_in_use_stays_and_is_not_counted(filled: Registry) -> None:
    filled.aliases.move(LOCAL, "Iris", "prod", "1")
    spec = {"bento_name": "Iris", "bento_version": "2", "operator": "local", "config": {}}
    filled.deployments.save(LOCAL, Deployment("dev", "iris", spec))
    filled.retention.set_rule(LOCAL, "Iris", 1)
    assert [str(tag) for tag in filled.retention.apply(RULES)] == ["Iris:3"]


def test_what_gets_used_meanwhile_stays(filled: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looking and deleting somebody deploys, somebody moves an alias, somebody deletes."""
    filled.retention.set_rule(LOCAL, "Iris", 1)
    look = Retention.outlook

    def and_then_it_is_used(retention: Retention, caller: Caller) -> Outlook:
        found = look(retention, caller)
        spec = {"bento_name": "Iris", "bento_version": "3", "operator": "local", "config": {}}
        filled.deployments.save(LOCAL, Deployment("dev", "iris", spec))
        filled.aliases.move(LOCAL, "Iris", "prod", "2")
        return found

    monkeypatch.setattr(Retention, "outlook", and_then_it_is_used)
    assert [str(tag) for tag in filled.retention.apply(RULES)] == ["Iris:1"]


def test_only_administrators_set_rules_and_every_change_is_noted(filled: Registry) -> None:
    retention = filled.retention
    for change in (
        lambda: retention.set_rule(WRITER, "Iris", 1),
        lambda: retention.remove_rule(WRITER, "Iris"),
        lambda: retention.apply(WRITER),
        lambda: retention.apply(WRITER, dry_run=True),
    ):
        with pytest.raises(PermissionDenied):
            change()
    assert retention.outlook(WRITER).rules == []
    retention.set_rule(LOCAL, "Iris", 3)
    retention.apply(RULES)
    retention.remove_rule(LOCAL, "Iris")
    with pytest.raises(NotFound):
        retention.remove_rule(LOCAL, "Iris")
    noted = [(one.actor, one.action, one.resource) for one in filled.events.find(LOCAL, limit=3)]
    assert noted == [
        ("local", "retention.remove", "Iris"),
        ("retention rules", "bundle.delete", "Iris:1"),
        ("local", "retention.set", "Iris"),
    ]


@pytest.mark.parametrize(("name", "keep_last"), [("a b", 1), ("../x", 1), ("Iris", 0), ("Iris", -1)])
def test_wrong_rules_are_refused(registry: Registry, name: str, keep_last: int) -> None:
    with pytest.raises(InvalidArgument):
        registry.retention.set_rule(LOCAL, name, keep_last)


def test_server_applies_them_by_itself(filled: Registry) -> None:
    filled.retention.set_rule(LOCAL, "Iris", 1)
    housekeeping = Housekeeping(filled, every_s=0.05)
    housekeeping.start()
    try:
        end = time.monotonic() + 60
        while len(tags(filled)) > 5:
            assert time.monotonic() < end, "nothing is deleted"
            time.sleep(0.05)
        filled.retention.set_rule(LOCAL, "", 2)  # a rule that is set later is applied as well
        while len(tags(filled)) > 3:
            assert time.monotonic() < end, "the new rule is not applied"
            time.sleep(0.05)
    finally:
        housekeeping.stop()
    assert tags(filled) == ["Tulip:4", "Iris:4", "Tulip:3"]


@pytest.mark.parametrize("remote", [True, False], ids=["server", "home"])
def test_commands(server: Running, add: Add, remote: bool) -> None:
    if not remote and server.settings.yatai.database_url:
        pytest.skip("the home of this test has its database elsewhere")
    for version in ("1", "2", "3"):
        add("Iris", version)
    at = [f"--yatai-url={server.address}"] if remote else []

    def retention(*arguments: str, fails: bool = False) -> str:
        result = CliRunner().invoke(commandline_interface, ["yatai", "retention", *arguments, *at])
        assert (result.exit_code != 0) == fails, result.output
        return result.output

    assert "Would delete Iris:1" in retention("set", "Iris", "--keep-last", "2", "--dry-run")
    assert json.loads(retention("list", "-o", "json"))["rules"] == []
    shown = retention("set", "Iris", "--keep-last", "2")
    assert "Iris: the last 2 stay" in shown and "The next run deletes Iris:1" in shown
    assert "every other name: all bundles stay" in retention("set", "--keep-all")
    listed = retention("list")
    assert "(every other name)" in listed and "The next run deletes 1;" in listed
    assert "Would delete Iris:1" in retention("apply", "--dry-run")
    assert "Deleted Iris:1" in retention("apply")
    assert "Nothing to delete" in retention("apply")
    assert "Removed the rule of Iris" in retention("remove", "Iris")
    assert "no retention rule for Iris" in retention("remove", "Iris", fails=True)
    for wrong in (["set", "Iris"], ["set", "Iris", "--keep-all", "--keep-last", "2"]):
        assert "Give --keep-last N or --keep-all" in retention(*wrong, fails=True)


def test_page_shows_sets_removes_and_applies(server: Running, add: Add) -> None:
    for version in ("1", "2", "3"):
        add("Iris", version)
    site = Site(server.url)
    assert "No rule yet" in site.get("/retention")
    shown = site.send("/retention", "/retention/set", name="", keep_last="2").text
    assert "Every other name keeps the last 2. The next run deletes 1 for it." in shown
    site.send("/retention", "/retention/set", name="Rose", keep_all="on")
    page = site.get("/retention")
    assert "The next run deletes 1</h2>" in page and "/repository/Iris/1" in page
    data = site.json("/retention.json")
    assert [(one["name"], one["keep_last"]) for one in data["rules"]] == [("", 2), ("Rose", None)]
    assert [one["tag"] for one in data["doomed"]] == ["Iris:1"]
    assert "1 deleted. They can be restored" in site.send("/retention", "/retention/apply").text
    assert "The rule of Rose is removed" in site.send("/retention", "/retention/remove", name="Rose").text
    wrong = site.send("/retention", "/retention/set", name="Iris", back="/retention").text
    assert "Say how many bundles stay" in wrong
    assert (
        "keep_last is 0" in site.send("/retention", "/retention/set", keep_last="0", back="/retention").text
    )
    site.client.close()


def test_page_of_a_reader_has_no_forms(start: Callable[..., Running], add: Add) -> None:
    add("Iris", "1")
    server = start(auth_required=True)
    server.registry.retention.set_rule(LOCAL, "Iris", 1)
    _, secret = server.registry.tokens.create(LOCAL, "writer", ["write"])
    site = Site(server.url)
    site.send("/login", "/login", token=secret, next="/retention")
    page = site.get("/retention")
    assert "Set a rule" not in page and "/retention/remove" not in page
    assert site.send("/repository/Iris", "/retention/set", name="Iris", keep_last="1").status_code == 403
    site.client.close()
