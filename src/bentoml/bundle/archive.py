"""Taking a bundle's archive apart that may be hostile.

Only regular files and directories come out, into a fresh private directory, with count, size and
ratio limited while reading. Anything else refuses the archive as a whole and leaves nothing behind.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bentoml.exceptions import BundleCorrupted

from .compression import decompressed, decompression_errors
from .layout import (
    CONFIG_FILE,
    EXPORT_FILE,
    EXPORT_SIGNATURE_FILE,
    EXPORTED_BUNDLE,
    EXPORTED_WHEELS,
)

_CHUNK = 1 << 20
_MAX_NAME_CHARS = 1024
_MAX_COMPONENT_BYTES = 255
_MAX_HEADER_BYTES = 1 << 20
_RATIO_APPLIES_ABOVE_BYTES = 16 << 20
_RESERVED_CHARACTERS = frozenset('\\:*?"<>|')


_EXPORTED = {EXPORT_FILE, EXPORT_SIGNATURE_FILE, EXPORTED_BUNDLE, EXPORTED_WHEELS}


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Most entries, most bytes after decompression, most bytes out for one byte in."""

    entries: int = 100_000
    unpacked_bytes: int = 20 << 30
    ratio: int = 200


def extract_archive(stream: IO[bytes], parent: Path, limits: ArchiveLimits | None = None) -> Path:
    """Unpack as `unpack_archive` does, and find the bundle in it.

    Returns:
        The directory that holds `bentoml.yml`: the new one, or the single folder inside it.
    """
    target = unpack_archive(stream, parent, limits)
    try:
        return bundle_root(target)
    except BundleCorrupted:
        shutil.rmtree(target, ignore_errors=True)
        raise


def unpack_archive(stream: IO[bytes], parent: Path, limits: ArchiveLimits | None = None) -> Path:
    """Unpack a tar archive (plain, gzip or Zstandard) into a new directory below `parent`, mode 0700.

    Raises:
        BundleCorrupted: no archive, or one with links, special files, unsafe or double names, or over
            a limit; the new directory is removed.
        MissingDependencyException: it is Zstandard, and the package for it is not installed.
    """
    target = Path(tempfile.mkdtemp(prefix="bentoml-bundle-", dir=parent))
    try:
        _extract(stream, target, limits or ArchiveLimits())
    except BaseException as err:
        shutil.rmtree(target, ignore_errors=True)
        if isinstance(err, (tarfile.TarError, ValueError, decompression_errors())):
            raise BundleCorrupted(f"The archive cannot be read: {err}") from err
        raise
    return target


def _extract(stream: IO[bytes], target: Path, limits: ArchiveLimits) -> None:
    seen: dict[str, str] = {}
    capped = _Capped(stream, limits)
    with tarfile.open(fileobj=capped, mode="r|", tarinfo=_Member, errors="strict") as archive:
        for count, member in enumerate(archive):
            if count >= limits.entries:
                raise BundleCorrupted(f"The archive has more than {limits.entries} entries")
            parts = safe_parts(member.name)
            if parts:
                note_name(parts, member.isdir(), seen)
                _write_member(archive, member, target.joinpath(*parts))
    while capped.read(_CHUNK):
        pass  # what follows the last entry is read too, so that a cut file is noticed


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise BundleCorrupted(f"The archive's entry '{member.name[:128]}' is not a regular file or directory")
    path.parent.mkdir(parents=True, exist_ok=True)
    source = archive.extractfile(member)
    assert source is not None  # regular files always have content
    with open(path, "xb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
    if path.stat().st_size != member.size:
        raise BundleCorrupted(f"The archive ends inside '{member.name[:128]}'")
    path.chmod(0o755 if member.mode & 0o100 else 0o644)


def safe_parts(name: str) -> tuple[str, ...]:
    """The components of an entry's name; it is refused, never repaired."""
    shown = name[:128].encode("unicode_escape").decode()
    bad_character = any(c in _RESERVED_CHARACTERS or unicodedata.category(c) in ("Cc", "Cs") for c in name)
    if len(name) > _MAX_NAME_CHARS or bad_character or name.startswith("/"):
        raise BundleCorrupted(f"The archive's entry '{shown}' has a name that is not safe on every system")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts or any(len(os.fsencode(part)) > _MAX_COMPONENT_BYTES for part in parts):
        raise BundleCorrupted(
            f"The archive's entry '{shown}' leads out of the archive or has too long a part"
        )
    return parts


def note_name(parts: tuple[str, ...], is_directory: bool, seen: dict[str, str]) -> None:
    """Refuse a second entry of one name, names that differ by case only, and file-as-folder."""
    for depth in range(1, len(parts) + 1):
        path = "/".join(parts[:depth])
        is_folder = is_directory or depth < len(parts)
        kind = f"folder {path}" if is_folder else f"file {path}"
        key = unicodedata.normalize("NFC", path).casefold()
        before = seen.get(key)
        if before is not None and (before != kind or not is_folder):
            raise BundleCorrupted(f"The archive has two entries for '{path[:128]}'")
        seen[key] = kind


def first_entry(stream: IO[bytes], name: str, most_bytes: int) -> bytes | None:
    """The content of an archive's first entry if it is a file of that name; else None.

    Raises:
        BundleCorrupted: no archive, or one that is not safe.
    """
    try:
        capped: Any = _Capped(stream, ArchiveLimits())
        with tarfile.open(fileobj=capped, mode="r|", tarinfo=_Member, errors="strict") as archive:
            member = archive.next()
            if member is None or member.name != name or not member.isreg() or member.size > most_bytes:
                return None
            content = archive.extractfile(member)
            return content.read() if content is not None else None
    except (tarfile.TarError, ValueError) as err:
        raise BundleCorrupted(f"The archive cannot be read: {err}") from err
    except decompression_errors() as err:
        raise BundleCorrupted(f"The archive cannot be read: {err}") from err


def bundle_root(target: Path) -> Path:
    """Where the bundle is in an unpacked archive. Raises `BundleCorrupted` if there is none."""
    if (target / CONFIG_FILE).is_file():
        return target
    entries = {entry.name: entry for entry in target.iterdir()}
    inner = next(iter(entries.values())) if len(entries) == 1 else None
    if EXPORT_FILE in entries and entries.keys() <= _EXPORTED:
        inner = entries.get(EXPORTED_BUNDLE)
    if inner is not None and (inner / CONFIG_FILE).is_file():
        return inner
    raise BundleCorrupted(
        "The archive holds no bundle: 'bentoml.yml' is neither at its top nor in its only folder"
    )


class _Member(tarfile.TarInfo):
    """Header blocks that name other entries are read whole by tarfile, so their size is checked first."""

    def _proc_member(self, archive: Any) -> Any:
        extended = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if self.size < 0 or (
            self.type in (*extended, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
            and self.size > _MAX_HEADER_BYTES
        ):
            raise BundleCorrupted("The archive has a header block of an impossible size")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Capped(io.RawIOBase):
    """Decompressed bytes of a stream, refused beyond the size and ratio limits."""

    def __init__(self, stream: IO[bytes], limits: ArchiveLimits) -> None:
        self._raw = _Counted(stream)
        self._stream: Any = decompressed(io.BufferedReader(self._raw, _CHUNK))
        self._limits = limits
        self._out = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size if size >= 0 else _CHUNK)
        self._out += len(data)
        if self._out > self._limits.unpacked_bytes:
            raise BundleCorrupted(f"The archive unpacks to more than {self._limits.unpacked_bytes} bytes")
        if self._out > _RATIO_APPLIES_ABOVE_BYTES and self._out > self._limits.ratio * max(
            self._raw.count, 1
        ):
            raise BundleCorrupted(f"The archive unpacks to more than {self._limits.ratio} times its size")
        return data


class _Counted(io.RawIOBase):
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)
