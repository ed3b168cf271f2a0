"""Reading a base image: an image layout in a directory, or a tar archive that is never unpacked.

Members of an archive are looked up by name and read where they lie, so no name in it can lead
anywhere else. What a name gives is checked against its digest by the reader.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from bentoml.exceptions import InvalidArgument

from .descriptors import MAX_JSON_BYTES

_MAX_MEMBERS = 20_000
_CHUNK = 1 << 20


class ImageFiles(Protocol):
    """The files of an image by name, such as `index.json`."""

    path: Path

    def has(self, name: str) -> bool: ...

    def open(self, name: str) -> BinaryIO:
        """Raises `InvalidArgument` if it is not there."""
        ...


class DirectoryFiles:
    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def open(self, name: str) -> BinaryIO:
        try:
            return (self.path / name).open("rb")
        except OSError as err:
            raise _missing(self.path, name) from err


class ArchiveFiles:
    """A tar archive on disk. Raises `InvalidArgument` if it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: dict[str, tuple[int, int]] = {}
        links: dict[str, str] = {}
        try:
            with tarfile.open(path, "r:") as archive:
                for number, member in enumerate(archive):
                    self._note(member, links)
                    if number >= _MAX_MEMBERS:
                        raise InvalidArgument(f"The base image '{path}' has more than {_MAX_MEMBERS} members")
        except (tarfile.TarError, EOFError, ValueError) as err:
            raise InvalidArgument(
                f"The base image '{path}' is no tar archive ({err}). Give an OCI archive, a docker archive "
                "(both uncompressed), or the directory of an OCI image layout"
            ) from err
        for name, target in links.items():
            if target in self._parts:
                self._parts[name] = self._parts[target]

    def has(self, name: str) -> bool:
        return name in self._parts

    def open(self, name: str) -> BinaryIO:
        part = self._parts.get(name)
        if part is None:
            raise _missing(self.path, name)
        return io.BufferedReader(_Part(self.path, *part), _CHUNK)

    def _note(self, member: tarfile.TarInfo, links: dict[str, str]) -> None:
        name = posixpath.normpath(member.name)
        if name in self._parts or name in links:
            raise InvalidArgument(f"The base image '{self.path}' has two members {name[:128]!r}")
        if member.isreg() and not member.issparse():
            self._parts[name] = (member.offset_data, member.size)
        elif member.issym():  # a layer that an old docker archive has twice
            links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
        elif member.islnk():
            links[name] = posixpath.normpath(member.linkname)


class _Part(io.RawIOBase):
    """A stretch of a file."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._file = path.open("rb")
        self._file.seek(offset)
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def open_files(path: Path) -> ImageFiles:
    """Raises `InvalidArgument` if nothing is there that could be an image."""
    if path.is_dir():
        return DirectoryFiles(path)
    if not path.is_file():
        raise InvalidArgument(f"There is no base image at '{path}'")
    return ArchiveFiles(path)


def read_small(files: ImageFiles, name: str) -> bytes:
    """A JSON file of an image. Raises `InvalidArgument` if it is far too large for one."""
    with files.open(name) as file:
        data = file.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise InvalidArgument(
            f"'{name}' of the base image '{files.path}' has more than {MAX_JSON_BYTES} bytes"
        )
    return data


def chunks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(_CHUNK):
        yield data


def _missing(path: Path, name: str) -> InvalidArgument:
    return InvalidArgument(f"The base image '{path}' has no '{name}'")
