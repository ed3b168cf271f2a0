"""Opt-in (`-m real013`): clients and servers of the real 0.13.1 with ours, both ways."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bentoml.exceptions import BentoMLException, NotFound
from bentoml.repository.local import LocalRepository
from bentoml.yatai.client import get_yatai_client

from .home import HERE, install_home
from .record import real_env
from .wire import START_LIMIT_S

pytestmark = [pytest.mark.real013, pytest.mark.timeout(600), pytest.mark.xdist_group("real013")]


@contextmanager
def yatai(command: list[str], home: Path, log: Path) -> Iterator[str]:
    """A server that runs; gives its gRPC address."""
    home.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, "yatai-service-start", "--no-ui", "--grpc-port", str(free_port())],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **real_env(home), "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield wait_for_address(server, log)
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for_address(server: subprocess.Popen[bytes], log: Path) -> str:

    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end and server.poll() is None:
        found = re.search(r"Running on (\S+) ", log.read_text("utf-8", "replace"))
        if found:
            return found.group(1)
        time.sleep(0.1)
    raise AssertionError(log.read_text("utf-8", "replace"))


def free_port() -> int:

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ours() -> list[str]:
    return [sys.executable, "-m", "bentoml"]


def run_client(
    python: str, home: Path, address: str, tag: str, *, config: Path | None = None
) -> dict[str, Any]:
    extra = {"BENTOML_CONFIG": str(config)} if config else {}
    done = subprocess.run(
        [python, str(HERE / "yatai_client013.py"), address, tag],
        env={**os.environ, **real_env(home), **extra},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("SEEN")]
    seen: dict[str, Any] = json.loads(line.removeprefix("SEEN"))
    return seen


def expected_record(home: Path, tag: str) -> dict[str, Any]:
    """What the recorded home says about a bundle, read by this library from a copy."""
    name, _, version = tag.partition(":")
    record = LocalRepository(home).get(name, version)
    return {
        "uri_type": 1,
        "labels": record.labels,
        "apis": [[api["name"], api["input_type"], api["output_type"]] for api in record.apis],
        "artifacts": [[one["name"], one["artifact_type"]] for one in record.artifacts],
        "python": record.metadata["env"]["python_version"],
        "status": 2,
    }


def pick(home: Path) -> str:
    """A bundle with labels and artifacts, from a copy of the home that this library may upgrade."""
    for record in LocalRepository(home).list():
        if record.labels and record.artifacts:
            return record.tag
    raise AssertionError("the fixture has no bundle with labels")


def test_client_of_013_with_our_server(python013: str, tmp_path: Path) -> None:
    client_home = install_home(tmp_path / "client")
    copy = install_home(tmp_path / "copy")
    tag = pick(copy)
    expected = expected_record(copy, tag)
    with yatai(ours(), tmp_path / "server", tmp_path / "log") as address:
        seen = run_client(python013, client_home, address, tag)
    name, _, version = tag.partition(":")
    assert seen["location"] == str(tmp_path / "server/repository" / name / version)
    assert "already registered in repository" in seen["again"]
    assert seen["listed"] == [tag]
    key, value = next(iter(expected["labels"].items()))
    assert (key, value) == ("team", "core") or seen["by_labels"] == []
    assert seen["record"] == expected
    assert "NOT_FOUND:BentoService" in seen["missing"]
    assert seen["same_files"] is True
    assert seen["loads"] == name
    assert tag in seen["local"]
    assert seen["left"] == []


def test_client_of_013_with_a_token(python013: str, tmp_path: Path) -> None:
    from bentoml.settings import load_settings
    from bentoml.yatai.access import LOCAL
    from bentoml.yatai.registry import open_registry

    server_home = tmp_path / "server"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(server_home))
        patch.setenv("BENTOML_YATAI_AUTH", "true")
        tokens = open_registry(load_settings()).tokens
        tokens.create(LOCAL, "root", ["admin"])
        _, secret = tokens.create(LOCAL, "old", ["write"])
        client_home = install_home(tmp_path / "client")
        tag = pick(install_home(tmp_path / "copy"))
        config = tmp_path / "config.yml"
        with yatai(ours(), server_home, tmp_path / "log") as address:
            config.write_text("yatai:\n  remote:\n    access_token: wrong\n")
            with pytest.raises(AssertionError, match="UNAUTHENTICATED"):
                run_client(python013, client_home, address, tag, config=config)
            config.write_text(f"yatai:\n  remote:\n    access_token: {secret}\n")
            seen = run_client(python013, client_home, address, tag, config=config)
    assert seen["listed"] == [tag]


def test_our_client_with_a_server_of_013(
    python013: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(install_home(tmp_path / "client")))
    local = LocalRepository(tmp_path / "client")
    tag = pick(tmp_path / "client")
    name, _, version = tag.partition(":")
    before = local.get(name, version)
    with yatai([python013, "-m", "bentoml"], tmp_path / "server", tmp_path / "log") as address:
        remote = get_yatai_client(address).repository
        location = remote.push(tag)
        assert Path(location).is_dir()
        with pytest.raises(BentoMLException, match="already exists"):
            remote.push(tag)
        assert [bento.tag for bento in remote.list()] == [tag]
        got = remote.get(f"{name}:latest")
        assert (got.version, dict(got.bento_service_metadata.labels)) == (version, before.labels)
        assert [api.name for api in got.bento_service_metadata.apis] == [api["name"] for api in before.apis]
        with pytest.raises(NotFound):
            remote.get(f"{name}:none")
        key, value = next(iter(before.labels.items()))
        assert [bento.tag for bento in remote.list(labels=f"{key}={value}")] == [tag]
        assert remote.list(labels=f"{key} In (other)") == []
        assert (remote.resolve(tag) / "bentoml.yml").read_bytes() == (
            Path(before.uri) / "bentoml.yml"
        ).read_bytes()
        local.delete(name, version)
        pulled = remote.pull(tag)
        assert local.get(name, version).labels == before.labels
        assert Path(pulled).is_dir()
        remote.delete(tag)
        assert remote.list() == []


def test_commands_of_013_with_our_server(python013: str, tmp_path: Path) -> None:
    client_home = install_home(tmp_path / "client")
    tag = pick(install_home(tmp_path / "copy"))

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [python013, "-m", "bentoml", *arguments],
            env={**os.environ, **real_env(client_home)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with yatai(ours(), tmp_path / "server", tmp_path / "log") as address:
        at = f"--yatai-url={address}"
        assert "Pushed" in command("push", tag, at)
        assert tag in command("list", at)
        assert json.loads(command("get", tag, at))["name"] == tag.partition(":")[0]
        command("retrieve", tag, at, "--target_dir", str(tmp_path / "there"))
        assert (tmp_path / "there/bentoml.yml").is_file()
        command("delete", tag, "-y", at)
        assert tag not in command("list", at)


def test_database_of_a_013_server_is_upgraded_in_place(python013: str, tmp_path: Path) -> None:
    """Filled by the real server, opened by ours, with a backup that the real one still opens."""
    client_home = install_home(tmp_path / "client")
    tag = pick(install_home(tmp_path / "copy"))
    home = tmp_path / "server"
    with yatai([python013, "-m", "bentoml"], home, tmp_path / "log013") as address:
        subprocess.run(
            [python013, "-m", "bentoml", "push", tag, f"--yatai-url={address}"],
            env={**os.environ, **real_env(client_home)},
            check=True,
            timeout=120,
        )
    with yatai(ours(), home, tmp_path / "log") as address:
        assert [bento.tag for bento in get_yatai_client(address).repository.list()] == [tag]
    [backup] = home.glob("storage.db.backup-*")
    for leftover in home.glob("storage.db*"):
        if leftover != backup:
            leftover.unlink()
    shutil.move(backup, home / "storage.db")
    with yatai([python013, "-m", "bentoml"], home, tmp_path / "again") as address:
        assert [bento.tag for bento in get_yatai_client(address).repository.list()] == [tag]
