"""A new version takes over while requests run, and a broken one does not (P11, F17)."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.server.live.load import Load
from tests.server.live.process import ServerProcess, serving, until
from tests.server.live.wire import get, post, still_serves

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("load")]

ORIGINAL = 'note("echo", identity(value))\n        return values'


class Edited:
    """A bundle whose API `echo` answers with the number of the edit, once there was one."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        self.path = Path(shutil.copytree(bundle, folder / "bundle"))
        (self._module,) = self.path.rglob("probe.py")
        self._text = self._module.read_text()
        assert ORIGINAL in self._text

    def write(self, answer: str) -> None:
        """Put another file in the place of the module, in one step, as editors do."""
        new = self.path.parent / "probe.new"
        new.write_text(self._text.replace(ORIGINAL, ORIGINAL.replace("return values", answer)))
        new.replace(self._module)


def version_in(body: bytes) -> int:
    value = json.loads(body)
    return int(value["version"]) if isinstance(value, dict) else 0


def generations(server: ServerProcess) -> int:
    return server.log.count(" is serving.")


def reloads(bundle: Path, folder: Path, count: int) -> None:
    edited = Edited(bundle, folder)
    with serving(edited.path, folder, ["--reload"]) as server:
        first = server.workers()
        load = Load(server.port, 16, 200).start()
        for number in range(1, count + 1):
            before = generations(server)
            edited.write(f'return [{{"version": {number}, "value": value}} for value in values]')
            until(lambda before=before: generations(server) > before, 90, "the new version")  # type: ignore[misc]
            served = time.monotonic()
            until(lambda served=served: any(o.sent_at > served for o in load.outcomes), 30)  # type: ignore[misc]
        until(lambda: len(server.workers()) == 1, 60, "the end of the old workers")
        outcomes = load.stop()
        print(f"{count} reloads, {len(outcomes)} requests")
        assert {o.status for o in outcomes} == {200}
        for outcome in outcomes:
            value = json.loads(outcome.body)
            assert (value["value"] if isinstance(value, dict) else value) == outcome.index
        assert {version_in(o.body) for o in outcomes} == set(range(count + 1))
        order = sorted(outcomes, key=lambda o: o.sent_at + o.took_s)
        assert version_in(order[-1].body) == count
        assert not set(first) & set(server.workers())
        assert post(server.port, "/echo1", {"ok": 1}).json() == {"ok": 1}
        assert server.stop() == 0


def test_P11_reloads_under_load_lose_nothing(probe_bundle: Path, tmp_path: Path) -> None:
    reloads(probe_bundle, tmp_path, 2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_P11_twenty_reloads_under_load_lose_nothing(probe_bundle: Path, tmp_path: Path) -> None:
    reloads(probe_bundle, tmp_path, 20)


@pytest.mark.parametrize("broken", ["return values return", "raise SystemExit", "import"])
def test_F17_P11_a_broken_version_changes_nothing(probe_bundle: Path, tmp_path: Path, broken: str) -> None:
    """Not the syntax error, nor the one that ends its process, nor the one that raises while it loads."""
    edited = Edited(probe_bundle, tmp_path)
    switch = tmp_path / "load"
    env = {"PROBE_LOAD_FILE": str(switch)}
    with serving(edited.path, tmp_path, ["--reload"], env) as server:
        workers = server.workers()
        load = Load(server.port, 8, 50).start()
        switch.write_text({"import": "raise", "raise SystemExit": "exit"}.get(broken, ""))
        edited.write(broken if "values" in broken else "return values ")
        until(lambda: "The old version goes on serving" in server.log, 120, "the refusal")
        assert get(server.port, "/readyz").status == 200
        still_serves(server.port)
        until(lambda: server.workers() == workers, 30, "the end of the new workers")
        switch.write_text("")
        edited.write('return [{"version": 2, "value": value} for value in values]')
        until(lambda: generations(server) == 1, 90, "the version that works")
        outcomes = load.stop()
        assert {o.status for o in outcomes} == {200}
        assert post(server.port, "/echo", 5).json() == {"version": 2, "value": 5}
        assert server.stop() == 0
