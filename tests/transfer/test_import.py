"""`bentoml import`: verified before anything is added; what is not sound leaves nothing behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bentoml.bundle.archive import ArchiveLimits
from bentoml.bundle.layout import EXPORT_FILE, EXPORT_SIGNATURE_FILE
from bentoml.bundle.manifest import verify_manifest
from bentoml.bundle.trust.keys import generate_key, load_private_key
from bentoml.bundle.trust.signature import sign_bundle
from bentoml.cli.main import commandline_interface
from bentoml.environments import recipe
from bentoml.environments.build import MARKER, make_environment
from bentoml.environments.installers import find_uv
from bentoml.environments.lock import add_lock, resolve_lock
from bentoml.environments.prune import prune
from bentoml.environments.wheel_store import WheelStore
from bentoml.exceptions import (
    AlreadyExists,
    BentoMLException,
    BundleCorrupted,
    FailedPrecondition,
    NotFound,
    UntrustedBundle,
)
from bentoml.repository.local import LocalRepository
from bentoml.transfer import import_bundle
from tests.environments.wheelhouse import Index
from tests.repository.bundles import make_bundle
from tests.repository.small_disk import run_on_small_disk

from . import archives
from .archives import Files
from .conftest import Export
from .hostile import GREETING, HOSTILE

pytestmark = pytest.mark.skipif(find_uv() is None, reason="uv is not installed")


@contextlib.contextmanager
def unchanged(*directories: Path) -> Iterator[None]:
    before = [archives.tree(directory) for directory in directories]
    yield
    assert [archives.tree(directory) for directory in directories] == before


def test_the_environment_is_made_from_the_wheels_alone(
    export: Export, other_home: Path, index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = export().path
    index.asked.clear()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another-cache"))
    done = import_bundle(file)
    assert done.path == LocalRepository(other_home).resolve("Hello:1")
    assert verify_manifest(done.path) is not None
    made = make_environment(done.path)
    assert list(made.path.glob("lib/python*/site-packages/greeting.py"))
    assert not list(made.path.glob("lib/python*/site-packages/greeting-2*"))
    assert not make_environment(done.path).was_made
    assert not index.asked
    again = make_environment(done.path, path=tmp_path / "pip-env", installer="pip")
    assert list(again.path.glob("lib/python*/site-packages/greeting.py"))
    assert not index.asked
    assert make_environment(done.path, path=tmp_path / "index-env", from_index=True).was_made
    assert index.asked


def test_a_copy_of_the_bundle_finds_its_wheels(export: Export, other_home: Path, tmp_path: Path) -> None:
    done = import_bundle(export().path)
    store = WheelStore()
    carried = store.find(done.path)
    assert carried is not None and carried.wheels == done.wheels
    done.path.rename(tmp_path / "moved")
    assert store.find(tmp_path / "moved") == carried


def flip(name: str) -> Callable[[Files], Files]:
    return lambda files: {**files, name: files[name][:-1] + bytes([files[name][-1] ^ 1])}


def without(name: str) -> Callable[[Files], Files]:
    return lambda files: {n: data for n, data in files.items() if n != name}


def with_file(name: str, data: bytes = b"x") -> Callable[[Files], Files]:
    return lambda files: {**files, name: data}


def with_list(change: Callable[[Any], Any]) -> Callable[[Files], Files]:
    return lambda files: archives.relisted(files, change)


def wheel_row(name: str) -> Callable[[Any], None]:
    row = {"size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    return lambda document: document["wheels"]["files"].update({name: row})


def foreign_library(files: Files) -> Files:
    name = "bentoml-99.0-py3-none-any.whl"
    return {**archives.relisted(files, wheel_row(name)), f"wheels/{name}": b"x"}


TAMPERED = {
    "T1-wheel": (flip(GREETING), r"greeting-1\.5.*was changed"),
    "T1-bundle": (flip("bundle/requirements.txt"), r"requirements\.txt' was changed"),
    "T3-wheel": (without(GREETING), r"greeting-1\.5.*is missing"),
    "T3-bundle": (without("bundle/requirements.txt"), r"requirements\.txt' is missing"),
    "T4-wheel": (with_file("wheels/evil-1-py3-none-any.whl"), r"evil-1.*not listed"),
    "T4-bundle": (with_file("bundle/evil.py"), r"evil\.py' was added"),
    "T4-top": (with_file("evil.py"), r"holds 'evil\.py'"),
    "T4-folder": (with_file("wheels/deep/x.whl"), r"deep.*not listed"),
    "T5-name": (with_list(lambda d: d.update(name="Other")), "is Hello:1, not Other:1"),
    "T5-bad-name": (with_list(lambda d: d.update(name="../x")), "cannot be read"),
    "T6-digest": (with_list(lambda d: d.update(digest="0" * 64)), "is not the one"),
    "T6-format": (with_list(lambda d: d.update(format=2)), "format 2 is not 1"),
    "T6-no-wheels": (with_list(lambda d: d.update(wheels=None)), "holds 'wheels'"),
    "T6-wheel-path": (with_list(wheel_row("../evil-1-py3-none-any.whl")), "no file name"),
    "T6-no-wheel": (with_list(wheel_row("evil.tar.gz")), "not the name of a wheel"),
    "T6-double": (with_list(wheel_row("greeting-2.0-py3-none-any.whl")), "two wheels of 'greeting'"),
    "T6-library": (foreign_library, "take the place of the library"),
    "T6-labels": (with_list(lambda d: d.update(labels={"a b": "c"})), "cannot be read"),
    "T6-not-json": (with_file(EXPORT_FILE, b"{"), "cannot be read"),
    "T7": (without("bundle/bundle-manifest.json"), "has no 'bundle-manifest.json'"),
    "T10": (lambda files: {EXPORT_FILE: files[EXPORT_FILE]}, "no 'bundle' folder"),
    "half-a-signature": (with_file(EXPORT_SIGNATURE_FILE, b'{"format": 1}'), None),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERED)
def test_T_tampered_archives(case: str, exported: Path, other_home: Path, tmp_path: Path) -> None:
    change, said = TAMPERED[case]
    file = archives.write(tmp_path / "changed.tar.zst", change(archives.read(exported)))
    if said is None:  # a broken signature matters where signatures do
        assert import_bundle(file).wheels
        return
    with unchanged(other_home), pytest.raises(BundleCorrupted, match=said):
        import_bundle(file)
    assert LocalRepository(other_home).list() == []


@pytest.mark.parametrize("suffix", [".tar.zst", ".tar.gz"])
@pytest.mark.parametrize("case", HOSTILE)
def test_X_hostile_archives(case: str, suffix: str, exported: Path, other_home: Path, tmp_path: Path) -> None:
    file = archives.write(tmp_path / f"hostile{suffix}", archives.read(exported), *HOSTILE[case])
    with unchanged(tmp_path), pytest.raises(BundleCorrupted):
        import_bundle(file)
    assert LocalRepository(other_home).list() == []


def test_X11_X12_limits(exported: Path, other_home: Path) -> None:
    with unchanged(other_home):
        for limits in (ArchiveLimits(entries=3), ArchiveLimits(unpacked_bytes=1000)):
            with pytest.raises(BundleCorrupted, match="more than"):
                import_bundle(exported, limits=limits)


def test_X14_X15_cut_and_foreign_files(exported: Path, other_home: Path, tmp_path: Path) -> None:
    whole = exported.read_bytes()
    pieces = [whole[:cut] for cut in range(0, len(whole), max(1, len(whole) // 40))]
    for data in [*pieces, whole[: len(whole) - 1], b"x" * 5000, b"\x28\xb5\x2f\xfd" + b"x" * 100]:
        file = tmp_path / "broken.tar.zst"
        file.write_bytes(data)
        with unchanged(other_home), pytest.raises(BundleCorrupted):
            import_bundle(file)
    with pytest.raises(NotFound, match="no file"):
        import_bundle(tmp_path / "nowhere.tar.zst")
    with pytest.raises(NotFound, match="no file"):
        import_bundle(tmp_path)


def test_a_zstandard_frame_that_wants_much_memory(other_home: Path, tmp_path: Path) -> None:
    """Its header asks for a window of 2 GiB, which is refused before it is allocated."""
    header = b"\x28\xb5\x2f\xfd" + bytes([0x00, (31 - 10) << 3])
    (tmp_path / "wide.tar.zst").write_bytes(header + b"\x01\x00\x00")
    with unchanged(other_home), pytest.raises(BundleCorrupted, match="cannot be read"):
        import_bundle(tmp_path / "wide.tar.zst")


def test_an_existing_version_stays(exported: Path, other_home: Path, tmp_path: Path) -> None:
    mine = make_bundle(tmp_path / "mine", "Hello", "1", content=b"another model")
    repository = LocalRepository(other_home)
    repository.add_directory(mine)
    with unchanged(other_home), pytest.raises(AlreadyExists, match="bentoml delete Hello:1"):
        import_bundle(exported)
    repository.delete("Hello", "1")
    assert import_bundle(exported).path.is_dir()
    assert repository.get("Hello", "1").labels == {"env": "prod"}


def test_the_loser_of_a_race_leaves_the_winner_alone(
    exported: Path, other_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two imports of one archive: both have put the wheels when the second finds the tag taken."""
    adopt = LocalRepository.adopt
    calls: list[Path] = []

    def second_import_first(self: LocalRepository, path: Path, *arguments: Any) -> Path:
        calls.append(path)
        if len(calls) == 1:
            import_bundle(exported)
        return adopt(self, path, *arguments)

    monkeypatch.setattr(LocalRepository, "adopt", second_import_first)
    with pytest.raises(AlreadyExists):
        import_bundle(exported)
    path = LocalRepository(other_home).resolve("Hello:1")
    carried = WheelStore().find(path)
    assert carried is not None
    carried.wheels.verify(carried.directory)


def test_archives_of_a_bundle_alone(other_home: Path, tmp_path: Path) -> None:
    """As `save_to_dir` puts them on S3."""
    from bentoml.bundle.packing import pack_archive

    bundle = make_bundle(tmp_path / "bundle", "Plain", "3")
    with (tmp_path / "plain.tar").open("wb") as stream:
        pack_archive(bundle, stream, "Plain")
    done = import_bundle(tmp_path / "plain.tar")
    assert (str(done.tag), done.wheels) == ("Plain:3", None)


DISK = """
import sys
from pathlib import Path
from bentoml.exceptions import BentoMLException
from bentoml.repository.local import LocalRepository
from bentoml.transfer import export_bundle, import_bundle
from tests.repository.bundles import make_bundle
import os, random

disk, work = Path(sys.argv[1]), Path(sys.argv[2])
os.environ["BENTOML_HOME"] = str(disk / "home")
repository = LocalRepository(disk / "home")
repository.list()
refused = 0
for kib in (300, 700, 1500, 3000):
    content = random.Random(kib).randbytes(kib * 1024)
    bundle = make_bundle(work / str(kib), "Iris", f"1.{kib}", content=content)
    archive = export_bundle(str(bundle), work / f"{kib}.tar.gz").path
    before = [record.tag for record in repository.list()]
    for step in (lambda: export_bundle(str(bundle), disk / "x.tar.gz"), lambda: import_bundle(archive)):
        try:
            step()
        except BentoMLException as err:
            assert "No space left" in str(err) and "Nothing was changed" in str(err), err
            refused += 1
        (disk / "x.tar.gz").unlink(missing_ok=True)
        assert sorted(p.name for p in disk.iterdir()) == ["home"], list(disk.iterdir())
    now = [record.tag for record in repository.list()]
    assert now in (before, [f"Iris:1.{kib}", *before]), now
    assert list((repository.path / ".staging").iterdir()) == []
print("refused", refused, "listed", len(repository.list()))
"""


def test_F21_full_disk(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    out = run_on_small_disk("2m", tmp_path / "disk", DISK, str(tmp_path / "disk"), str(tmp_path / "work"))
    words = out.splitlines()[-1].split()
    assert int(words[1]) >= 3 and int(words[3]) >= 1


# Signatures


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Any, Path]:
    private, public = generate_key(tmp_path / "release")
    return load_private_key(private), public


def test_wheels_need_a_signature_too(
    export: Export, hello: Path, keys: tuple[Any, Path], other_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsigned = export("unsigned.tar.gz").path
    sign_bundle(hello, keys[0])
    half = export("half.tar.gz").path
    whole = export("whole.tar.gz", private_key=keys[0]).path
    plain = export("plain.tar.gz", with_wheels=False).path
    monkeypatch.setenv("BENTOML_TRUST_VERIFY_KEYS", str(keys[1]))
    repository = LocalRepository(other_home)
    with unchanged(other_home):
        with pytest.raises(UntrustedBundle, match="is not signed"):
            import_bundle(unsigned)
        with pytest.raises(UntrustedBundle, match=r"Nobody trusted vouches for wheel .*Export it with --key"):
            import_bundle(half)
        changed = archives.read(whole)
        changed = archives.relisted(changed, lambda document: document["labels"].update(env="prod"))
        with pytest.raises(BundleCorrupted, match="was changed after it had been signed"):
            import_bundle(archives.write(whole.with_name("changed.tar.gz"), changed))
    assert import_bundle(whole).wheels
    repository.delete("Hello", "1")
    assert import_bundle(plain).wheels is None


def test_a_foreign_key_is_not_enough(
    export: Export,
    hello: Path,
    keys: tuple[Any, Path],
    other_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign_bundle(hello, keys[0])
    foreign = load_private_key(generate_key(tmp_path / "foreign")[0])
    file = export(private_key=foreign).path
    monkeypatch.setenv("BENTOML_TRUST_VERIFY_KEYS", str(keys[1]))
    with unchanged(other_home), pytest.raises(UntrustedBundle, match="Nobody trusted vouches"):
        import_bundle(file)


def test_a_signed_lock_vouches_for_the_wheels(
    export: Export, hello: Path, keys: tuple[Any, Path], other_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_lock(hello, resolve_lock(hello))
    sign_bundle(hello, keys[0])
    file = export().path
    monkeypatch.setenv("BENTOML_TRUST_VERIFY_KEYS", str(keys[1]))
    assert import_bundle(file).wheels


# What lies in the home afterwards


def test_T1_a_wheel_that_changed_in_the_home_is_not_installed(export: Export, other_home: Path) -> None:
    done = import_bundle(export().path)
    carried = WheelStore().find(done.path)
    assert carried is not None
    wheel = carried.directory / "greeting-1.5-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(BundleCorrupted, match=r"greeting-1\.5.*was changed"):
        make_environment(done.path)
    assert not [path for path in (other_home / "environments").iterdir() if path.is_dir()]


def test_wheels_of_another_machine_are_not_tried(
    exported: Path, other_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def for_arm(document: Any) -> None:
        row = document["wheels"]["files"].pop("greeting-1.5-py3-none-any.whl")
        document["wheels"]["files"]["greeting-1.5-cp311-abi3-linux_x.whl"] = row

    files = archives.relisted(archives.read(exported), for_arm)
    files["wheels/greeting-1.5-cp311-abi3-linux_x.whl"] = files.pop(GREETING)
    path = import_bundle(archives.write(tmp_path / "arm.tar.gz", files)).path
    carried = WheelStore().find(path)
    assert carried is not None
    monkeypatch.setattr(recipe, "this_platform", lambda: "linux/riscv64")
    from bentoml.environments.interpreters import find_interpreter

    interpreter = find_interpreter(carried.wheels.target.python)
    with pytest.raises(FailedPrecondition, match=r"Export it again with --platform linux/riscv64"):
        recipe.check_fit(carried, interpreter, "Hello:1")


def test_pruning_keeps_what_bundles_need(export: Export, other_home: Path, tmp_path: Path) -> None:
    path = import_bundle(export().path).path
    second = make_bundle(tmp_path / "second", "Second", "1")
    repository = LocalRepository(other_home)
    repository.add_directory(second)
    made = make_environment(path)
    stale = other_home / "environments" / ("0" * 32)
    stale.mkdir()
    (stale / MARKER).write_text(json.dumps({"content": "of a bundle that is gone"}))
    unfinished = other_home / "environments" / ("1" * 32)
    unfinished.mkdir()
    done = prune(repository)
    assert done.environments == [stale, unfinished] and not done.wheels
    assert (made.path / MARKER).is_file() and WheelStore().find(path) is not None
    assert prune(repository, unused_days=1).environments == []
    assert prune(repository, unused_days=0).environments == [made.path]
    make_environment(path)
    repository.delete("Hello", "1")
    done = prune(repository)
    assert done.environments == [made.path] and len(done.wheels) == 1
    assert done.freed_bytes > 0
    assert not any(path.suffix == ".whl" for path in (other_home / "wheels").rglob("*"))
    assert not list((other_home / "wheels" / ".content").iterdir())


def test_two_bundles_share_a_wheel(exported: Path, other_home: Path, tmp_path: Path) -> None:
    files = archives.read(exported)
    import_bundle(exported)
    bundle = make_bundle(tmp_path / "bundle", "Other", "2")
    manifest = verify_manifest(bundle)
    assert manifest is not None

    def other(document: Any) -> None:
        document.update(name="Other", version="2", digest=manifest.digest)

    second = {n: data for n, data in archives.relisted(files, other).items() if not n.startswith("bundle/")}
    for file in sorted(bundle.rglob("*")):
        if file.is_file():
            second[f"bundle/{file.relative_to(bundle).as_posix()}"] = file.read_bytes()
    import_bundle(archives.write(tmp_path / "second.tar.gz", second))
    store = WheelStore()
    wheels = list((other_home / "wheels").rglob("*.whl"))
    assert len(wheels) == 2 and wheels[0].samefile(wheels[1])
    LocalRepository(other_home).delete("Hello", "1")
    prune(LocalRepository(other_home))
    carried = store.get(manifest.digest)
    assert carried is not None
    carried.wheels.verify(carried.directory)


def test_an_environment_in_use_stays(export: Export, other_home: Path) -> None:
    """`serve --env isolated` holds a lock on it for as long as the server lives."""
    import subprocess
    import sys

    path = import_bundle(export().path).path
    made = make_environment(path)
    hold = (
        "import sys, time; from pathlib import Path; from bentoml.environments import isolated; "
        "from bentoml.environments.build import Environment; "
        "isolated._hold(Environment(Path(sys.argv[1]), False)); print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(made.path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline() == "held\n"
            repository = LocalRepository(other_home)
            repository.delete("Hello", "1")
            done = prune(repository)
            assert (done.environments, done.in_use) == ([], [made.path])
            assert (made.path / MARKER).is_file()
        finally:
            holder.kill()
    assert prune(repository).environments == [made.path]


def test_the_prune_command(export: Export, other_home: Path) -> None:
    path = import_bundle(export().path).path
    made = make_environment(path)
    LocalRepository(other_home).delete("Hello", "1")
    done = CliRunner().invoke(commandline_interface, ["env", "--prune"], prog_name="bentoml")
    assert done.exit_code == 0, done.output
    assert f"Removed {made.path}" in done.output and "Freed " in done.output
    for arguments in (["env"], ["env", "Hello:1", "--prune"]):
        assert CliRunner().invoke(commandline_interface, arguments, prog_name="bentoml").exit_code == 2


def test_a_missing_zstandard_package_is_named(
    exported: Path, other_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    with pytest.raises(BentoMLException, match=r"pip install backports\.zstd; or use a \.tar\.gz"):
        import_bundle(exported)
