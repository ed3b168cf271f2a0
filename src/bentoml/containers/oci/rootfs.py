"""What a base image's file system holds, from the headers of its layers; nothing is unpacked."""

from __future__ import annotations

import posixpath
import tarfile
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from bentoml.exceptions import InvalidArgument

from .base_image import BaseImage, BaseLayer
from .unpacking import unpacked

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MAX_ENTRIES = 2_000_000
_MAX_KEPT_BYTES = 8 << 20
_MAX_LINKS = 40
_KEPT = ("etc/passwd", "etc/group")
_LIBC = ("libc.so.6",)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the image. `target` is set for links, `data` for the few files that are read."""

    kind: str
    mode: int
    target: str = ""
    data: bytes | None = None


@dataclass(slots=True)
class RootFiles:
    """Path without leading slash → entry, after all layers."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def resolve(self, path: str) -> str | None:
        """The path behind all links, or None if nothing is there."""
        pending = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        done: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part == "..":
                done = done[:-1]
                continue
            here = "/".join([*done, part])
            entry = self.entries.get(here)
            if entry is None:
                return None
            if entry.kind != "link":
                done.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            if entry.target.startswith("/"):
                done = []
            pending += [word for word in reversed(entry.target.split("/")) if word not in ("", ".")]
        return "/".join(done)

    def text(self, path: str) -> str:
        """A small file that was kept, "" if there is none."""
        entry = self.entries.get(self.resolve(path) or "")
        return (entry.data or b"").decode("utf-8", "surrogateescape") if entry else ""

    def kept(self, *names: str) -> list[bytes]:
        """The content of every kept file with one of these names, by path."""
        found = [(path, one.data) for path, one in self.entries.items() if posixpath.basename(path) in names]
        return [data for _, data in sorted(found) if data]

    def names(self, directory: str) -> list[str]:
        """What lies directly in a directory, which may be a link; sorted."""
        real = self.resolve(directory)
        if real is None:
            return []
        prefix = f"{real}/" if real else ""
        return sorted(
            path[len(prefix) :]
            for path in self.entries
            if path.startswith(prefix) and "/" not in path[len(prefix) :]
        )


def read_root_files(image: BaseImage) -> RootFiles:
    """Look through all layers. Raises `InvalidArgument` if one is damaged or leads out of the image."""
    root = RootFiles()
    for layer in image.layers:
        with unpacked(layer) as stream:
            _apply(root.entries, layer, stream)
    return root


def _apply(entries: dict[str, Entry], layer: BaseLayer, stream: BinaryIO) -> None:
    added: dict[str, Entry] = {}
    removed: set[str] = set()
    emptied: set[str] = set()
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                path = _checked_path(layer, member.name)
                parent, name = posixpath.split(path)
                if name == _OPAQUE:
                    emptied.add(parent)
                elif name.startswith(_WHITEOUT):
                    removed.add(posixpath.join(parent, name[len(_WHITEOUT) :]))
                elif path:
                    added[path] = _entry(archive, member, ChainMap(added, entries))
                if len(added) + len(entries) > _MAX_ENTRIES:
                    raise InvalidArgument(f"The base image '{layer.files.path}' has too many files")
    except (tarfile.TarError, ValueError) as err:
        raise InvalidArgument(
            f"The base image '{layer.files.path}' is damaged: layer '{layer.name}' is no tar archive: {err}"
        ) from err
    if removed or emptied:
        for path in [path for path in entries if _is_covered(path, removed, emptied)]:
            del entries[path]
    entries.update(added)
    for path in added:  # directories that a layer does not list
        while (path := posixpath.dirname(path)) and path not in entries:
            entries[path] = Entry("directory", 0o755)


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo, known: Mapping[str, Entry]) -> Entry:
    if member.issym():
        return Entry("link", member.mode, member.linkname)
    if member.islnk():
        return known.get(posixpath.normpath(member.linkname).lstrip("/"), Entry("file", member.mode))
    if member.isdir():
        return Entry("directory", member.mode)
    data = None
    name = posixpath.normpath(member.name).lstrip("/")
    is_kept = name in _KEPT or posixpath.basename(name) in _LIBC
    if member.isreg() and is_kept and member.size <= _MAX_KEPT_BYTES:
        file = archive.extractfile(member)
        data = file.read() if file else None
    return Entry("file" if member.isreg() else "other", member.mode, data=data)


def _checked_path(layer: BaseLayer, name: str) -> str:
    if ".." in name.split("/"):
        raise InvalidArgument(
            f"The base image '{layer.files.path}' is not safe: layer '{layer.name}' has a file {name[:128]!r}"
        )
    path = posixpath.normpath(name).lstrip("/")
    return "" if path == "." else path


def _is_covered(path: str, removed: set[str], emptied: set[str]) -> bool:
    if path in removed:
        return True
    parent = posixpath.dirname(path)
    while parent:
        if parent in removed or parent in emptied:
            return True
        parent = posixpath.dirname(parent)
    return "" in emptied
