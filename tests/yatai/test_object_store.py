"""Bundles on S3: a server that really speaks it, over HTTP, in a process of its own (P20, F30)."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
pytest.importorskip("moto.server", reason="moto[server] is not installed")

from bentoml.bundle.remote import fetch_bundle
from bentoml.exceptions import (
    AlreadyExists,
    BentoMLConfigException,
    NotFound,
    YataiRepositoryException,
)
from bentoml.repository.local import LocalRepository
from bentoml.settings import load_settings
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.blobs.objects import ObjectStore
from bentoml.yatai.client import get_yatai_client
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.housekeeping import Housekeeping
from bentoml.yatai.registry import Registry, open_registry
from bentoml.yatai.server import YataiServer
from tests.repository.bundles import make_bundle

from .conftest import tar_of
from .wire import Wire

BUCKET = "s3://models/team"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as out:
        program = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        server = subprocess.Popen(program, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait(timeout=30)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        for word in log.read_text("utf-8", "replace").split():
            if word.startswith("http://127.0.0.1:"):
                return word.rstrip("/")
        time.sleep(0.05)
    raise AssertionError(log.read_text("utf-8", "replace"))


@pytest.fixture
def registry(endpoint: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry on an empty bucket; only the server has credentials."""
    import fsspec

    urllib.request.urlopen(
        urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=30
    ).close()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store = fsspec.filesystem("s3", client_kwargs={"endpoint_url": endpoint}, skip_instance_cache=True)
    store.mkdir("models")
    made = open_registry(
        load_settings(
            yatai__grpc_port=0,
            yatai__ui_enabled=False,
            yatai__repository_type="s3",
            yatai__s3_url=BUCKET,
            yatai__s3_endpoint_url=endpoint,
        )
    )
    assert isinstance(made.bundles.store, ObjectStore)
    made.bundles.store._pause_s = 0.001
    return made


def add(registry: Registry, tmp_path: Path, version: str, content: bytes = b"weights") -> None:
    source = make_bundle(tmp_path / f"made-{version}", "Iris", version, content=content)
    registry.uploads.receive_whole(LOCAL, Tag("Iris", version), [tar_of(source)])


def test_bundle_is_an_object_as_013_kept_it(registry: Registry, tmp_path: Path) -> None:
    add(registry, tmp_path, "1")
    record = registry.bundles.find("Iris", "1")
    assert record.uri_type == "S3"
    assert record.uri.startswith(f"{BUCKET}/Iris/1-")
    with registry.bundles.directory(record) as directory:
        assert (directory / "Iris/artifacts/model.pkl").read_bytes() == b"weights"
    with pytest.raises(AlreadyExists):
        add(registry, tmp_path / "again", "1")


def test_signed_address_needs_no_credentials(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(registry, tmp_path, "1")
    url = registry.bundles.store.signed_url(registry.bundles.find("Iris", "1"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert (fetch_bundle(url) / "bentoml.yml").is_file()


def test_deleted_object_can_be_restored_and_goes_in_the_end(registry: Registry, tmp_path: Path) -> None:
    add(registry, tmp_path, "1")
    record = registry.bundles.find("Iris", "1")
    registry.bundles.delete(LOCAL, "Iris", "1")
    add(registry, tmp_path, "1b")
    assert registry.bundles.restore(LOCAL, "Iris", "1").uri == record.uri
    registry.bundles.delete(LOCAL, "Iris", "1")
    registry.bundles.restore_period = timedelta(seconds=-1)
    registry.bundles.purge()
    with pytest.raises(NotFound):
        registry.bundles.restore(LOCAL, "Iris", "1")
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)
    assert not store._files.exists(record.uri)


def test_push_and_pull_without_credentials_of_the_store(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(yatai__grpc_port=0, yatai__ui_enabled=False)
    server = YataiServer(registry, settings, auth_required=False)
    server.start()
    try:
        monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "client"))
        local = LocalRepository(tmp_path / "client")
        local.add_directory(make_bundle(tmp_path / "made", "Iris", "1"), {"env": "prod"})
        client = get_yatai_client(f"127.0.0.1:{server.grpc_port}")
        assert client.repository.push("Iris:1").startswith(BUCKET)
        local.delete("Iris", "1")
        client.repository.pull("Iris:1")
        assert local.get("Iris", "1").labels == {"env": "prod"}
        assert (client.repository.resolve("Iris:1") / "bentoml.yml").is_file()
        old = Wire(server.grpc_port)
        bento = old.call("GetBento", bento_name="Iris", bento_version="1")["bento"]
        assert bento["uri"]["type"] == 2
        assert (fetch_bundle(bento["uri"]["s3_presigned_url"]) / "bentoml.yml").is_file()
        old.close()
    finally:
        server.stop(0.2)


@pytest.mark.parametrize("failures", [1, 3], ids="{} failures".format)
def test_F30_store_that_fails_for_a_while(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)
    put, left = store._files.put_file, [failures]

    def flaky(*arguments: object, **options: object) -> object:
        if left[0]:
            left[0] -= 1
            raise OSError("503 SlowDown")
        return put(*arguments, **options)

    monkeypatch.setattr(store._files, "put_file", flaky)
    add(registry, tmp_path, "1")
    assert registry.bundles.find("Iris", "1").tag == "Iris:1"


def test_F30_store_that_keeps_failing_or_damages_leaves_no_bundle(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)

    def damage(_path: str, uri: str) -> None:
        with store._files.open(uri, "wb") as stream:
            stream.write(b"other bytes")

    monkeypatch.setattr(store._files, "put_file", damage)
    with pytest.raises(YataiRepositoryException, match=r"after 4 attempts.*reads back differently"):
        add(registry, tmp_path, "1")
    assert registry.bundles.count(BundleQuery()) == 0
    assert store._files.find("models") == []


def test_P6_objects_that_a_crash_left_are_removed_after_a_while(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends between storing the object and listing its bundle."""
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)
    add(registry, tmp_path, "1")
    add(registry, tmp_path, "2")
    registry.bundles.delete(LOCAL, "Iris", "2")
    with monkeypatch.context() as patched:
        patched.setattr(store, "_remove_quietly", lambda _uri: None)
        patched.setattr(store._index, "add", _die)
        with pytest.raises(KeyboardInterrupt):
            add(registry, tmp_path, "3")
    foreign = "models/team/Iris/old.tar.gz"
    store._files.pipe_file(foreign, b"of somebody else")
    before = set(store._files.find("models"))
    assert len(before) == 4
    Housekeeping(registry).clean_up()
    assert set(store._files.find("models")) == before  # it could still be listed by another server
    monkeypatch.setattr("bentoml.yatai.blobs.objects.ORPHANS_STAY", timedelta(seconds=-5))
    Housekeeping(registry).clean_up()
    [gone] = before - set(store._files.find("models"))
    assert "/Iris/3-" in gone
    assert registry.bundles.restore(LOCAL, "Iris", "2").tag == "Iris:2"


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_P6_workspaces_of_dead_processes_are_removed(registry: Registry) -> None:
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)
    with store._workspace() as mine:
        left = mine.with_name("object-left")
        left.mkdir()
        store.clean_up()
        assert mine.is_dir()
        assert not left.exists()


def test_type_without_its_address_is_a_clear_error(home: Path) -> None:
    with pytest.raises(BentoMLConfigException, match="'--s3-url' must be specified for S3"):
        open_registry(load_settings(yatai__repository_type="s3"))
    with pytest.raises(BentoMLConfigException, match="must be a directory"):
        open_registry(load_settings(yatai__repository_base_url="ftp://x"))
