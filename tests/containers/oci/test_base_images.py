"""Base images that are damaged or mean harm, and what is found out about good ones."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bentoml.containers.oci.base_image import choose_images, read_base
from bentoml.containers.oci.image_python import find_target
from bentoml.containers.oci.platforms import Platform, parse_platform, platform_of
from bentoml.containers.oci.rootfs import RootFiles, read_root_files
from bentoml.exceptions import InvalidArgument, MissingDependencyException
from tests.bundle.hostile import HOSTILE_TEXTS

from .images import FILES, LIBC, MANIFEST, MINOR, Base, digest, write_directory, write_tar

AMD = Platform("linux", "amd64")


def read_all(path: Path) -> RootFiles:
    [image] = read_base(path)
    return read_root_files(image)


@pytest.mark.parametrize("form", ["layout", "archive", "docker"])
def test_layers_are_applied_in_order(form: str, tmp_path: Path) -> None:
    second: dict[str, bytes | str] = {
        "etc/.wh.group": b"",
        "usr/local/.wh..wh..opq": b"",
        "usr/local/bin/python3": "-> /opt/py/bin/python3.9",
        "opt/py/bin/python3.9": b"",
        "usr/bin/loop": "-> loop",
    }
    base = Base([FILES, second])
    path = tmp_path / "base"
    if form == "layout":
        write_directory(base.layout(), path)
    else:
        write_tar(dict(base.layout() if form == "archive" else base.docker()), path)
    root = read_all(path)
    assert root.text("etc/group") == ""
    assert root.text("/etc/passwd").startswith("root:")
    assert root.resolve(f"usr/local/bin/python{MINOR}") is None
    assert root.resolve("/usr/local/bin/python3") == "opt/py/bin/python3.9"
    assert root.resolve("usr/bin/loop") is None
    assert root.resolve("lib/x86_64-linux-gnu/libc.so.6") == "usr/lib/x86_64-linux-gnu/libc.so.6"
    [image] = read_base(path)
    target = find_target(image.platform, image.config, root, "3.11")
    assert (target.python, target.minor, target.glibc) == ("/usr/local/bin/python3", "3.9", (2, 36))


def test_musl_and_old_libraries_are_known(tmp_path: Path) -> None:
    files = {name: data for name, data in FILES.items() if data != LIBC and name != "lib"}
    old = write_tar(dict(Base([files]).layout()), tmp_path / "old")
    assert find_target(AMD, {}, read_all(old), MINOR).glibc == (2, 17)
    musl = write_tar(dict(Base([{**files, "lib/ld-musl-x86_64.so.1": b""}]).layout()), tmp_path / "musl")
    assert find_target(AMD, {}, read_all(musl), MINOR).glibc is None


def test_a_base_without_python_is_refused(tmp_path: Path) -> None:
    base = write_tar(dict(Base([{"etc/passwd": b""}]).layout()), tmp_path / "base")
    with pytest.raises(InvalidArgument, match=r"no Python in its PATH.*python:3\.12-slim"):
        find_target(AMD, {}, read_all(base), "3.12")


def with_index(change: Callable[[dict[str, Any]], None]) -> dict[str, bytes]:
    files = Base().layout()
    index = json.loads(files["index.json"])
    change(index)
    return {**files, "index.json": json.dumps(index).encode()}


def with_manifest(change: Callable[[dict[str, Any]], None]) -> dict[str, bytes]:
    files = Base().layout()
    index = json.loads(files["index.json"])
    [entry] = index["manifests"]
    manifest = json.loads(files["blobs/" + entry["digest"].replace(":", "/")])
    change(manifest)
    data = json.dumps(manifest).encode()
    new = {"mediaType": MANIFEST, "digest": digest(data), "size": len(data)}
    files["blobs/" + digest(data).replace(":", "/")] = data
    return {**files, "index.json": json.dumps({"manifests": [new]}).encode()}


def set_digest(value: object) -> Callable[[dict[str, Any]], None]:
    return lambda record: record["manifests"][0].update(digest=value)


HOSTILE_BASES: dict[str, tuple[dict[str, Any], str]] = {
    "index leads out": (with_index(set_digest("sha256:../../../../etc/passwd")), "no SHA-256 digest"),
    "index digest is a number": (with_index(set_digest(7)), "no SHA-256 digest"),
    "other digest algorithm": (with_index(set_digest("sha512:" + "0" * 128)), "no SHA-256 digest"),
    "size is wrong": (with_index(lambda one: one["manifests"][0].update(size=1)), "is damaged"),
    "size is a text": (with_index(lambda one: one["manifests"][0].update(size="1")), "has no size"),
    "manifests is a text": (with_index(lambda one: one.update(manifests="x")), "lists no manifests"),
    "entry is a text": (with_index(lambda one: one.update(manifests=["x"])), "is no descriptor"),
    "only attestations": (
        with_index(lambda one: one["manifests"][0].update(platform={"os": "unknown"})),
        "holds no image",
    ),
    "index is a list": ({**Base().layout(), "index.json": b"[]"}, "not a JSON object"),
    "index is deep": ({**Base().layout(), "index.json": b"[" * 100_000}, "is no JSON"),
    "index is huge": ({**Base().layout(), "index.json": b" " * ((4 << 20) + 1)}, "more than"),
    "layer elsewhere": (
        with_manifest(lambda one: one["layers"][0].update(urls=["https://evil.example.com/x"])),
        "lies at a URL",
    ),
    "layer of another type": (
        with_manifest(lambda one: one["layers"][0].update(mediaType="text/x-script")),
        "unknown type",
    ),
    "layer too many": (with_manifest(lambda one: one["layers"].append(one["layers"][0])), "its 2 layers"),
    "layers without end": (with_manifest(lambda one: one.update(layers=[{}] * 501)), "more than 500"),
    "docker config leads out": (
        {**Base().docker(), "manifest.json": b'[{"Config": "../../etc/passwd", "Layers": []}]'},
        "has no '../../etc/passwd'",
    ),
    "docker manifest is odd": ({**Base().docker(), "manifest.json": b'{"Config": 1}'}, "none of a docker"),
    "nothing known": ({"x": b""}, "is no base image"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE_BASES))
@pytest.mark.parametrize("form", ["layout", "archive"])
def test_T_hostile_bases_are_refused(name: str, form: str, tmp_path: Path) -> None:
    files, message = HOSTILE_BASES[name]
    path = tmp_path / "base"
    (write_directory if form == "layout" else write_tar)(files, path)
    before = {file for file in tmp_path.rglob("*")}
    with pytest.raises(InvalidArgument, match=message):
        read_base(path)
    assert {file for file in tmp_path.rglob("*")} == before


def changed_layer(layer: dict[str, bytes | str]) -> dict[str, bytes]:
    return Base([layer]).layout()


def with_blob(data: bytes) -> dict[str, bytes]:
    """The layer's blob holds something else than its digest says."""
    base = Base()
    files = base.layout()
    name = "blobs/" + digest(gzip.compress(base.tars[0], mtime=0)).replace(":", "/")
    assert name in files
    return {**files, name: data}


def with_diff_id() -> dict[str, bytes]:
    base = Base()
    base.document["rootfs"]["diff_ids"] = [digest(b"other")]
    return base.layout()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (with_blob(gzip.compress(Base().tars[0] + b"\0" * 512, mtime=0)), "is damaged.*the digest"),
        (with_blob(gzip.compress(Base().tars[0], mtime=0)[:-20]), "is damaged"),
        (with_blob(b"\x1f\x8bnonsense"), "is damaged"),
        (with_blob(b"nonsense" * 100), "is damaged"),
        (with_blob(b"\x28\xb5\x2f\xfdnonsense"), "is damaged|zstd, which is read with the package"),
        (with_diff_id(), "unpacked it has the digest"),
        (changed_layer({"../x": b""}), "is not safe.*'../x'"),
        (changed_layer({"a/../../x": b""}), "is not safe"),
    ],
)
def test_T_damaged_and_hostile_layers_are_refused(
    files: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    path = write_tar(dict(files), tmp_path / "base")
    with pytest.raises((InvalidArgument, MissingDependencyException), match=message):
        read_all(path)


def test_T_links_in_an_archive_lead_nowhere_outside(tmp_path: Path) -> None:
    """Old docker archives have links to layers; a link out of the archive finds nothing."""
    secret = tmp_path / "secret"
    secret.write_text("{}")
    files: dict[str, bytes | str] = dict(Base().docker())
    [layer] = [name for name in files if name.endswith("layer.tar")]
    moved = {**files, "real.tar": files[layer], layer: "-> ../real.tar"}
    assert read_all(write_tar(moved, tmp_path / "good")).text("etc/passwd")
    for target in (str(secret), "../../secret", layer):
        bad = {**files, layer: f"-> {target}"}
        [image] = read_base(write_tar(bad, tmp_path / "bad"))
        with pytest.raises(InvalidArgument, match="has no "):
            read_root_files(image)


def test_T_an_archive_is_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "base"
    path.write_bytes(gzip.compress(b"x" * 5000))
    with pytest.raises(InvalidArgument, match="is no tar archive"):
        read_base(path)
    with pytest.raises(InvalidArgument, match="There is no base image at"):
        read_base(tmp_path / "missing")
    double = Base().layout()
    write_tar({**double, "./index.json": b"{}"}, path)
    with pytest.raises(InvalidArgument, match=r"two members 'index\.json'"):
        read_base(path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InvalidArgument, match="There is no base image at"):
        read_base(tmp_path / "fifo")


def test_the_platform_decides(tmp_path: Path) -> None:
    amd = write_tar(dict(Base().layout()), tmp_path / "amd")
    arm = write_tar(dict(Base(architecture="arm64").layout()), tmp_path / "arm")
    [only] = choose_images((arm,), (), AMD)
    assert str(only.platform) == "linux/arm64"
    [default] = choose_images((amd, arm), (), AMD)
    assert default.path == amd
    assert [one.path for one in choose_images((arm, amd), (only.platform, AMD), AMD)] == [amd, arm]
    other = write_tar(dict(Base(config={"Labels": {"a": "b"}}).layout()), tmp_path / "other")
    with pytest.raises(InvalidArgument, match="more than one image for linux/amd64"):
        choose_images((amd, other), (AMD,), AMD)


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_D_platforms(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_platform(text)
    with pytest.raises(InvalidArgument):
        platform_of({"os": "linux", "architecture": text})
    assert parse_platform("linux/arm64/v8") == parse_platform("linux/arm64")
