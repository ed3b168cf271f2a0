"""The compressions that archives of bundles have: none, gzip, Zstandard.

Zstandard is Python's own from 3.14 on; before, it is the package `backports.zstd`, imported when such
an archive is written or read.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import zlib
from collections.abc import Iterator
from typing import IO, Any, Literal, cast

from bentoml.exceptions import InvalidArgument, MissingDependencyException

Compression = Literal["none", "gzip", "zstd"]
SUFFIXES: dict[str, Compression] = {
    ".tar.zst": "zstd",
    ".tzst": "zstd",
    ".tar.gz": "gzip",
    ".tgz": "gzip",
    ".tar": "none",
}
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_MOST_WINDOW_LOG = 27  # 128 MiB of memory, what the zstd tool accepts by default
_LEVELS: dict[Compression, int] = {"none": 0, "gzip": 6, "zstd": 6}


def compression_of(name: str) -> Compression:
    """The compression that a file's name asks for. Raises `InvalidArgument` for another name."""
    for suffix, compression in SUFFIXES.items():
        if name.lower().endswith(suffix):
            return compression
    raise InvalidArgument(f"'{name}' must end in one of {', '.join(SUFFIXES)}, which says how it is packed")


def default_suffix() -> str:
    """The best that can be written here."""
    try:
        _zstd()
    except MissingDependencyException:
        return ".tar.gz"
    return ".tar.zst"


@contextlib.contextmanager
def compressing(stream: IO[bytes], compression: Compression, level: int | None = None) -> Iterator[IO[bytes]]:
    """What is written into the result goes into `stream` compressed; the same bytes give the same bytes.

    Raises:
        MissingDependencyException: the package for Zstandard is not installed.
    """
    chosen = _LEVELS[compression] if level is None else level
    if compression == "none":
        yield stream
    elif compression == "gzip":
        with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=chosen, mtime=0, filename="") as zipped:
            yield cast("IO[bytes]", zipped)
    else:
        with _zstd().ZstdFile(stream, "w", level=chosen) as zipped:
            yield zipped


def decompressed(stream: io.BufferedReader) -> IO[bytes]:
    """The content of a stream, by its first bytes: Zstandard, gzip, or as it is."""
    magic = stream.peek(4)[:4]
    if magic.startswith(_GZIP_MAGIC):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if magic == _ZSTD_MAGIC:
        zstd = _zstd()
        found: IO[bytes] = zstd.ZstdFile(
            stream, "r", options={zstd.DecompressionParameter.window_log_max: _MOST_WINDOW_LOG}
        )
        return found
    return stream


def decompression_errors() -> tuple[type[Exception], ...]:
    """What reading damaged data raises."""
    errors: tuple[type[Exception], ...] = (zlib.error, gzip.BadGzipFile, EOFError)
    with contextlib.suppress(MissingDependencyException):
        errors += (_zstd().ZstdError,)
    return errors


def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    raise MissingDependencyException(
        "Zstandard archives (.tar.zst) need the package 'backports.zstd', which is not installed. Install "
        "it with: pip install backports.zstd; or use a .tar.gz archive, which needs nothing"
    )
