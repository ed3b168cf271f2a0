"""A bundle that arrives as a tar stream: its files are written once, as they come, and hashed on the way.

    <directory>/files/…      what has arrived
    <directory>/headers      the tar headers so far, one after the other, and the zeros after the last entry

A file is on disk before the header of the next one is noted, so another process can go on from what it
finds, whatever ended the first one. Hostile archives are refused as `extract_archive` does.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bentoml.bundle.archive import ArchiveLimits, bundle_root, note_name, safe_parts
from bentoml.bundle.tar_headers import BLOCK, Header, HeaderReader, iter_headers
from bentoml.exceptions import BundleCorrupted

from . import durable

_WRITE_BACK_BYTES = 8 << 20
_DIRECT_FROM_BYTES = 1 << 20
_DIRECT: int = getattr(os, "O_DIRECT", 0)
_BLOCK = 512  # of a disk; tar streams have the same, so buffers that are aligned stay so
_CHUNK_BYTES = 1 << 20
_MAX_HEADERS_BYTES = 256 << 20
_FILES, _HEADERS = "files", "headers"


@dataclass(slots=True)
class _File:
    """The file whose content is arriving; `left` bytes are missing."""

    name: str
    descriptor: int
    left: int
    mode: int
    is_direct: bool
    digest: Any = field(default_factory=hashlib.sha256)
    unsynced: int = 0

    def write(self, data: memoryview) -> None:
        self.digest.update(data)
        written = self._write_directly(data) if self.is_direct else 0
        while written < len(data):
            written += os.write(self.descriptor, data[written:])
        self.left -= len(data)
        self._begin_write_back(len(data))

    def _write_directly(self, data: memoryview) -> int:
        """Whole blocks past the page cache; what does not fit ends that for the rest of the file."""
        whole, written = len(data) - len(data) % _BLOCK, 0
        try:
            while written < whole:
                written += os.write(self.descriptor, data[written:whole])
        except OSError as err:
            if err.errno != errno.EINVAL:  # the disk wants larger blocks, or the buffer is not aligned
                raise
        if written < len(data):
            self.is_direct = False
            durable.use_page_cache(self.descriptor)
        return written

    def _begin_write_back(self, count: int) -> None:
        self.unsynced += 0 if self.is_direct else count
        if self.unsynced >= _WRITE_BACK_BYTES:
            durable.begin_write_back(self.descriptor)
            self.unsynced = 0

    def finish(self) -> None:
        os.fchmod(self.descriptor, self.mode)
        os.fsync(self.descriptor)
        os.close(self.descriptor)


class IncomingBundle:
    """One bundle on its way; used by one thread at a time.

    Args:
        directory: its own, made by `resume`.
        is_cached: whether large files stay in the page cache. Without it, less of the processors is used;
            whoever reads them first waits for the disk.
    """

    def __init__(
        self, directory: Path, limits: ArchiveLimits | None = None, *, is_cached: bool = True
    ) -> None:
        self.directory = directory
        self._is_cached = is_cached
        self._limits = limits or ArchiveLimits()
        self._position = 0
        self._is_over = False
        self._seen: dict[str, str] = {}
        self._entries = 0
        self._noted_bytes = 0
        self._digests: dict[str, str] = {}
        self._file: _File | None = None
        self._padding = 0
        self._reader = HeaderReader()

    @property
    def received_bytes(self) -> int:
        """Where the stream goes on; a header that is there in part has to be sent again after a break."""
        return self._position

    def resume(self) -> None:
        """Take up what another object left, if anything; the content of its files is read once."""
        (self.directory / _FILES).mkdir(parents=True, exist_ok=True)
        known, zeros = _read_headers(self.directory)
        kept_bytes = 0
        for header in known:
            path = self._begin(header)
            self._position += len(header.raw)
            kept_bytes += len(header.raw)
            if path is not None and not self._take_up(header, path):
                break
        else:
            self._is_over = zeros >= BLOCK
            self._position += zeros if self._is_over else 0
        self._noted_bytes = kept_bytes + (zeros if self._is_over else 0)
        if known:
            os.truncate(self.directory / _HEADERS, self._noted_bytes)

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the stream. Raises `BundleCorrupted`."""
        view = memoryview(data)
        while view:
            if self._file is not None:
                view = self._write_content(view)
            elif self._padding:
                view = self._skip_padding(view)
            elif self._is_over:
                _require_zeros(view)
                self._note(bytes(view))
                self._position += len(view)
                return
            else:
                view = self._read_header(view)

    def pause(self) -> None:
        """The stream broke off or ended: forget a header that is there in part."""
        self._position -= self._reader.pending_bytes
        self._reader = HeaderReader()

    def close(self) -> None:
        """The files stay for another object."""
        if self._file is not None:
            os.close(self._file.descriptor)
            self._file = None

    def finish(self) -> tuple[Path, dict[str, str]]:
        """The directory with `bentoml.yml`, and the SHA-256 of its files by their paths in it.

        Raises:
            BundleCorrupted: the stream ended early, or it holds no bundle.
        """
        if self._file is not None or not self._is_over:
            raise BundleCorrupted("The archive ends before its last entry is complete")
        files = self.directory / _FILES
        root = bundle_root(files)
        prefix = "" if root == files else f"{root.name}/"
        return root, {name.removeprefix(prefix): digest for name, digest in self._digests.items()}

    def archive_sha256(self) -> str:
        """SHA-256 of the stream as it arrived, made of what is kept of it."""
        digest, position = hashlib.sha256(), 0
        for header in _read_headers(self.directory)[0]:
            digest.update(header.raw)
            position += len(header.raw) + header.stored_bytes
            if header.is_file:
                with open(self._path(header.info.name), "rb") as file:
                    while chunk := file.read(_CHUNK_BYTES):
                        digest.update(chunk)
                digest.update(bytes(header.stored_bytes - header.info.size))
        digest.update(bytes(max(0, self._position - position)))
        return digest.hexdigest()

    def _read_header(self, view: memoryview) -> memoryview:
        rest = self._reader.feed(view)
        self._position += len(view) - len(rest)
        header = self._reader.header()
        if self._reader.is_end:
            self._reader = HeaderReader()
            self._is_over = True
            self._note(bytes(BLOCK))
        elif header is not None:
            self._reader = HeaderReader()
            path = self._begin(header)
            self._note(header.raw)
            if path is not None:
                self._open(header, path, os.O_CREAT | os.O_TRUNC)
        return rest

    def _begin(self, header: Header) -> Path | None:
        """Check an entry against what came before; its path if it is a file."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise BundleCorrupted(f"The archive has more than {self._limits.entries} entries")
        if self._position + header.info.size > self._limits.unpacked_bytes:
            raise BundleCorrupted(f"The archive unpacks to more than {self._limits.unpacked_bytes} bytes")
        parts = safe_parts(header.info.name)
        if not parts:
            if header.is_file:
                raise BundleCorrupted("The archive has a file without a name")
            return None
        note_name(parts, not header.is_file, self._seen)
        path = self._path(header.info.name)
        (path.parent if header.is_file else path).mkdir(parents=True, exist_ok=True)
        return path if header.is_file else None

    def _open(self, header: Header, path: Path, flags: int) -> None:
        flags |= os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        mode = 0o755 if header.info.mode & 0o100 else 0o644
        name = "/".join(safe_parts(header.info.name))
        is_direct = not self._is_cached and header.info.size >= _DIRECT_FROM_BYTES and _DIRECT != 0
        descriptor = _open_directly(path, flags) if is_direct else None
        is_direct = descriptor is not None
        if descriptor is None:
            descriptor = os.open(path, flags, 0o600)
        self._file = _File(name, descriptor, header.info.size, mode, is_direct)
        self._padding = header.stored_bytes - header.info.size
        self._end_if_complete()

    def _take_up(self, header: Header, path: Path) -> bool:
        """Hash what is there of a file; False if it is not complete."""
        self._open(header, path, os.O_CREAT)
        file = self._file
        if file is None:
            return True  # an empty one
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                file.digest.update(chunk)
                file.left -= len(chunk)
                self._position += len(chunk)
        if file.left < 0:
            raise BundleCorrupted(f"'{header.info.name[:128]}' has more bytes than were sent")
        if file.left:
            return False
        self._end_if_complete()
        self._position += self._padding
        self._padding = 0
        return True

    def _write_content(self, view: memoryview) -> memoryview:
        assert self._file is not None
        data = view[: self._file.left]
        self._file.write(data)
        self._position += len(data)
        self._end_if_complete()
        return view[len(data) :]

    def _end_if_complete(self) -> None:
        if self._file is not None and self._file.left == 0:
            file, self._file = self._file, None
            file.finish()
            self._digests[file.name] = file.digest.hexdigest()

    def _skip_padding(self, view: memoryview) -> memoryview:
        data = view[: self._padding]
        _require_zeros(data)
        self._padding -= len(data)
        self._position += len(data)
        return view[len(data) :]

    def _note(self, raw: bytes) -> None:
        self._noted_bytes += len(raw)
        if self._noted_bytes > _MAX_HEADERS_BYTES:
            raise BundleCorrupted("The archive has too many headers, or too many zeros at its end")
        with (self.directory / _HEADERS).open("ab") as file:
            file.write(raw)

    def _path(self, name: str) -> Path:
        return (self.directory / _FILES).joinpath(*safe_parts(name))


def _open_directly(path: Path, flags: int) -> int | None:
    """None where the file system cannot do that."""
    try:
        return os.open(path, flags | _DIRECT, 0o600)
    except OSError as err:
        if err.errno != errno.EINVAL:
            raise
        return None


def received_bytes(directory: Path) -> int:
    """How much of a stream is in a directory; no file is read."""
    position = 0
    known, zeros = _read_headers(directory)
    for header in known:
        position += len(header.raw)
        if not header.is_file:
            continue
        path = (directory / _FILES).joinpath(*safe_parts(header.info.name))
        there = path.stat().st_size if path.is_file() else 0
        if there < header.info.size:
            return position + there
        position += header.stored_bytes
    return position + (zeros if zeros >= BLOCK else 0)


def _read_headers(directory: Path) -> tuple[list[Header], int]:
    """The headers that are whole, and how many zeros follow them."""
    try:
        data = (directory / _HEADERS).read_bytes()
    except FileNotFoundError:
        return [], 0
    found = list(iter_headers(data))
    rest = data[sum(len(header.raw) for header in found) :]
    return found, len(rest) - len(rest.lstrip(tarfile.NUL))


def _require_zeros(view: memoryview) -> None:
    if view.tobytes().strip(tarfile.NUL):
        raise BundleCorrupted("The archive has other bytes than zeros between its entries")
