"""Bundles on Google's storage: an emulator that speaks its API, over HTTP, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

# gcsfs reads this when it is imported: it would ask the emulator, in gRPC, what kind of bucket it has.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
pytest.importorskip("gcsfs", reason="the extra `gcs` is not installed")
pytest.importorskip("gcp_storage_emulator", reason="gcp-storage-emulator is not installed")

from bentoml.exceptions import AlreadyExists
from bentoml.repository.local import LocalRepository
from bentoml.settings import load_settings
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.blobs.objects import ObjectStore
from bentoml.yatai.client import get_yatai_client
from bentoml.yatai.registry import Registry, open_registry
from bentoml.yatai.server import YataiServer
from tests.repository.bundles import make_bundle

from .conftest import tar_of
from .faults.process import free_port

BUCKET = "gs://models/team"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    program = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host=127.0.0.1", "--in-memory"]
    log = tmp_path_factory.mktemp("emulator") / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*program, f"--port={port}", "--default-bucket=models"], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(server, f"{address}/storage/v1/b/models", log)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=10).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(log.read_text("utf-8", "replace"))


@pytest.fixture
def registry(endpoint: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
    made = open_registry(
        load_settings(
            yatai__grpc_port=0, yatai__ui_enabled=False, yatai__repository_type="gcs", yatai__gcs_url=BUCKET
        )
    )
    assert isinstance(made.bundles.store, ObjectStore)
    for path in made.bundles.store._files.find("models"):
        made.bundles.store._files.rm_file(path)
    return made


def add(registry: Registry, tmp_path: Path, version: str) -> None:
    source = make_bundle(tmp_path / f"made-{version}", "Iris", version)
    registry.uploads.receive_whole(LOCAL, Tag("Iris", version), [tar_of(source)])


def test_bundle_is_an_object_that_is_deleted_restored_and_purged(registry: Registry, tmp_path: Path) -> None:
    add(registry, tmp_path, "1")
    record = registry.bundles.find("Iris", "1")
    assert (record.uri_type, record.uri.startswith(f"{BUCKET}/Iris/1-")) == ("GCS", True)
    with registry.bundles.directory(record) as directory:
        assert (directory / "Iris/artifacts/model.pkl").read_bytes() == b"weights"
    with pytest.raises(AlreadyExists):
        add(registry, tmp_path / "again", "1")
    registry.bundles.delete(LOCAL, "Iris", "1")
    assert registry.bundles.restore(LOCAL, "Iris", "1").uri == record.uri
    registry.bundles.delete(LOCAL, "Iris", "1")
    registry.bundles.restore_period = timedelta(seconds=-1)
    assert [str(tag) for tag in registry.bundles.purge()] == ["Iris:1"]
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)
    assert not store._files.exists(record.uri)


def test_objects_that_a_crash_left_are_removed(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)
    add(registry, tmp_path, "1")
    store._files.pipe_file(f"{BUCKET}/Iris/2-0123abcd.tar.gz", b"its row was never written")
    store.clean_up()
    assert len(store._files.find("models")) == 2
    monkeypatch.setattr("bentoml.yatai.blobs.objects.ORPHANS_STAY", timedelta(seconds=-5))
    store.clean_up()
    [kept] = store._files.find("models")
    assert kept in registry.bundles.find("Iris", "1").uri


def test_push_and_pull_through_the_server(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = YataiServer(
        registry, load_settings(yatai__grpc_port=0, yatai__ui_enabled=False), auth_required=False
    )
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
    finally:
        server.stop(0.2)
