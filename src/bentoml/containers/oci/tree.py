"""Files for a layer: each with its path, owner and mode in the image."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .rootfs import RootFiles


@dataclass(frozen=True, slots=True)
class Node:
    """One entry. `data` is a file's content or where it lies; a link has a `target`, a directory neither."""

    path: str
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    data: bytes | Path | None = None
    target: str = ""

    @property
    def is_directory(self) -> bool:
        return self.data is None and not self.target


def directory(path: str, owner: tuple[int, int] = (0, 0)) -> Node:
    return Node(path, 0o755, owner)


def with_parents(nodes: Iterable[Node], root: RootFiles, owned: Iterable[Node] = ()) -> list[Node]:
    """Sorted, with every directory that the base image does not have yet.

    Directories below one of `owned` belong to its owner, others to root.
    """
    known = {node.path: node for node in (*owned, *nodes)}
    owners = {node.path: node.owner for node in owned}
    for path in list(known):
        for parent in _parents(path):
            if parent not in known and root.resolve(parent) is None:
                owner = next((owners[one] for one in (parent, *_parents(parent)) if one in owners), (0, 0))
                known[parent] = directory(parent, owner)
    return [known[path] for path in sorted(known)]


def _parents(path: str) -> Iterator[str]:
    """Nearest first."""
    while path := posixpath.dirname(path):
        yield path
