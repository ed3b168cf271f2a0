"""Copying large files once: as a clone where the file system shares blocks, else inside the kernel.

A clone (Btrfs, XFS, bcachefs, some network file systems) takes no time and no space, and each of the
two files can change without the other. Hard links would not do for a user's own files: whoever edits
theirs in place would change a saved bundle.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import BinaryIO

from bentoml.observability.progress import Advance, progress_bar

_FICLONE = 0x40049409  # <linux/fs.h>
_PIECE_BYTES = 64 << 20
_BAR_FROM_BYTES = 256 << 20


def copy_file(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> str:
    """Copy a file's content, not its permissions, as `shutil.copyfile` does; returns `target`."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        copy_content(reader, writer, Path(source).name)
    return os.fspath(target)


def copy_content(reader: BinaryIO, writer: BinaryIO, name: str) -> None:
    """All of an open file into an empty one; `name` is what a progress bar calls it."""
    if clone(reader, writer):
        return
    size = os.fstat(reader.fileno()).st_size
    bar = progress_bar(f"Copying {name}", size) if size >= _BAR_FROM_BYTES else None
    with bar or contextlib.nullcontext(lambda _more: None) as advance:
        if not _copy_in_kernel(reader, writer, advance):
            while piece := reader.read(1 << 20):
                writer.write(piece)
                advance(len(piece))


def clone(reader: BinaryIO, writer: BinaryIO) -> bool:
    """Let an empty file share the blocks of another; False where that cannot be done."""
    if not sys.platform.startswith("linux"):
        return False
    import fcntl  # noqa: PLC0415 - exists on POSIX only

    try:
        fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
    except OSError:
        return False
    return True


def copy_tree(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Copy a directory into one that may be there already, file by file as `copy_file` does."""
    shutil.copytree(source, target, copy_function=copy_file, dirs_exist_ok=True)


def _copy_in_kernel(reader: BinaryIO, writer: BinaryIO, advance: Advance) -> bool:
    """False if nothing was copied because these two file systems cannot do that."""
    if not hasattr(os, "copy_file_range"):
        return False
    done = 0
    while True:
        try:
            count = os.copy_file_range(reader.fileno(), writer.fileno(), _PIECE_BYTES)
        except OSError:
            if done:
                raise
            return False
        if not count:
            return done > 0 or os.fstat(reader.fileno()).st_size == 0
        done += count
        advance(count)
