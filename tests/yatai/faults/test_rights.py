"""Files that the server may not read or write (F29): wrong owner, read-only directories and database.

The server runs without the right to overlook permissions, which root has otherwise.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bentoml.exceptions import BentoMLException
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings
from bentoml.yatai.remote.repository import RemoteRepository
from tests.repository.bundles import make_bundle

from .process import ServerProcess

_WITHOUT = "-dac_override,-dac_read_search,-fowner"
_PREFIX = ["setpriv", f"--inh-caps={_WITHOUT}", f"--bounding-set={_WITHOUT}"]
NOBODY = 65534


class Bound(ServerProcess):
    """A server to which permissions apply."""

    def command(self) -> list[str]:
        return [*(_PREFIX if os.getuid() == 0 else []), *super().command()]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Bound]:
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv (util-linux), to run as root without root's rights")
        done = subprocess.run([*_PREFIX, "true"], capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"rights cannot be given up here: {done.stderr.decode(errors='replace')}")
    made = Bound(tmp_path / "home")
    yield made
    made.kill()
    subprocess.run(["chmod", "-R", "u+rwX", str(tmp_path)], check=False)


@pytest.fixture
def remote(server: Bound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteRepository]:
    """A client with a home of its own, of a server that runs."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "client"))
    monkeypatch.setattr("bentoml.rpc.channel.FIRST_PAUSE_S", 0.01)
    server.start()
    repository = RemoteRepository(RpcClient(server.address, load_settings().yatai))
    yield repository
    repository.client.close()


def refused_start(server: ServerProcess) -> str:
    with pytest.raises(AssertionError):
        server.start()
    assert server.wait() not in (0, None)
    text = server.log.read_text("utf-8", "replace")
    assert "Traceback" not in text, text
    return text


def of_nobody(path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a directory away")
    path.mkdir()
    path.chmod(0o700)
    os.chown(path, NOBODY, NOBODY)


def read_only(path: Path) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(0o555)


@pytest.mark.parametrize("spoil", [of_nobody, read_only])
def test_F29_home_that_cannot_be_used_ends_the_start(server: Bound, spoil: Callable[[Path], None]) -> None:
    spoil(server.home)
    text = refused_start(server)
    assert str(server.home) in text
    assert "ermission" in text or "read-only" in text, text


@pytest.mark.parametrize("spoil", [of_nobody, read_only])
def test_F29_repository_that_cannot_be_written(
    server: Bound, remote: RemoteRepository, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """It loses its rights while the server runs, and gets them back."""
    first = make_bundle(tmp_path / "first", "Iris", "1")
    second = make_bundle(tmp_path / "second", "Iris", "2")
    remote.add_directory(first)
    repository = server.home / "repository"
    aside = server.home / "aside"
    if spoil is of_nobody:
        repository.rename(aside)
        spoil(repository)
    else:
        for path in (repository, *(found for found in repository.rglob("*") if found.is_dir())):
            path.chmod(0o555)
    with pytest.raises(BentoMLException) as failure:
        remote.add_directory(second)
    assert str(server.home) not in str(failure.value)
    assert [record.version for record in remote.list("Iris")] == ["1"]
    if spoil is of_nobody:
        repository.rmdir()
        aside.rename(repository)
    else:
        for path in (repository, *repository.rglob("*")):
            path.chmod(0o755)
    remote.add_directory(second)
    assert [record.version for record in remote.list("Iris")] == ["2", "1"]
    assert server.is_running


def test_F29_directory_of_uploads_that_cannot_be_written(
    server: Bound, remote: RemoteRepository, tmp_path: Path
) -> None:
    source = make_bundle(tmp_path / "made", "Iris", "1")
    uploads = server.home / "yatai/uploads"
    uploads.mkdir(parents=True, exist_ok=True)
    read_only(uploads)
    with pytest.raises(BentoMLException) as failure:
        remote.add_directory(source)
    assert str(server.home) not in str(failure.value)
    assert remote.list("Iris") == []
    uploads.chmod(0o755)
    remote.add_directory(source)
    assert [record.version for record in remote.list("Iris")] == ["1"]


def test_F29_read_only_database_is_a_clear_error_and_readers_go_on(
    server: Bound, remote: RemoteRepository, tmp_path: Path
) -> None:
    remote.add_directory(make_bundle(tmp_path / "first", "Iris", "1"))
    files = list(server.home.glob("storage.db*"))
    server.kill()
    for file in files:
        if file.exists():
            file.chmod(0o444)
    server.home.chmod(0o555)
    code = 0
    try:
        server.start()
    except AssertionError:
        code = server.wait()
    text = server.log.read_text("utf-8", "replace")
    assert "Traceback" not in text, text
    if code == 0:
        assert [record.version for record in remote.list("Iris")] == ["1"]
        with pytest.raises(BentoMLException):
            remote.client.call("SetAlias", name="Iris", alias="prod", version="1")
    else:
        assert str(server.home) in text
