"""Finds the pickles of a file, whatever its name says: bare, in archives, compressed, in `.npy` files.

The kind of a file is told by its first bytes. Archives and compressed files are looked into within
limits on size and depth; what lies beyond them, or cannot be read, is reported as not looked at.
"""

from __future__ import annotations

import ast
import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from .pickle_facts import NotAPickle, PickleFacts
from .pickle_machine import scan_pickle
from .stream import EndOfData, Stream

MAX_DEPTH = 4
MAX_MEMBERS = 20_000
MAX_UNPACKED_BYTES = 8 << 30
MAX_PICKLES = 64
_MAX_SAFETENSORS_HEADER = 10 << 20
_HEAD = 512

PICKLE = "pickle"
TORCH = "PyTorch archive"
TORCHSCRIPT = "TorchScript program"

Opener = Callable[[Any], Any]


@dataclass(slots=True)
class FileFacts:
    """What one file is and what its pickles ask for.

    Attributes:
        format: in words, outermost first: `gzip, pickle`.
        has_pickle: a pickle was found in it, or may be in a part that could not be read.
    """

    format: str = "unknown"
    has_pickle: bool = False
    pickles: PickleFacts = field(default_factory=PickleFacts)

    def _add(self, other: FileFacts) -> None:
        self.has_pickle = self.has_pickle or other.has_pickle
        self.pickles.add(other.pickles)

    def _problem(self, text: str) -> None:
        self.has_pickle = True
        if text not in self.pickles.problems:
            self.pickles.problems.append(text)


class _Zlib(io.RawIOBase):
    """A zlib stream as a file; the standard library has one for every other format."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self._inflate = raw, zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._inflate.eof:
            source = self._inflate.unconsumed_tail or self._raw.read(1 << 16)
            if not source:
                break
            data = self._inflate.decompress(source, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
        return 0


def _open_zlib(raw: IO[bytes]) -> IO[bytes]:
    return io.BufferedReader(_Zlib(raw))


_COMPRESSED: tuple[tuple[bytes, str, Opener], ...] = (
    (b"\x1f\x8b", "gzip", gzip.open),
    (b"BZh", "bzip2", bz2.BZ2File),
    (b"\xfd7zXZ\x00", "xz", lzma.LZMAFile),
    (b"\x5d\x00\x00", "lzma", lzma.LZMAFile),
    (b"\x78\x01", "zlib", _open_zlib),
    (b"\x78\x5e", "zlib", _open_zlib),
    (b"\x78\x9c", "zlib", _open_zlib),
    (b"\x78\xda", "zlib", _open_zlib),
)
_UNREADABLE = {b"\x04\x22\x4d\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstandard", b"BLOSC": "blosc"}
_KNOWN = {
    b"\x89HDF": "HDF5", b"GGUF": "GGUF", b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG",
    b"\x7fELF": "machine code", b"MZ": "machine code",
    b"\xca\xfe\xba\xbe": "machine code", b"PAR1": "Parquet", b"ARROW1": "Arrow",
}  # fmt: skip
_ERRORS = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError,
           RuntimeError, KeyError, SyntaxError, struct.error)  # fmt: skip


def scan_file(path: Path) -> FileFacts:
    """Look into one file. Executes nothing and imports nothing."""
    with path.open("rb") as raw:
        return _scan(raw, 0)


def _scan(raw: IO[bytes], depth: int) -> FileFacts:
    facts = FileFacts()
    if depth > MAX_DEPTH:
        facts._problem("it is an archive in an archive too many times over")
        return facts
    buffered: Any = raw if hasattr(raw, "peek") else io.BufferedReader(cast("io.RawIOBase", raw), 1 << 16)
    head = bytes(buffered.peek(_HEAD)[:_HEAD])
    try:
        _by_head(buffered, head, facts, depth)
    except EndOfData:
        facts._problem("it ends too early, or is larger than what is looked at")
    except _ERRORS as err:
        facts._problem(f"it cannot be read as {facts.format}: {type(err).__name__}")
    if depth == 0:
        _archive_at_the_end(raw, head, facts)
    return facts


def _by_head(raw: IO[bytes], head: bytes, facts: FileFacts, depth: int) -> None:
    for magic, name, opener in _COMPRESSED:
        if head.startswith(magic):
            facts.format = name
            inner = _scan(opener(raw), depth + 1)
            facts.format = f"{name}, {inner.format}"
            facts._add(inner)
            return
    for magic, name in _UNREADABLE.items():
        if head.startswith(magic):
            facts.format = name
            facts._problem(f"it is compressed with {name}, which is not looked into")
            return
    if head.startswith(b"PK\x03\x04"):
        facts.format = "zip"
        _scan_zip(raw, facts, depth)
    elif head[257:262] == b"ustar":
        facts.format = "tar"
        _scan_tar(raw, facts, depth)
    elif head.startswith(b"\x93NUMPY"):
        facts.format = "NumPy array"
        _scan_npy(Stream(raw), facts)
    elif len(head) > 1 and head[0] == 0x80 and head[1] < 16:
        facts.format = PICKLE
        _scan_pickles(Stream(raw, MAX_UNPACKED_BYTES), facts, depth)
    elif _is_safetensors(raw, head):
        facts.format = "safetensors"
    elif name := next((name for magic, name in _KNOWN.items() if head.startswith(magic)), ""):
        facts.format = name
    else:
        _scan_old_pickle(raw, head, facts, depth)


def _scan_pickles(stream: Stream, facts: FileFacts, depth: int) -> None:
    """A pickle and those that follow it at once, as old PyTorch files have them."""
    facts.has_pickle = True
    for _ in range(MAX_PICKLES):
        try:
            found = scan_pickle(stream)
        except NotAPickle as err:
            facts.pickles.add(err.facts)  # type: ignore[attr-defined]
            facts._problem(str(err))
            return
        facts.pickles.add(found)
        _scan_embedded(found, facts, depth)
        if stream.peek(1) != b"\x80":
            return
    facts._problem(f"it holds more than {MAX_PICKLES} pickles")


def _scan_embedded(found: PickleFacts, facts: FileFacts, depth: int) -> None:
    pending, found.embedded = found.embedded, []
    facts.pickles.embedded.clear()
    for data in pending:
        inner = _scan(io.BytesIO(data), depth + 1)
        inner.pickles.embedded.clear()
        facts._add(inner)


def _scan_old_pickle(raw: IO[bytes], head: bytes, facts: FileFacts, depth: int) -> None:
    """Protocols 0 and 1 have no mark of their own: what can be followed to its end is one."""
    facts.format = _text_format(head)
    stream = Stream(raw, MAX_UNPACKED_BYTES)
    try:
        found = scan_pickle(stream)
    except NotAPickle as err:
        if not err.facts.called:  # type: ignore[attr-defined]
            return
        found = err.facts  # type: ignore[attr-defined]
        found.problems.append("only its beginning can be followed")
    if not found.imported and not found.embedded:
        return  # plain values at most: a text such as "N." is one, too
    facts.format = PICKLE
    facts.has_pickle = True
    facts.pickles.add(found)
    _scan_embedded(found, facts, depth)


def _text_format(head: bytes) -> str:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as err:
        if err.start < len(head) - 4 or not head:
            return "unknown"
        text = head[: err.start].decode("utf-8")
    if any(ord(c) < 32 and c not in "\t\r\n\f" for c in text):
        return "unknown"
    return "JSON" if text.lstrip()[:1] in ("{", "[") else "text"


def _scan_zip(raw: IO[bytes], facts: FileFacts, depth: int) -> None:
    with zipfile.ZipFile(raw if raw.seekable() else io.BytesIO(_bounded(raw))) as archive:
        names = archive.namelist()
        tops = {name.partition("/")[2] for name in names}
        if "constants.pkl" in tops:
            facts.format = TORCHSCRIPT
        elif "data.pkl" in tops:
            facts.format = TORCH
        if len(names) > MAX_MEMBERS:
            facts._problem(f"it has more than {MAX_MEMBERS} members")
        budget = MAX_UNPACKED_BYTES
        for info in archive.infolist()[:MAX_MEMBERS]:
            if info.is_dir() or _is_bare_tensor(info.filename, facts.format):
                continue
            budget -= info.file_size
            if budget < 0:
                facts._problem("it unpacks to more than what is looked at")
                return
            try:
                with archive.open(info) as member:
                    inner = _scan(member, depth + 1)
            except _ERRORS as err:
                facts._problem(f"member '{info.filename[:80]}' cannot be read: {type(err).__name__}")
                continue
            facts._add(inner)


def _is_bare_tensor(name: str, kind: str) -> bool:
    """`<top>/data/<number>` of a PyTorch archive: numbers, read by offset and never unpickled."""
    parts = name.split("/")
    return (
        kind in (TORCH, TORCHSCRIPT)
        and len(parts) == 3
        and parts[1] in ("data", "constants")
        and parts[2].isdigit()
    )


def _scan_tar(raw: IO[bytes], facts: FileFacts, depth: int) -> None:
    with tarfile.open(fileobj=raw, mode="r|") as archive:
        for count, member in enumerate(archive):
            if count >= MAX_MEMBERS:
                facts._problem(f"it has more than {MAX_MEMBERS} members")
                return
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                facts._add(_scan(content, depth + 1))


def _scan_npy(stream: Stream, facts: FileFacts) -> None:
    """An array of objects is a pickle behind the header."""
    version = stream.read(8)[6]
    size = int.from_bytes(stream.read(2 if version == 1 else 4), "little")
    if size > 1 << 20:
        raise ValueError("header too long")
    header = ast.literal_eval(stream.read(size).decode("latin-1").strip())
    if "O" in str(header["descr"]):
        facts.format = "NumPy array of objects"
        _scan_pickles(stream, facts, MAX_DEPTH)


def _is_safetensors(raw: IO[bytes], head: bytes) -> bool:
    size = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or not 2 <= size <= _MAX_SAFETENSORS_HEADER:
        return False
    try:
        header = json.loads(raw.read(8 + size)[8:])
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict)


def _archive_at_the_end(raw: IO[bytes], head: bytes, facts: FileFacts) -> None:
    """A zip archive is found by its end, so one file can be an archive and something else."""
    try:
        raw.seek(0)
        if head.startswith(b"PK\x03\x04") or not zipfile.is_zipfile(raw):
            return
        raw.seek(0)
        other = FileFacts("zip")
        _scan_zip(raw, other, 1)
    except EndOfData:
        facts._problem("it is an archive as well, which is larger than what is looked at")
        return
    except _ERRORS as err:
        facts._problem(f"it is an archive as well, which cannot be read: {type(err).__name__}")
        return
    facts.format += f", and {other.format} as well"
    facts._add(other)


def _bounded(raw: IO[bytes], limit: int = 256 << 20) -> bytes:
    data = raw.read(limit + 1)
    if len(data) > limit:
        raise EndOfData
    return data
