"""Writing bundles as tar archives: compressed files, and plain streams that can go on after a break.

The same files give the same bytes: members are sorted and carry neither date nor owner.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from bentoml.exceptions import BundleCorrupted
from bentoml.observability.progress import Advance, WatchedReader

from .compression import compressing

_CHUNK = 1 << 20


def pack_archive(bundle: Path, stream: IO[bytes], root: str, level: int = 9) -> None:
    """Write `bundle` as `.tar.gz` with all members below `root`; the same files give the same bytes."""
    with compressing(stream, "gzip", level) as zipped, open_tar(zipped) as archive:
        for file in files_of(bundle):
            add_file(archive, file, f"{root}/{file.relative_to(bundle).as_posix()}")


def open_tar(stream: IO[bytes]) -> tarfile.TarFile:
    """A tar archive to be written into a stream, from its beginning to its end."""
    return tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT)


def add_file(archive: tarfile.TarFile, file: Path, name: str, advance: Advance | None = None) -> None:
    """One regular file under another name. `advance` is told how many bytes more are through."""
    with file.open("rb") as source:
        info = tarfile.TarInfo(name)
        info.size = os.fstat(source.fileno()).st_size
        info.mode = 0o755 if os.access(file, os.X_OK) else 0o644
        archive.addfile(info, source if advance is None else cast(IO[bytes], WatchedReader(source, advance)))


class TarStream:
    """A bundle as an uncompressed tar whose size is known, and which can be read from any offset.

    The same files give the same bytes, in every process, so that a broken transfer can go on.
    """

    def __init__(self, bundle: Path) -> None:
        self._members = [_TarEntry.of(file, bundle) for file in files_of(bundle)]
        used = sum(member.end_bytes for member in self._members)
        self.size_bytes = -(-(used + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE

    def iter_parts(self, offset: int = 0) -> Iterator[bytes | FilePart]:
        """The stream from `offset` on, as bytes and stretches of files that nobody has read yet."""
        position = 0
        for member in self._members:
            if position + member.end_bytes > offset:
                yield from member.iter_parts(max(0, offset - position))
            position += member.end_bytes
        rest = self.size_bytes - max(position, offset)
        if rest > 0:
            yield tarfile.NUL * rest

    def iter_chunks(self, offset: int = 0, chunk_bytes: int = _CHUNK) -> Iterator[bytes]:
        """The bytes from `offset` on. Raises `BundleCorrupted` if a file changed meanwhile."""
        for part in self.iter_parts(offset):
            if isinstance(part, bytes):
                yield part
            else:
                yield from part.iter_chunks(chunk_bytes)


@dataclass(frozen=True, slots=True)
class FilePart:
    """A stretch of a file."""

    path: Path
    start: int
    size_bytes: int

    def iter_chunks(self, chunk_bytes: int) -> Iterator[bytes]:
        """Its bytes. Raises `BundleCorrupted` if the file has fewer."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            left = self.size_bytes
            while left > 0:
                chunk = file.read(min(chunk_bytes, left))
                if not chunk:
                    raise became_shorter(self.path)
                left -= len(chunk)
                yield chunk


@dataclass(frozen=True, slots=True)
class _TarEntry:
    """One file of a tar stream: its header block, its content, zeros up to the next block."""

    path: Path
    header: bytes
    size_bytes: int

    @classmethod
    def of(cls, path: Path, bundle: Path) -> _TarEntry:
        info = tarfile.TarInfo(path.relative_to(bundle).as_posix())
        info.size = path.stat().st_size
        info.mode = 0o755 if os.access(path, os.X_OK) else 0o644
        return cls(path, info.tobuf(tarfile.PAX_FORMAT), info.size)

    @property
    def end_bytes(self) -> int:
        blocks = -(-self.size_bytes // tarfile.BLOCKSIZE)
        return len(self.header) + blocks * tarfile.BLOCKSIZE

    def iter_parts(self, offset: int) -> Iterator[bytes | FilePart]:
        start = len(self.header)
        if offset < start:
            yield self.header[offset:]
        skipped = max(0, offset - start)
        if skipped < self.size_bytes:
            yield FilePart(self.path, skipped, self.size_bytes - skipped)
        padding = self.end_bytes - max(start + self.size_bytes, offset)
        if padding > 0:
            yield tarfile.NUL * padding


def became_shorter(path: Path) -> BundleCorrupted:
    return BundleCorrupted(f"'{path}' became shorter while it was read")


def files_of(bundle: Path) -> Iterator[Path]:
    """A bundle's files in a fixed order, byte code left out. Raises `BundleCorrupted` for links."""
    for file in sorted(bundle.rglob("*")):
        if file.is_symlink():
            raise BundleCorrupted(f"'{file}' is a link; a bundle holds regular files only")
        if file.is_file() and "__pycache__" not in file.parts:
            yield file
