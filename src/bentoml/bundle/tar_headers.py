"""The headers of a tar stream, read block by block as they arrive."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from bentoml.exceptions import BundleCorrupted

BLOCK = tarfile.BLOCKSIZE
_MAX_HEADER_BYTES = 1 << 20
_NAMING = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)


@dataclass(frozen=True, slots=True)
class Header:
    """One entry: the blocks as they came, and what they say."""

    raw: bytes
    info: tarfile.TarInfo

    @property
    def is_file(self) -> bool:
        return not self.info.isdir()

    @property
    def stored_bytes(self) -> int:
        """What the content takes in the stream, zeros at its end included."""
        return -(-self.info.size // BLOCK) * BLOCK if self.is_file else 0


class HeaderReader:
    """Collects the blocks of one header, those before it that give it a long name included."""

    def __init__(self) -> None:
        self._raw = bytearray()
        self._wanted = BLOCK
        self._block_at = 0  # where the block is that says what comes next
        self._header: Header | None = None
        self.is_end = False

    @property
    def pending_bytes(self) -> int:
        return len(self._raw)

    def feed(self, view: memoryview) -> memoryview:
        """Take what belongs to the header; returns the rest. Raises `BundleCorrupted`."""
        while self._header is None and not self.is_end and view:
            taken = view[: self._wanted - len(self._raw)]
            self._raw += taken
            view = view[len(taken) :]
            if len(self._raw) == self._wanted:
                self._look()
        return view

    def header(self) -> Header | None:
        """The header, once it is complete."""
        return self._header

    def _look(self) -> None:
        """All bytes that were asked for are there: what are they?"""
        if self._wanted - self._block_at > BLOCK:  # the text of a long name: its entry follows
            self._block_at = self._wanted
            self._wanted += BLOCK
            return
        block = bytes(self._raw[self._block_at :])
        if not block.strip(tarfile.NUL):
            if self._block_at:
                raise BundleCorrupted("The archive ends after the name of an entry")
            self.is_end = True
            return
        info = _read_block(block)
        if info.type in _NAMING:
            if not 0 < info.size <= _MAX_HEADER_BYTES or self._wanted > 2 * _MAX_HEADER_BYTES:
                raise BundleCorrupted("The archive has a header block of an impossible size")
            self._wanted += -(-info.size // BLOCK) * BLOCK
            return
        self._header = Header(bytes(self._raw), _whole(bytes(self._raw)))
        self._check(self._header.info)

    def _check(self, info: tarfile.TarInfo) -> None:
        if info.size < 0:
            raise BundleCorrupted("The archive has a header block of an impossible size")
        if not info.isdir() and (info.type not in _FILE_TYPES or info.issparse()):
            raise BundleCorrupted(
                f"The archive's entry '{info.name[:128]}' is not a regular file or directory"
            )


def iter_headers(data: bytes) -> Iterator[Header]:
    """The headers in a row of them, up to one that is cut, or to a zero block."""
    view = memoryview(data)
    while view:
        reader = HeaderReader()
        try:
            view = reader.feed(view)
        except BundleCorrupted:
            return  # the file lost its end with the machine's power
        header = reader.header()
        if header is None:
            return
        yield header


def _read_block(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as err:
        raise BundleCorrupted(f"The archive cannot be read: {err}") from err


def _whole(raw: bytes) -> tarfile.TarInfo:
    """What all blocks of a header say together."""
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:", errors="strict") as archive:
            info = archive.next()
    except (tarfile.TarError, ValueError, EOFError) as err:
        raise BundleCorrupted(f"The archive cannot be read: {err}") from err
    if info is None:
        raise BundleCorrupted("The archive has a header without an entry")
    return info
