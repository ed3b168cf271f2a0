"""A digest for every file of a bundle, checked before anything of the bundle is executed.

`bundle-manifest.json` finds damage and careless edits: a changed, missing, added or linked file is
named. It is not a signature: somebody who may rewrite every file may rewrite the manifest too (see
`trust.signature` for one).
Bundles of the 0.13 line have none and are accepted; a bundle of this line without one is refused.

Byte code (`__pycache__`) is not listed, because the loader neither reads nor writes it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bentoml.exceptions import BundleCorrupted

from .layout import CONFIG_FILE, MANIFEST_FILE, SIGNATURE_FILE
from .yaml_text import read_yaml

logger = logging.getLogger("bentoml.bundle")

FORMAT = 1
_CHUNK = 1 << 20
_MAX_MANIFEST_BYTES = 64 * 1024 * 1024
_BYTE_CODE_DIRECTORY = "__pycache__"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a bundle: size in bytes, lower-case hex SHA-256, and whether it may be executed."""

    size: int
    sha256: str
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files by their path relative to the bundle, with `/` between parts."""

    files: dict[str, FileEntry]

    @property
    def digest(self) -> str:
        """One SHA-256 over the whole table: the identity of the bundle's content."""
        lines = (
            f"{path}\0{e.size}\0{e.sha256}\0{int(e.executable)}\n" for path, e in sorted(self.files.items())
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def build_manifest(path: Path) -> Manifest:
    """Hash what lies under `path` now. Raises `BundleCorrupted` for links and special files."""
    files: dict[str, FileEntry] = {}
    for relative, entry in _iter_files(path):
        info = entry.stat(follow_symlinks=False)
        files[relative] = FileEntry(info.st_size, file_sha256(entry.path), bool(info.st_mode & 0o100))
    return Manifest(files)


def write_manifest(path: Path) -> Manifest:
    """Write `bundle-manifest.json` for everything under `path`; the last step of making a bundle."""
    manifest = build_manifest(path)
    (path / MANIFEST_FILE).write_text(manifest_text(manifest), "utf-8")
    return manifest


def manifest_text(manifest: Manifest) -> str:
    files: dict[str, dict[str, Any]] = {}
    for name, entry in sorted(manifest.files.items()):
        files[name] = {"size": entry.size, "sha256": entry.sha256}
        if entry.executable:
            files[name]["executable"] = True
    return json.dumps({"format": FORMAT, "digest": manifest.digest, "files": files}, indent=1) + "\n"


def read_manifest(path: Path) -> Manifest | None:
    """The bundle's manifest, or None when it has none. Raises `BundleCorrupted` if unreadable."""
    file = path / MANIFEST_FILE
    if file.is_symlink():
        raise BundleCorrupted(f"'{MANIFEST_FILE}' of the bundle in '{path}' is a link; links are refused")
    if not file.is_file():
        return None
    if file.stat().st_size > _MAX_MANIFEST_BYTES:
        raise BundleCorrupted(f"'{MANIFEST_FILE}' of the bundle in '{path}' is too large")
    try:
        document = json.loads(file.read_text("utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r} is not {FORMAT}, the one known here")
        manifest = Manifest(
            {
                str(name): FileEntry(int(row["size"]), str(row["sha256"]), bool(row.get("executable")))
                for name, row in document["files"].items()
            }
        )
        recorded = document["digest"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        raise BundleCorrupted(
            f"'{MANIFEST_FILE}' of the bundle in '{path}' cannot be read ({type(err).__name__}: {err})"
        ) from err
    if recorded != manifest.digest:
        raise BundleCorrupted(
            f"'{MANIFEST_FILE}' of the bundle in '{path}' was edited: its digest does not fit"
        )
    return manifest


def verify_manifest(path: str | Path, known: Mapping[str, str] | None = None) -> Manifest | None:
    """Compare every file under `path` with the manifest; executes nothing.

    Args:
        known: SHA-256 of files that were hashed while they were written; the others are read.

    Returns:
        The manifest, or None for a bundle written by 0.13, which has none.

    Raises:
        BundleCorrupted: a file was changed, removed, added or replaced by a link (the message
            names it), or a bundle of this line lacks its manifest.
    """
    root = Path(path)
    manifest = read_manifest(root)
    if manifest is None:
        _require_old_bundle(root)
        return None
    found: dict[str, os.DirEntry[str]] = dict(_iter_files(root))
    missing = sorted(manifest.files.keys() - found.keys())
    if missing:
        raise _corrupted(root, f"file '{missing[0]}' is missing", len(missing))
    added = sorted(found.keys() - manifest.files.keys())
    if added:
        raise _corrupted(root, f"file '{added[0]}' was added after saving", len(added))
    for name, expected in manifest.files.items():
        _verify_file(root, name, expected, found[name], (known or {}).get(name))
    return manifest


def _verify_file(
    root: Path, name: str, expected: FileEntry, entry: os.DirEntry[str], known: str | None
) -> None:
    info = entry.stat(follow_symlinks=False)
    if info.st_size != expected.size:
        raise _corrupted(root, f"file '{name}' was changed: {info.st_size} bytes, {expected.size} were saved")
    if (known or file_sha256(entry.path)) != expected.sha256:
        raise _corrupted(root, f"file '{name}' was changed: its SHA-256 is not the saved one")
    if os.name == "posix" and bool(info.st_mode & 0o100) != expected.executable:
        logger.warning("Permissions of '%s' in bundle '%s' differ from the saved ones", name, root)


def _corrupted(root: Path, what: str, count: int = 1) -> BundleCorrupted:
    more = f" (and {count - 1} more)" if count > 1 else ""
    return BundleCorrupted(
        f"The bundle in '{root}' differs from its manifest: {what}{more}. Nothing of it was executed. "
        "Get an intact copy, or save the service again."
    )


def _require_old_bundle(root: Path) -> None:
    config = root / CONFIG_FILE
    if not config.is_file():
        return  # "can't locate config file" is the reader's message, and the clearer one
    document = read_yaml(config)
    version = str(document.get("version", "")) if isinstance(document, dict) else ""
    if not version.startswith(_VERSIONS_WITHOUT_MANIFEST):
        raise BundleCorrupted(
            f"The bundle in '{root}' has no '{MANIFEST_FILE}', which every bundle saved by bentoml "
            f"{version or '(no version)'} has. Nothing of it was executed. Get an intact copy."
        )


_VERSIONS_WITHOUT_MANIFEST = (*tuple(f"0.{minor}." for minor in range(14)), "0+untagged", "0.13+")


def file_sha256(path: str | Path) -> str:
    """Lower-case hex SHA-256 of a file's bytes; a link is not followed."""
    digest = hashlib.sha256()
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb", buffering=0) as stream:
        buffer = memoryview(bytearray(_CHUNK))
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def _iter_files(root: Path, prefix: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Regular files below `root` with `/`-separated names, without manifest, signature and byte code."""
    with os.scandir(root) as entries:
        ordered = sorted(entries, key=lambda e: e.name)
    for entry in ordered:
        name = prefix + entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            raise BundleCorrupted(f"'{name}' in the bundle is a link; a bundle holds regular files only")
        if stat.S_ISDIR(mode):
            yield from _iter_files(Path(entry.path), name + "/")
        elif not stat.S_ISREG(mode):
            raise BundleCorrupted(f"'{name}' in the bundle is neither a file nor a directory")
        elif name not in (MANIFEST_FILE, SIGNATURE_FILE) and not _is_byte_code(root, entry.name):
            yield name, entry


def _is_byte_code(directory: Path, name: str) -> bool:
    return directory.name == _BYTE_CODE_DIRECTORY and name.endswith(".pyc")
