"""A layer's tar stream out of its blob, with both digests checked at the end."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, cast

from bentoml.exceptions import InvalidArgument, MissingDependencyException

from .base_image import BaseLayer

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_MAX_UNPACKED_BYTES = 64 << 30
_CHUNK = 1 << 20


class HashingReader(io.RawIOBase):
    """Counts and digests what is read through it."""

    def __init__(self, file: IO[bytes], limit: int = _MAX_UNPACKED_BYTES) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._limit = limit
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._digest.update(data)
        self.size += len(data)
        if self.size > self._limit:
            raise InvalidArgument(f"A layer of the base image has more than {self._limit} bytes")
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"


@contextmanager
def unpacked(layer: BaseLayer) -> Iterator[BinaryIO]:
    """The tar stream of a layer; what the caller leaves unread is read at the end.

    Raises:
        InvalidArgument: its bytes are not those that its digests promise.
        MissingDependencyException: compressed with zstd, and the package for that is not installed.
    """
    with layer.files.open(layer.name) as blob:
        packed = HashingReader(blob)
        source = io.BufferedReader(packed, _CHUNK)
        tar = HashingReader(_decompress(source))
        stream = io.BufferedReader(tar, _CHUNK)
        try:
            yield stream
            for rest in (stream, source):
                while rest.read(_CHUNK):
                    pass
        except _decompression_errors() as err:
            raise _damaged(layer, str(err)) from err
    descriptor = layer.descriptor
    if descriptor is not None and (packed.digest, packed.size) != (descriptor.digest, descriptor.size):
        raise _damaged(layer, f"it has {packed.size} bytes and the digest {packed.digest}")
    if tar.digest != layer.diff_id:
        raise _damaged(layer, f"unpacked it has the digest {tar.digest} instead of {layer.diff_id}")


def _decompression_errors() -> tuple[type[Exception], ...]:
    zstandard = sys.modules.get("zstandard")  # imported if a layer needed it
    further = (zstandard.ZstdError,) if zstandard is not None else ()
    return (zlib.error, EOFError, gzip.BadGzipFile, *further)


def _decompress(source: Any) -> IO[bytes]:
    start = source.peek(4)
    if start.startswith(_GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=source, mode="rb"))
    if not start.startswith(_ZSTD):
        return cast("IO[bytes]", source)
    try:
        import zstandard  # noqa: PLC0415 - few base images need it
    except ModuleNotFoundError as err:
        raise MissingDependencyException(
            "The base image has layers compressed with zstd, which is read with the package 'zstandard'. "
            "Install it with: pip install zstandard; or copy the image with: skopeo copy "
            "--dest-compress-format gzip"
        ) from err
    return cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True))


def _damaged(layer: BaseLayer, why: str) -> InvalidArgument:
    return InvalidArgument(f"The base image '{layer.files.path}' is damaged: layer '{layer.name}': {why}")
