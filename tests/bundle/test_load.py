"""Loading: old bundles, versions that differ, odd layouts, zip archives, URLs."""

from __future__ import annotations

import functools
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import bentoml
from bentoml import saved_bundle
from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.layout import BundleLayout
from bentoml.bundle.load import check_compatible, load_from_dir, load_service_api, locate_module_file
from bentoml.bundle.metadata import metadata_dict
from bentoml.bundle.packing import pack_archive
from bentoml.exceptions import BentoMLConfigException, BentoMLException, BundleCorrupted, InvalidArgument

from .projects import Project, SavedBundle, load_elsewhere

OLD_BUNDLES = sorted((Path(__file__).parents[1] / "compat013/fixtures/home013/repository").glob("*/*"))


@pytest.mark.parametrize("path", OLD_BUNDLES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_T12_descriptor_and_record_of_a_bundle_written_by_0_13(path: Path) -> None:
    descriptor = read_descriptor(path)
    assert (descriptor.name, descriptor.version) == (path.parent.name, path.name)
    assert descriptor.bentoml_version == "0.13.1"
    record = metadata_dict(path)
    assert record["env"]["pipPackages"][0] == "bentoml==0.13.1"
    assert len(record["apis"]) == len(descriptor.apis) > 0


def test_T12_old_bundles_are_there() -> None:
    assert len(OLD_BUNDLES) >= 5


def test_T12_a_bundle_written_by_0_13_answers(tmp_path: Path) -> None:
    """Its class was in a module of its own, its pickle refers to another; both come from the bundle."""
    path = next(p for p in OLD_BUNDLES if p.parent.name == "WordCounter")
    out = load_elsewhere(path, "svc.name, svc.version, sorted(svc.artifacts), svc.env is not None", tmp_path)
    assert out.splitlines()[-1] == "WordCounter 1.0.0 ['banner', 'settings', 'weights', 'words'] True"


@pytest.mark.usefixtures("propagating_logger")
def test_T11_versions_that_differ(saved_echo: SavedBundle, caplog: pytest.LogCaptureFixture) -> None:
    descriptor = read_descriptor(saved_echo.path)
    check_compatible(descriptor)
    assert caplog.text == ""
    check_compatible(replace(descriptor, bentoml_version="0.13.1", env={"python_version": "3.8.18"}))
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].startswith("Saved BentoService bundle version mismatch: ")
    assert "BentoML version 0.13.1, but loading from BentoML version 0.14.0" in messages[0]
    assert messages[1].startswith("Saved BentoService Python version mismatch: ")
    assert "Python version 3.8.18" in messages[1]
    with pytest.raises(BentoMLConfigException, match=r"version 1\.4\.0"):
        check_compatible(replace(descriptor, bentoml_version="1.4.0"))


@pytest.mark.parametrize("written", ["echo.py", "sub/echo.py", "sub\\echo.py"])
def test_module_file_of_either_separator(tmp_path: Path, written: str) -> None:
    package = tmp_path / "Echo"
    (package / "sub").mkdir(parents=True)
    (package / "echo.py").touch()
    (package / "sub/echo.py").touch()
    found = locate_module_file(BundleLayout(tmp_path, "Echo"), written)
    assert found == package.joinpath(*written.replace("\\", "/").split("/"))


@pytest.mark.parametrize(
    "written", ["../echo.py", "/etc/passwd", "C:\\x.py", "sub//x.py", "./echo.py", "absent.py"]
)
def test_module_file_outside_or_missing(tmp_path: Path, written: str) -> None:
    (tmp_path / "Echo").mkdir()
    (tmp_path / "echo.py").touch()
    with pytest.raises(BentoMLException, match="Can not locate module_file"):
        locate_module_file(BundleLayout(tmp_path / "Echo", "Echo"), written)


def test_module_at_the_root_of_the_bundle(saved_echo: SavedBundle, tmp_path: Path) -> None:
    """0.13 also looked beside the inner folder; nothing of ours writes that, older bundles may."""
    (tmp_path / "Echo").mkdir()
    text = (saved_echo.path / "bentoml.yml").read_text()
    (tmp_path / "bentoml.yml").write_text(text.replace("version: 0.14.0", "version: 0.13.1", 1))
    body = (saved_echo.package / "echo.py").read_text()
    (tmp_path / "echo.py").write_text(body.replace("return value", "return ['root', value]"))
    assert load_elsewhere(tmp_path, "svc.predict(1)", tmp_path).splitlines()[-1] == "['root', 1]"


def test_inner_folder_means_its_bundle(saved_echo: SavedBundle) -> None:
    assert load_from_dir(saved_echo.package).name == "Echo"


def test_one_api_and_the_old_names(saved_echo: SavedBundle) -> None:
    assert load_service_api(saved_echo.path).name == "predict"
    assert saved_bundle.load_bento_service_api(saved_echo.path, "predict").route == "predict"
    assert saved_bundle.load_bento_service_class(saved_echo.path).name == "Echo"
    assert saved_bundle.load_saved_bundle_config(saved_echo.path).name == "Echo"
    assert saved_bundle.load_bento_service_metadata(saved_echo.path)["name"] == "Echo"
    for name in saved_bundle.__all__:
        assert callable(getattr(saved_bundle, name))
    with pytest.raises(AttributeError):
        _ = saved_bundle.nothing


def test_zip_archives_are_bundled_and_importable(project: Project, tmp_path: Path) -> None:
    with zipfile.ZipFile(project.path / "zipped.zip", "w") as archive:
        archive.writestr("from_zip/__init__.py", "NAME = 'zip'\n")
    body = """
    import bentoml
    from bentoml.adapters import JsonInput

    @bentoml.env(zipimport_archives=["zipped.zip"])
    class Svc(bentoml.BentoService):
        @bentoml.api(input=JsonInput(), batch=False)
        def predict(self, value):
            from from_zip import NAME
            return NAME
    """
    project.write(**{"svc.py": body})
    bundle = project.save("svc", "Svc")
    assert (bundle.package / "zipimports/zipped.zip").is_file()
    assert load_elsewhere(bundle.path, "svc.predict(0)", tmp_path) == "zip"


def test_environment_files_of_a_loaded_bundle_are_its_own(project: Project, tmp_path: Path) -> None:
    """Saving again must not look for files of the machine that saved first."""
    body = """
    import bentoml
    from bentoml.adapters import JsonInput

    @bentoml.env(requirements_txt_file="req.txt", setup_sh="setup-script.sh", conda_env_yml_file="env.yml",
                 conda_dependencies=["openjdk"])
    class Svc(bentoml.BentoService):
        @bentoml.api(input=JsonInput(), batch=False)
        def predict(self, value):
            return value
    """
    files = {
        "req.txt": "click\n",
        "setup-script.sh": "#!/bin/sh\necho hi\n",
        "env.yml": "dependencies: [h2o]\n",
    }
    project.write(**{"svc.py": body, **files})
    first = project.save("svc", "Svc")
    for name in files:
        (project.path / name).unlink()
    again = Project(tmp_path / "again")
    again.path.mkdir()
    again.run(f"""
    import bentoml, os
    svc = bentoml.load({str(first.path)!r})
    os.mkdir("second")
    svc.save_to_dir("second")
    """)
    for name in ("requirements.txt", "setup.sh", "environment.yml"):
        assert (again.path / "second" / name).read_bytes() == (first.path / name).read_bytes(), name


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/redirect/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/redirect/"))
            self.end_headers()
            return
        self.server.requests.append(self.path)  # type: ignore[attr-defined]
        super().do_GET()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder))
    )
    server.requests = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder, server.requests  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def test_bundle_from_a_url_is_fetched_once_and_stays(
    saved_marked: SavedBundle, web: tuple[str, Path, list[str]]
) -> None:
    url, folder, requests = web
    with (folder / "b.tar.gz").open("wb") as stream:
        pack_archive(saved_marked.path, stream, "Marked")
    one, two = bentoml.load(f"{url}/b.tar.gz"), bentoml.load(f"{url}/b.tar.gz?")
    again = bentoml.load(f"{url}/b.tar.gz")
    assert requests == ["/b.tar.gz", "/b.tar.gz?"]
    assert type(again) is type(one)
    assert one.predict(3) == two.predict(3) == [[1], 3]  # type: ignore[attr-defined]
    assert Path(str(type(one)._bento_service_bundle_path)).is_dir()


def test_url_without_a_bundle(web: tuple[str, Path, list[str]]) -> None:
    url, folder, _ = web
    with pytest.raises(BentoMLException, match="status 404") as caught:
        bentoml.load(f"{url}/absent?token=secret")
    assert "secret" not in str(caught.value)
    (folder / "page.html").write_text("<p>not an archive</p>" * 100)
    with pytest.raises(BundleCorrupted):
        bentoml.load(f"{url}/page.html")


@pytest.mark.parametrize("target", ["http://localhost:1/x", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_to_other_places_are_not_followed(web: tuple[str, Path, list[str]], target: str) -> None:
    url, _, requests = web
    with pytest.raises(BentoMLException):
        bentoml.load(f"{url}/redirect/{target}")
    assert requests == []


def test_object_stores_through_fsspec(saved_marked: SavedBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsspec's own in-memory store stands where S3 would."""
    fsspec = pytest.importorskip("fsspec")
    from bentoml.bundle import remote

    memory = fsspec.filesystem("memory")
    monkeypatch.setattr(fsspec, "filesystem", lambda protocol: memory)
    address = remote.upload_bundle(saved_marked.path, "s3://bucket/models", "Marked")
    assert address == "s3://bucket/models/Marked.tar"
    assert memory.cat("bucket/models/Marked.tar")[:2] == b"\x1f\x8b"
    assert read_descriptor(remote.fetch_bundle(address)).name == "Marked"
    with pytest.raises(BentoMLException, match="There is no bundle at"):
        remote.fetch_bundle("s3://bucket/absent.tar")
    with pytest.raises(InvalidArgument, match="cannot be saved to 'http://h/x'"):
        remote.upload_bundle(saved_marked.path, "http://h/x", "Marked")


def test_archive_of_the_same_bundle_has_the_same_bytes(saved_marked: SavedBundle) -> None:
    one, two = io.BytesIO(), io.BytesIO()
    pack_archive(saved_marked.path, one, "Marked")
    pack_archive(saved_marked.path, two, "Marked")
    assert one.getvalue() == two.getvalue()
