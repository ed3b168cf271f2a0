"""A filled virtual environment as files for an image: what does not travel is left out.

Left out are links to this machine's Python, where packages were installed from and when, and byte
code. Scripts start with the image's Python instead of this machine's, and RECORD lists what is there.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import posixpath
import re
from pathlib import Path

from bentoml.exceptions import BentoMLException

from .image_python import Target
from .tree import Node

VENV = "opt/bentoml"

_LEFT_OUT = frozenset({"direct_url.json", "uv_cache.json", "REQUESTED"})
_INTERPRETER = re.compile(rb"\A#![^\n]*python[0-9.]*(?P<rest>[ \t][^\n]*)?\n")
_LONG_INTERPRETER = re.compile(rb"\A#!/bin/sh\n'''exec' [^\n]*\n' '''\n")


def environment_nodes(environment: Path, own_files: set[str], target: Target, wheel: Path) -> dict[str, Node]:
    """Path in the image → node for everything that was installed, and for the environment itself.

    Args:
        own_files: of the environment, not of a package.
        wheel: the library's, which must be where the library came from.

    Raises:
        BentoMLException: it came from somewhere else.
    """
    packages = _site_packages(environment)
    _check_library(packages, wheel)
    nodes: dict[str, Node] = {}
    for file in sorted(environment.rglob("*")):
        relative = file.relative_to(environment).as_posix()
        if relative in own_files or not file.is_file() or not _travels(file, environment):
            continue
        path = posixpath.join(VENV, _moved(relative, packages.relative_to(environment), target))
        mode = 0o755 if os.access(file, os.X_OK) else 0o644
        is_script = relative.startswith("bin/")
        nodes[path] = Node(path, mode, data=_script(file) if is_script else file)
    for record in [node for node in nodes.values() if posixpath.basename(node.path) == "RECORD"]:
        if posixpath.dirname(record.path).endswith(".dist-info"):
            nodes[record.path] = Node(record.path, record.mode, data=_record(record, nodes, target))
    return {**nodes, **_environment_itself(target)}


def site_packages_in_image(target: Target) -> str:
    return f"{VENV}/lib/python{target.minor}/site-packages"


def _site_packages(environment: Path) -> Path:
    [found] = [path for path in (environment / "lib").glob("python3*/site-packages") if path.is_dir()]
    return found


def _travels(file: Path, environment: Path) -> bool:
    parts = file.relative_to(environment).parts
    in_info = len(parts) > 1 and parts[-2].endswith(".dist-info")
    return (
        "__pycache__" not in parts
        and file.suffix not in (".pyc", ".pyo")
        and parts[0] not in ("lib64", ".lock")
        and not (in_info and file.name in _LEFT_OUT)
    )


def _moved(relative: str, packages: Path, target: Target) -> str:
    """`lib/python3.12/…` of this machine → `lib/python3.11/…` of the image."""
    return relative.replace(packages.parent.as_posix(), f"lib/python{target.minor}", 1)


def _script(file: Path) -> bytes | Path:
    data = file.read_bytes()
    start = f"#!/{VENV}/bin/python".encode()
    for pattern in (_LONG_INTERPRETER, _INTERPRETER):
        if found := pattern.match(data):
            rest = found.groupdict().get("rest") or b""
            return start + rest + b"\n" + data[found.end() :]
    return file


def _record(record: Node, nodes: dict[str, Node], target: Target) -> bytes:
    """The rows of files that are there, digests of rewritten scripts renewed, sorted."""
    assert isinstance(record.data, Path)
    place = site_packages_in_image(target)
    rows = []
    for row in csv.reader(io.StringIO(record.data.read_text("utf-8"))):
        if not row:
            continue
        path = posixpath.normpath(posixpath.join(place, row[0]))
        node = nodes.get(path)
        if path == record.path:
            rows.append([row[0], "", ""])
        elif node is not None and isinstance(node.data, bytes):
            digest = base64.urlsafe_b64encode(hashlib.sha256(node.data).digest()).rstrip(b"=").decode()
            rows.append([row[0], f"sha256={digest}", str(len(node.data))])
        elif node is not None:
            rows.append(row)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(sorted(rows))
    return text.getvalue().encode()


def _environment_itself(target: Target) -> dict[str, Node]:
    home = posixpath.dirname(target.python)
    config = f"home = {home}\ninclude-system-site-packages = true\nversion = {target.minor}\n"
    links = {"python": target.python, "python3": "python", f"python{target.minor}": "python"}
    nodes = [Node(f"{VENV}/bin/{name}", 0o777, target=link) for name, link in links.items()]
    nodes.append(Node(f"{VENV}/pyvenv.cfg", data=config.encode()))
    return {node.path: node for node in nodes}


def _check_library(packages: Path, wheel: Path) -> None:
    """The library must be the bundle's own wheel, whatever an index offered."""
    places = [file.read_text("utf-8") for file in packages.glob("bentoml-*.dist-info/direct_url.json")]
    if len(places) != 1 or wheel.name not in places[0]:
        raise BentoMLException(
            f"The packages for the image have a bentoml that is not the bundle's own wheel '{wheel.name}'"
        )
