"""An object store that fails (F30, P20): 500, SlowDown, silence, cut transfers, damage, no rights.

The store is real, and so is what goes wrong: answers and connections of HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
pytest.importorskip("moto.server", reason="moto[server] is not installed")

from bentoml.bundle.remote import fetch_bundle
from bentoml.exceptions import BentoMLException, YataiRepositoryException
from bentoml.settings import load_settings
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.blobs.objects import ATTEMPTS, ObjectStore
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.registry import Registry, open_registry
from tests.repository.bundles import make_bundle
from tests.yatai.conftest import tar_of
from tests.yatai.store_faults import FaultyStore
from tests.yatai.test_object_store import BUCKET, endpoint

__all__ = ["endpoint"]  # the fixture
KINDS = ["500", "SlowDown", "cut upload"]
# The HTTP library sends once more what it sent on a kept connection that ended.
MOST_REQUESTS = 2 * ATTEMPTS


@pytest.fixture
def faulty(endpoint: str) -> Iterator[FaultyStore]:
    with FaultyStore(endpoint) as found:
        yield found


@pytest.fixture
def registry(faulty: FaultyStore, endpoint: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    import fsspec

    urlopen(Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=30).close()
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.filesystem("s3", client_kwargs={"endpoint_url": endpoint}, skip_instance_cache=True).mkdir(
        "models"
    )
    made = open_registry(
        load_settings(
            yatai__repository_type="s3", yatai__s3_url=BUCKET, yatai__s3_endpoint_url=faulty.endpoint
        )
    )
    assert isinstance(made.bundles.store, ObjectStore)
    made.bundles.store._pause_s = 0.01
    return made


def objects(registry: Registry) -> list[str]:
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)
    store._files.invalidate_cache()
    return [str(path) for path in store._files.find("models")]


def workspaces(registry: Registry) -> list[Path]:
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)
    return list(store._scratch.glob("*"))


def add(registry: Registry, tmp_path: Path, version: str = "1") -> None:
    source = make_bundle(tmp_path / f"made-{version}", "Iris", version, content=bytes(range(256)) * 512)
    registry.uploads.receive_whole(LOCAL, Tag("Iris", version), [tar_of(source)])


def the_first(count: int, method: str, kind: str) -> Callable[[str, str], str | None]:
    left = [count]

    def fail(asked: str, _path: str) -> str | None:
        if asked == method and left[0] > 0:
            left[0] -= 1
            return kind
        return None

    return fail


@pytest.mark.parametrize("kind", KINDS)
def test_F30_upload_that_fails_for_a_while_succeeds(
    registry: Registry, faulty: FaultyStore, tmp_path: Path, kind: str
) -> None:
    faulty.fail = the_first(2, "PUT", kind)
    add(registry, tmp_path)
    assert registry.bundles.find("Iris", "1").status == "DONE"
    assert len(objects(registry)) == 1
    assert workspaces(registry) == []


@pytest.mark.parametrize("kind", KINDS)
def test_F30_upload_that_keeps_failing_is_bounded_and_leaves_nothing(
    registry: Registry, faulty: FaultyStore, tmp_path: Path, kind: str
) -> None:
    faulty.fail = lambda method, _path: kind if method == "PUT" else None
    with pytest.raises(YataiRepositoryException, match=f"after {ATTEMPTS} attempts"):
        add(registry, tmp_path)
    assert faulty.count("PUT") <= MOST_REQUESTS
    faulty.fail = lambda _method, _path: None
    assert registry.bundles.count(BundleQuery()) == 0
    assert objects(registry) == []
    assert workspaces(registry) == []
    add(registry, tmp_path / "again")
    assert registry.bundles.find("Iris", "1").status == "DONE"


@pytest.mark.parametrize("kind", ["AccessDenied", "ExpiredToken"])
def test_F30_no_rights_is_said_at_once(
    registry: Registry, faulty: FaultyStore, tmp_path: Path, kind: str
) -> None:
    faulty.fail = lambda method, _path: kind if method == "PUT" else None
    with pytest.raises(YataiRepositoryException, match=kind):
        add(registry, tmp_path)
    assert registry.bundles.count(BundleQuery()) == 0
    assert workspaces(registry) == []
    if kind == "AccessDenied":
        assert faulty.count("PUT") == 1


@pytest.mark.parametrize("kind", ["damage", "cut download"])
def test_F30_object_that_reads_back_differently_is_no_bundle(
    registry: Registry, faulty: FaultyStore, tmp_path: Path, kind: str
) -> None:
    faulty.fail = lambda method, path: kind if method == "GET" and path.endswith(".tar.gz") else None
    with pytest.raises(YataiRepositoryException, match=f"after {ATTEMPTS} attempts"):
        add(registry, tmp_path)
    faulty.fail = lambda _method, _path: None
    assert registry.bundles.count(BundleQuery()) == 0
    assert objects(registry) == []


@pytest.mark.parametrize("kind", ["500", "SlowDown", "cut download"])
def test_F30_download_that_fails_for_a_while_succeeds(
    registry: Registry, faulty: FaultyStore, tmp_path: Path, kind: str
) -> None:
    add(registry, tmp_path)
    faulty.fail = the_first(2, "GET", kind)
    with registry.bundles.directory(registry.bundles.find("Iris", "1")) as directory:
        assert (directory / "Iris/artifacts/model.pkl").read_bytes() == bytes(range(256)) * 512
    assert workspaces(registry) == []


def test_F30_damaged_download_is_found(registry: Registry, faulty: FaultyStore, tmp_path: Path) -> None:
    add(registry, tmp_path)
    faulty.fail = lambda method, _path: "damage" if method == "GET" else None
    with pytest.raises(BentoMLException), registry.bundles.directory(registry.bundles.find("Iris", "1")):
        pass
    assert workspaces(registry) == []


def test_F30_store_that_hangs_stops_nobody_else(
    registry: Registry, faulty: FaultyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(registry, tmp_path, "1")
    store = registry.bundles.store
    assert isinstance(store, ObjectStore)
    before = len(faulty.asked)
    faulty.fail = lambda method, _path: "hang" if method == "PUT" else None
    failures: list[BaseException] = []

    def push() -> None:
        try:
            add(registry, tmp_path, "2")
        except YataiRepositoryException as err:
            failures.append(err)

    pushing = threading.Thread(target=push)
    pushing.start()
    while len(faulty.asked) == before:
        pushing.join(0.05)
    with registry.bundles.directory(registry.bundles.find("Iris", "1")) as directory:
        assert (directory / "bentoml.yml").is_file()
    assert registry.bundles.count(BundleQuery()) == 1
    faulty.released.set()  # the connections end, and with them the patience
    pushing.join(timeout=60)
    assert len(failures) == 1
    assert faulty.count("PUT") <= MOST_REQUESTS + 1


def test_F30_signed_address_that_expired_is_a_clear_error(
    registry: Registry, faulty: FaultyStore, tmp_path: Path
) -> None:
    add(registry, tmp_path)
    url = registry.bundles.store.signed_url(registry.bundles.find("Iris", "1"))
    faulty.fail = lambda _method, _path: "AccessDenied"
    with pytest.raises(BentoMLException, match="403"):
        fetch_bundle(url)
