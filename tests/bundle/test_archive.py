"""Hostile archives (X): refused as a whole, nothing written outside, nothing left behind."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from bentoml.bundle.archive import ArchiveLimits, extract_archive
from bentoml.exceptions import BundleCorrupted

GOOD = [("B/bentoml.yml", b"version: x"), ("B/B/artifacts/m.pkl", b"data" * 1000)]


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def archive(*more: tarfile.TarInfo | tuple[str, bytes], good: bool = True, **options: object) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", **options) as tar:  # type: ignore[call-overload]
        for entry in [*(GOOD if good else []), *more]:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry, io.BytesIO(b"\0" * entry.size) if entry.isreg() else None)
            else:
                tar.addfile(member(entry[0], size=len(entry[1])), io.BytesIO(entry[1]))
    return buffer.getvalue()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    inner = tmp_path / "outer" / "target"
    inner.mkdir(parents=True)
    return inner


def refused(data: bytes, place: Path, limits: ArchiveLimits | None = None) -> str:
    before = sorted(place.parents[1].rglob("*"))
    with pytest.raises(BundleCorrupted) as caught:
        extract_archive(io.BytesIO(data), place, limits)
    assert sorted(place.parents[1].rglob("*")) == before
    return str(caught.value)


def test_good_archives(place: Path) -> None:
    for data in (archive(), gzip.decompress(archive()), archive(format=tarfile.GNU_FORMAT)):
        found = extract_archive(io.BytesIO(data), place)
        assert (found / "bentoml.yml").read_bytes() == b"version: x"
        assert (found / "B/artifacts/m.pkl").read_bytes() == b"data" * 1000
    flat = archive(("bentoml.yml", b"x"), ("./a/b", b"y"), good=False)
    assert (extract_archive(io.BytesIO(flat), place) / "a/b").read_bytes() == b"y"


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/abs/x",
        "a/../../x",
        "B/../../x",
        "B\\..\\x",
        "C:x",
        "a\nb",
        "B/" + "x" * 300,
        "x/" * 5000 + "x",
    ],
    ids=["X1", "X2", "X3", "X3b", "backslash", "drive", "newline", "X16-part", "X16-path"],
)
def test_X1_X2_X3_X16_names(place: Path, name: str) -> None:
    refused(archive(member("plain", pax_headers={"path": name})), place)
    refused(archive(member(name, type=tarfile.DIRTYPE), format=tarfile.GNU_FORMAT), place)


@pytest.mark.parametrize(
    ("kind", "link"),
    [(tarfile.SYMTYPE, "/etc"), (tarfile.LNKTYPE, "/etc/passwd"), (tarfile.CHRTYPE, ""),
     (tarfile.FIFOTYPE, ""), (tarfile.BLKTYPE, ""), (tarfile.GNUTYPE_SPARSE, ""), (b"Z", "")],
    ids=["X4", "X5", "X6-device", "X6-fifo", "X6-block", "sparse", "unknown"],
)  # fmt: skip
def test_X4_X5_X6_only_files_and_directories(place: Path, kind: bytes, link: str) -> None:
    refused(archive(member("B/x", type=kind, linkname=link), ("B/x/passwd", b"x")), place)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_X7_modes_and_owners_are_ignored(place: Path) -> None:
    entry = member("B/run.sh", mode=0o6777, uid=0, gid=0, uname="root")
    found = extract_archive(io.BytesIO(archive(entry)), place)
    info = (found / "run.sh").stat()
    assert info.st_mode & 0o7777 == 0o755
    assert info.st_uid == os.getuid()
    assert (found / "bentoml.yml").stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize(
    "second",
    [("B/bentoml.yml", b"other"), ("B/./bentoml.yml", b"other"), ("B/BENTOML.YML", b"other"),
     ("B/bentoml.yml/x", b"other"), ("B/B", b"file"), ("b/x", b"other")],
    ids=["X8", "X8-dot", "X9", "X10-file-as-folder", "X10-folder-as-file", "X9-folder"],
)  # fmt: skip
def test_X8_X9_X10_double_names(place: Path, second: tuple[str, bytes]) -> None:
    assert "two entries" in refused(archive(second), place)


def test_X11_too_many_entries(place: Path) -> None:
    limits = ArchiveLimits(entries=5)
    refused(archive(*[(f"B/{i}", b"") for i in range(6)]), place, limits)
    extract_archive(io.BytesIO(archive(*[(f"B/{i}", b"") for i in range(3)])), place, limits)


def test_X12_bomb(place: Path) -> None:
    data = archive(member("B/zeros", size=64 << 20))
    assert len(data) < 1 << 20
    assert "times its size" in refused(data, place)
    assert "more than 1000000 bytes" in refused(data, place, ArchiveLimits(unpacked_bytes=1_000_000))


def test_X13_X14_header_says_more_than_there_is(place: Path) -> None:
    for size in (1 << 40, 100):
        data = member("B/x", size=size).tobuf(tarfile.GNU_FORMAT)
        refused(data + b"y" * 50, place)
    whole = archive()
    for cut in (10, len(whole) // 2, len(whole) - 9):
        refused(whole[:cut], place)


def test_X13_header_block_of_an_impossible_size(place: Path) -> None:
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
        data = member("x", type=kind, size=1 << 33).tobuf(tarfile.GNU_FORMAT)
        assert "impossible size" in refused(data + b"\0" * 4096, place)


@pytest.mark.parametrize(
    "data",
    [b"", b"x" * 5000, b"\x1f\x8b" + b"x" * 100, gzip.compress(b"no tar" * 500)],
    ids=["nothing", "text", "half a gzip", "gzip of text"],
)
def test_X15_not_an_archive(place: Path, data: bytes) -> None:
    refused(data, place)


def test_X17_name_that_is_not_utf_8(place: Path) -> None:
    entry = member("B/caf\udce9")
    refused(archive(entry, format=tarfile.GNU_FORMAT, errors="surrogateescape"), place)


def test_X18_pax_records_do_not_change_what_is_checked(place: Path) -> None:
    refused(archive(member("B/harmless", pax_headers={"path": "../../evil"})), place)
    refused(archive(member("B/harmless", pax_headers={"linkpath": "/etc"}, type=tarfile.SYMTYPE)), place)


def test_X19_X20_tops_that_are_no_bundle(place: Path) -> None:
    assert "holds no bundle" in refused(archive(("x", b""), good=False), place)
    assert "holds no bundle" in refused(archive(("C/bentoml.yml", b"")), place)
    assert "holds no bundle" in refused(archive(good=False), place)
