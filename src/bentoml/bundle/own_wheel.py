"""The wheel of this library that every bundle carries and installs itself from.

An installed library is reassembled from the files its RECORD lists; a checkout is built from its
source tree and `pyproject.toml`. Either way the same files give the same bytes: members are sorted
and carry one fixed date.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import importlib.metadata
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bentoml import __version__
from bentoml.exceptions import MissingDependencyException

NAME = "bentoml"
_DIST_INFO = f"{NAME}-{__version__}.dist-info"
_DATE = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


def wheel_name() -> str:
    """File name of the wheel; it is pure Python."""
    return f"{NAME}-{__version__}-py3-none-any.whl"


def build_own_wheel() -> bytes:
    """The whole wheel as bytes, the same for the same files.

    Raises:
        MissingDependencyException: run from a bare checkout on a Python that cannot read its
            pyproject.toml.
    """
    package = Path(__file__).resolve().parents[1]
    distribution = _installed_distribution(package)
    metadata = _installed_metadata(distribution) if distribution else _checkout_metadata(package)
    members = {**_package_files(package), **metadata}
    members[f"{_DIST_INFO}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: {NAME} ({__version__})\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ).encode()
    return zip_wheel(members, _DIST_INFO)


def zip_wheel(members: Mapping[str, bytes], dist_info: str) -> bytes:
    """Pack files into a wheel with its RECORD, sorted, dated 1980."""
    record = f"{dist_info}/RECORD"
    ordered = sorted(members)
    lines = [f"{name},{_record_hash(members[name])},{len(members[name])}\n" for name in ordered]
    content = {**members, record: "".join([*lines, f"{record},,\n"]).encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (*ordered, record):
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, wherever it is built
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content[name])
    return buffer.getvalue()


def _record_hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"


def _package_files(package: Path) -> dict[str, bytes]:
    """Everything in the package's folder except byte code and hidden files."""
    found: dict[str, bytes] = {}
    for file in sorted(package.rglob("*")):
        relative = file.relative_to(package.parent)
        hidden = any(part == "__pycache__" or part.startswith(".") for part in relative.parts)
        if file.is_file() and not hidden and file.suffix not in (".pyc", ".pyo"):
            found[relative.as_posix()] = file.read_bytes()
    return found


def _installed_distribution(package: Path) -> importlib.metadata.Distribution | None:
    """The distribution that installed `package` as files; None for an editable install or checkout."""
    try:
        distribution = importlib.metadata.distribution(NAME)
    except importlib.metadata.PackageNotFoundError:
        return None
    direct = json.loads(distribution.read_text("direct_url.json") or "{}")
    is_editable = direct.get("dir_info", {}).get("editable", False)
    location = Path(str(distribution.locate_file(NAME))).resolve()
    has_record = distribution.read_text("RECORD") is not None
    return distribution if has_record and not is_editable and location == package else None


def _installed_metadata(distribution: importlib.metadata.Distribution) -> dict[str, bytes]:
    """The `.dist-info` files as they were in the wheel that was installed."""
    found: dict[str, bytes] = {}
    for file in distribution.files or ():
        parts = file.parts
        in_dist_info = len(parts) > 1 and parts[0].endswith(".dist-info")
        if in_dist_info and parts[1] not in _LEFT_OUT and parts[1] != "WHEEL":
            name = "/".join([_DIST_INFO, *parts[1:]])
            found[name] = Path(str(distribution.locate_file(file))).read_bytes()
    return found


def _checkout_metadata(package: Path) -> dict[str, bytes]:
    project_file = package.parents[1] / "pyproject.toml"
    if project_file.is_file():
        project = _load_toml(project_file)["project"]
        metadata, entry_points = _metadata_of_project(project), _entry_points_of_project(project)
        return {
            f"{_DIST_INFO}/METADATA": metadata.encode(),
            f"{_DIST_INFO}/entry_points.txt": entry_points.encode(),
        }
    raise MissingDependencyException(
        f"The library in '{package}' is neither installed nor a checkout with a pyproject.toml, so its wheel "
        "cannot be made. Install it with pip."
    )


def _load_toml(path: Path) -> dict[str, Any]:
    for module_name in ("tomllib", "tomli", "pip._vendor.tomli"):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError:
            continue
        document: dict[str, Any] = module.loads(path.read_text("utf-8"))
        return document
    raise MissingDependencyException(
        f"Reading '{path}' on this Python needs the package 'tomli'. Install it with: pip install tomli"
    )


def _metadata_of_project(project: dict[str, Any]) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {NAME}", f"Version: {__version__}"]
    lines += [f"Summary: {project['description']}"] if project.get("description") else []
    lines += [f"License: {project['license']}"] if isinstance(project.get("license"), str) else []
    lines += [f"Requires-Python: {project['requires-python']}"] if project.get("requires-python") else []
    lines += [f"Requires-Dist: {text}" for text in project.get("dependencies", ())]
    for extra, requirements in sorted(project.get("optional-dependencies", {}).items()):
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {_with_extra(text, extra)}" for text in requirements]
    return "\n".join(lines) + "\n"


def _with_extra(requirement: str, extra: str) -> str:
    """The requirement limited to one extra, with a marker it may have already."""
    name, semicolon, marker = requirement.partition(";")
    condition = f"({marker.strip()}) and extra == '{extra}'" if semicolon else f"extra == '{extra}'"
    return f"{name.strip()} ; {condition}"


def _entry_points_of_project(project: dict[str, Any]) -> str:
    groups = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    blocks = []
    for group, points in sorted(groups.items()):
        rows = "\n".join(f"{name} = {target}" for name, target in sorted(points.items()))
        blocks.append(f"[{group}]\n{rows}\n")
    return "\n".join(blocks)
