"""Writing a layer: the same files give the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from .descriptors import Descriptor
from .files import chunks
from .media import LAYER
from .tree import Node

_LEVEL = 6


@dataclass(frozen=True, slots=True)
class WrittenLayer:
    """A compressed layer in `file`; `diff_id` is the digest of what is in it."""

    file: Path
    descriptor: Descriptor
    diff_id: str


class _HashingWriter(io.RawIOBase):
    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        self._digest.update(data)
        self._file.write(data)
        self.size += len(data)
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"


def write_layer(nodes: Iterable[Node], file: Path, modified_s: int) -> WrittenLayer:
    """Pack nodes in their order; every one gets the same modification time."""
    with file.open("wb") as raw:
        packed = _HashingWriter(raw)
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_LEVEL, mtime=0, filename="") as zipped:
            inner = _HashingWriter(zipped)
            with tarfile.open(fileobj=inner, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for node in nodes:
                    _add(archive, node, modified_s)
    return _written(file, packed, inner.digest)


def compress_layer(stream: BinaryIO, file: Path, diff_id: str) -> WrittenLayer:
    """A layer that is a plain tar already."""
    with file.open("wb") as raw:
        packed = _HashingWriter(raw)
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_LEVEL, mtime=0, filename="") as zipped:
            for data in chunks(stream):
                zipped.write(data)
    return _written(file, packed, diff_id)


def _written(file: Path, packed: _HashingWriter, diff_id: str) -> WrittenLayer:
    return WrittenLayer(file, Descriptor(f"{LAYER}+gzip", packed.digest, packed.size), diff_id)


def _add(archive: tarfile.TarFile, node: Node, modified_s: int) -> None:
    info = tarfile.TarInfo(node.path)
    info.mode = node.mode
    info.uid, info.gid = node.owner
    info.mtime = modified_s
    if node.is_directory:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif node.target:
        info.type = tarfile.SYMTYPE
        info.linkname = node.target
        archive.addfile(info)
    elif isinstance(node.data, Path):
        info.size = node.data.stat().st_size
        with node.data.open("rb") as source:
            archive.addfile(info, source)
    else:
        assert node.data is not None
        info.size = len(node.data)
        archive.addfile(info, io.BytesIO(node.data))
