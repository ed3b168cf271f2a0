"""Exported archives taken apart, changed and put together again."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bentoml.bundle.compression import compressing, compression_of, decompressed
from bentoml.bundle.layout import EXPORT_FILE

Files = dict[str, bytes]


def read(archive: Path) -> Files:
    """The files of an archive by name, in their order."""
    with archive.open("rb") as stream, tarfile.open(fileobj=decompressed(stream), mode="r|") as tar:
        files = {}
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            files[member.name] = content.read()
        return files


def write(archive: Path, files: Files, *more: tarfile.TarInfo) -> Path:
    """Pack files, and further entries without content."""
    with (
        archive.open("wb") as stream,
        compressing(stream, compression_of(archive.name)) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(info, io.BytesIO(content))
        for info in more:
            tar.addfile(info, io.BytesIO(b"\0" * info.size) if info.isreg() else None)
    return archive


def listed(files: Files) -> Any:
    return json.loads(files[EXPORT_FILE])


def relisted(files: Files, change: Callable[[Any], None]) -> Files:
    """With another list of contents."""
    document = listed(files)
    change(document)
    return {**files, EXPORT_FILE: json.dumps(document).encode()}


def tree(path: Path) -> dict[str, bytes | None]:
    """Everything below a directory but what SQLite and locks leave there."""
    return {
        entry.relative_to(path).as_posix(): entry.read_bytes() if entry.is_file() else None
        for entry in sorted(path.rglob("*"))
        if not entry.name.startswith("storage.db") and entry.suffix != ".lock"
    }
