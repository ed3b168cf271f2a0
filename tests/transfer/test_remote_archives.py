"""Archives behind an address (X): what loads or imports them refuses the same ones."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import bentoml
from bentoml.bundle import remote
from bentoml.exceptions import BentoMLException, BundleCorrupted
from bentoml.repository.local import LocalRepository
from bentoml.transfer import import_bundle

from . import archives
from .hostile import HOSTILE


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "web"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("case", HOSTILE)
def test_X_hostile_archives_over_http(
    case: str,
    exported: Path,
    other_home: Path,
    web: tuple[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, folder = web
    archives.write(folder / "hostile.tar.gz", archives.read(exported), *HOSTILE[case])
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    before = archives.tree(tmp_path)
    with pytest.raises(BundleCorrupted):
        import_bundle(f"{url}/hostile.tar.gz")
    assert archives.tree(tmp_path) == before
    with pytest.raises(BundleCorrupted):
        bentoml.load(f"{url}/hostile.tar.gz")
    left = [
        path for path in (tmp_path / "temporary").rglob("*") if not path.name.startswith("bentoml-remote-")
    ]
    assert left == []
    assert LocalRepository(other_home).list() == []


def test_a_sound_archive_over_http(exported: Path, other_home: Path, web: tuple[str, Path]) -> None:
    url, folder = web
    (folder / "good.tar.zst").write_bytes(exported.read_bytes())
    done = import_bundle(f"{url}/good.tar.zst")
    assert (str(done.tag), len(done.wheels.files) if done.wheels else 0) == ("Hello:1", 1)
    assert (remote.fetch_bundle(f"{url}/good.tar.zst") / "bentoml.yml").is_file()
    with pytest.raises(BentoMLException, match="status 404"):
        import_bundle(f"{url}/absent.tar.gz?token=secret")


def test_X14_a_body_that_is_cut(exported: Path, other_home: Path, web: tuple[str, Path]) -> None:
    url, folder = web
    whole = exported.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 1):
        (folder / f"cut-{cut}.tar.zst").write_bytes(whole[:cut])
        with pytest.raises(BundleCorrupted):
            import_bundle(f"{url}/cut-{cut}.tar.zst")
        with pytest.raises(BundleCorrupted):
            bentoml.load(f"{url}/cut-{cut}.tar.zst")
    assert LocalRepository(other_home).list() == []
