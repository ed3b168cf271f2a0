"""The user that the server runs as, added to the base image's accounts."""

from __future__ import annotations

from bentoml.exceptions import InvalidArgument

from .config import HOME, USER
from .rootfs import RootFiles
from .tree import Node


def user_nodes(root: RootFiles, uid: int, gid: int) -> list[Node]:
    """`/etc/passwd` and `/etc/group` with one more line each.

    Raises:
        InvalidArgument: the base image has such a user already.
    """
    lines = {
        "etc/passwd": f"{USER}:x:{uid}:{gid}::/{HOME}:/bin/sh\n",
        "etc/group": f"{USER}:x:{gid}:\n",
    }
    nodes = []
    for name, line in lines.items():
        text = root.text(name)
        if any(row.startswith(f"{USER}:") for row in text.splitlines()):
            raise InvalidArgument(f"The base image has a user or group '{USER}' already; take another base")
        text += "" if not text or text.endswith("\n") else "\n"
        path = root.resolve(name) or name
        nodes.append(Node(path, 0o644, data=(text + line).encode("utf-8", "surrogateescape")))
    return nodes
