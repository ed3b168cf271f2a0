"""Images written without an engine: what is in them, and that they are the same again."""

from __future__ import annotations

import csv
import io
import json
import platform
import sys
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from bentoml.bundle.container_files import health_check_command
from bentoml.bundle.manifest import read_manifest
from bentoml.cli.main import commandline_interface
from bentoml.containers.build import ImageBuildFailed
from bentoml.containers.oci.build import OciImage, build_oci_image
from bentoml.exceptions import InvalidArgument, MissingDependencyException

from .images import MINOR, Base, Built, write_directory, write_tar

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="the wheels here are for this machine"
)
SITE = f"opt/bentoml/lib/python{MINOR}/site-packages"


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tar(dict(Base().layout()), tmp_path_factory.mktemp("base") / "base.tar")


@pytest.fixture(scope="session")
def image(
    saved_echo: Path, base: Path, wheels: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[OciImage, Built]:
    target = tmp_path_factory.mktemp("image") / "image.tar"
    found = build_oci_image(saved_echo, target, bases=(base,), wheels=wheels)
    return found, Built(target)


def read(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(name)
    assert file is not None
    return file.read().decode()


def test_the_image_says_what_the_dockerfile_says(image: tuple[OciImage, Built], saved_echo: Path) -> None:
    written, built = image
    config, manifest = built.config(), built.manifest()
    inner = config["config"]
    assert inner["User"] == "bentoml"
    assert inner["Entrypoint"] == ["./docker-entrypoint.sh"]
    assert inner["Cmd"] == ["bentoml", "serve-gunicorn", "./"]
    assert inner["WorkingDir"] == "/home/bentoml/bundle"
    assert inner["ExposedPorts"] == {"5000/tcp": {}}
    assert inner["Healthcheck"]["Test"] == ["CMD", *health_check_command()]
    variables = dict(row.split("=", 1) for row in inner["Env"])
    assert variables["PATH"] == "/opt/bentoml/bin:/usr/local/bin:/usr/bin"
    assert variables["LANG"] == "C.UTF-8"
    assert variables["BENTOML_HOME"] == "/home/bentoml/"
    assert variables["BUNDLE_PATH"] == "/home/bentoml/bundle"
    bundle_manifest = read_manifest(saved_echo)
    assert bundle_manifest is not None
    labels = inner["Labels"]
    assert labels["org.opencontainers.image.title"] == "Echo"
    assert labels["org.opencontainers.image.revision"] == bundle_manifest.digest == written.bundle_digest
    assert len(manifest["layers"]) == len(config["rootfs"]["diff_ids"]) == len(config["history"]) == 3
    assert written.reference == "echo:2_A"
    assert written.platforms == ("linux/amd64",)
    [entry] = built.index["manifests"]
    assert entry["digest"] == written.digest
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "echo:2_A"
    [docker] = json.loads(built.blobs["manifest.json"])
    assert docker["RepoTags"] == ["echo:2_A"] and len(docker["Layers"]) == 3


def test_packages_are_an_environment_of_the_image(image: tuple[OciImage, Built]) -> None:
    _, built = image
    with built.layer(1) as layer:
        members = {member.name: member for member in layer.getmembers()}
        assert members["opt/bentoml/bin/python"].linkname == "/usr/local/bin/python3"
        assert read(layer, "opt/bentoml/pyvenv.cfg").startswith("home = /usr/local/bin\n")
        assert read(layer, "opt/bentoml/bin/bentoml").startswith("#!/opt/bentoml/bin/python\n")
        assert members["opt/bentoml/bin/bentoml"].mode == 0o755
        assert f"{SITE}/click.py" in members and f"{SITE}/bentoml/__init__.py" in members
        assert read(layer, "etc/passwd").splitlines() == [
            "root:x:0:0:root:/root:/bin/sh",
            "bentoml:x:1034:1034::/home/bentoml:/bin/sh",
        ]
        assert read(layer, "etc/group").endswith("bentoml:x:1034:\n")
        assert list(members) == sorted(members)
        assert {member.mtime for member in members.values()} == {315_532_800}
        owners = {name: member.uid for name, member in members.items() if member.uid}
        assert owners == {"home/bentoml": 1034}
        compiled = [name for name in members if name.endswith(".pyc")]
        assert f"{SITE}/bentoml/__pycache__/__init__.{sys.implementation.cache_tag}.pyc" in compiled
        assert not any(name.endswith(("direct_url.json", "REQUESTED", "activate")) for name in members)


def test_records_list_what_is_there(image: tuple[OciImage, Built]) -> None:
    _, built = image
    with built.layer(1) as layer:
        names = set(layer.getnames())
        [record] = [name for name in names if "/bentoml-0" in name and name.endswith("/RECORD")]
        for path, hash_text, size in csv.reader(io.StringIO(read(layer, record))):
            member = layer.getmember(str(Path("/", SITE, path).resolve().relative_to("/")))
            assert bool(hash_text) == (not path.endswith("RECORD"))
            assert not size or int(size) == member.size


def test_the_bundle_layer_is_the_bundle(image: tuple[OciImage, Built], saved_echo: Path) -> None:
    _, built = image
    manifest = read_manifest(saved_echo)
    assert manifest is not None
    with built.layer(2) as layer:
        files = {member.name: member for member in layer.getmembers() if member.isfile()}
        place = "home/bentoml/bundle/"
        assert set(files) == {place + name for name in (*manifest.files, "bundle-manifest.json")}
        assert {(one.uid, one.gid) for one in layer.getmembers()} == {(1034, 1034)}
        assert files[f"{place}docker-entrypoint.sh"].mode == 0o755
        assert files[f"{place}bentoml.yml"].mode == 0o644


def test_the_same_input_gives_the_same_bytes(
    image: tuple[OciImage, Built], saved_echo: Path, base: Path, wheels: Path, tmp_path: Path
) -> None:
    written, _ = image
    again = build_oci_image(saved_echo, tmp_path / "again.tar", bases=(base,), wheels=wheels)
    assert again.digest == written.digest
    assert again.path.read_bytes() == written.path.read_bytes()


def test_every_form_of_base_gives_an_image(
    image: tuple[OciImage, Built], saved_echo: Path, wheels: Path, tmp_path: Path
) -> None:
    """The layers that we write do not depend on the form of the base; a docker archive is compressed."""
    written, built = image
    layout = write_directory(Base().layout(), tmp_path / "layout")
    docker = write_tar(dict(Base().docker()), tmp_path / "docker.tar")
    same = build_oci_image(saved_echo, tmp_path / "image.tar", bases=(layout,), wheels=wheels)
    assert same.digest == written.digest
    made = build_oci_image(saved_echo, tmp_path / "image.tar", bases=(docker,), wheels=wheels)
    result = Built(made.path)
    assert result.manifest()["layers"][1:] == built.manifest()["layers"][1:]
    assert result.config()["rootfs"] == built.config()["rootfs"]
    with result.layer(0) as layer:
        assert "etc/passwd" in layer.getnames()


def test_several_platforms_become_one_index(
    saved_echo: Path, base: Path, wheels: Path, tmp_path: Path
) -> None:
    arm = write_tar(dict(Base(architecture="arm64").layout()), tmp_path / "arm.tar")
    made = build_oci_image(
        saved_echo,
        tmp_path / "both.tar",
        bases=(base, arm),
        wheels=wheels,
        platforms=("linux/arm64/v8", "linux/amd64"),
    )
    assert made.platforms == ("linux/amd64", "linux/arm64")
    built = Built(made.path)
    assert [built.config(number)["architecture"] for number in (0, 1)] == ["amd64", "arm64"]
    assert built.manifest(0)["layers"][2] == built.manifest(1)["layers"][2]
    assert "manifest.json" not in built.blobs
    with pytest.raises(InvalidArgument, match="no image for linux/riscv64; there is linux/amd64"):
        build_oci_image(saved_echo, tmp_path / "x", bases=(base,), platforms=("linux/riscv64",))


def test_without_uv_pip_installs_for_this_machine(
    image: tuple[OciImage, Built],
    saved_echo: Path,
    base: Path,
    wheels: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bentoml.containers.oci.packages.find_uv", lambda: None)
    made = build_oci_image(saved_echo, tmp_path / "pip.tar", bases=(base,), wheels=wheels)
    _, built = image
    with Built(made.path).layer(1) as layer, built.layer(1) as other:
        assert layer.getnames() == other.getnames()
        script = "opt/bentoml/bin/bentoml"
        assert read(layer, script).startswith("#!/opt/bentoml/bin/python\n")
    arm = write_tar(dict(Base(architecture="arm64").layout()), tmp_path / "arm.tar")
    with pytest.raises(MissingDependencyException, match=r"for linux/arm64 and Python .* needs uv"):
        build_oci_image(saved_echo, tmp_path / "x.tar", bases=(arm,), wheels=wheels)


def test_dates_and_owners_can_be_chosen(
    saved_echo: Path, base: Path, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    arguments = {"UID": "2000", "GID": "3000"}
    made = build_oci_image(
        saved_echo, tmp_path / "i.tar", bases=(base,), wheels=wheels, tag="team/e:1", build_args=arguments
    )
    built = Built(made.path)
    assert built.config()["created"] == "2023-11-14T22:13:20Z"
    assert made.reference == "team/e:1"
    with built.layer(2) as layer:
        assert {(one.uid, one.gid, one.mtime) for one in layer.getmembers()} == {(2000, 3000, 1700000000)}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    with pytest.raises(InvalidArgument, match="SOURCE_DATE_EPOCH is 'soon'"):
        build_oci_image(saved_echo, tmp_path / "i.tar", bases=(base,), wheels=wheels)


def test_a_missing_package_fails_and_leaves_nothing(saved_echo: Path, base: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ImageBuildFailed, match="alembic"):
        build_oci_image(saved_echo, tmp_path / "out" / "i.tar", bases=(base,), wheels=empty)
    assert sorted(tmp_path.iterdir()) == [empty]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--base", "BASE"], "name it: -o image.tar"),
        (["-o", "OUT"], "skopeo copy docker://python:"),
        (["-o", "OUT", "--base", "BASE", "--push"], "does not push; `skopeo copy oci-archive:"),
        (["-o", "OUT", "--base", "BASE", "--build-arg", "UID=0"], "UID is '0'"),
        (["-o", "OUT", "--base", "BASE", "--build-arg", "X=0"], "no build argument 'X'"),
        (["-o", "OUT", "--base", "BASE", "-t", "A"], "Image tag 'A' is invalid"),
        (["-o", "OUT", "--base", "BASE", "--platform", "amd64"], "not written like linux/amd64"),
        (["-o", ".", "--base", "BASE"], "is a directory"),
    ],
)
def test_command_refuses(
    options: list[str], message: str, saved_echo: Path, base: Path, tmp_path: Path
) -> None:
    places = {"BASE": str(base), "OUT": str(tmp_path / "out.tar")}
    words = [places.get(word, word) for word in options]
    done = CliRunner().invoke(
        commandline_interface, ["containerize", str(saved_echo), "--builder", "oci", *words]
    )
    assert done.exit_code == 1
    assert message in done.output
    assert not (tmp_path / "out.tar").exists()


def test_command_writes_an_image(saved_echo: Path, base: Path, wheels: Path, tmp_path: Path) -> None:
    out = tmp_path / "image.tar"
    words = ["--builder", "oci", "--base", str(base), "-o", str(out), "--wheels", str(wheels), "-t", "e:1"]
    done = CliRunner().invoke(commandline_interface, ["containerize", str(saved_echo), *words])
    assert done.exit_code == 0, done.output
    assert "Build container image: e:1" in done.output
    assert f"Wrote {out} (linux/amd64), digest {Built(out).index['manifests'][0]['digest']}" in done.output
    done = CliRunner().invoke(commandline_interface, ["containerize", str(saved_echo), "-o", str(out)])
    assert "--output is for --builder oci only" in done.output
