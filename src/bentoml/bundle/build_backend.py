"""Builds a wheel out of the bundle this file lies in, for `pip install <bundle>`. Needs only Python.

The wheel holds the service's package with its artifacts. It requires the library from the wheel
inside the bundle, by path and digest, because the name on package indexes is another product line.
The bundle's folder is not written to, and every file is compared with the bundle's manifest.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import zipfile
from typing import Any
from urllib.request import pathname2url

ROOT = os.path.dirname(os.path.abspath(__file__))
_DATE = (1980, 1, 1, 0, 0, 0)
_STORE_ABOVE_BYTES = 1 << 20
_REQUIREMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\]\s*)?($|[=<>!~;@(])")


def build_wheel(
    wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None
) -> str:
    """PEP 517: write the wheel into `wheel_directory` and return its file name."""
    project = load_project()
    filename = f"{project['wheel_name']}-{project['pep440_version']}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, filename), "w", allowZip64=True) as archive:
        _Wheel(archive, project).write()
    return filename


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Any = None) -> str:
    """PEP 517: the wheel's metadata alone, without copying the artifacts."""
    project = load_project()
    name = _dist_info(project)
    os.makedirs(os.path.join(metadata_directory, name))
    for member, text in _metadata_members(project).items():
        with open(os.path.join(metadata_directory, member), "w", encoding="utf-8") as file:
            file.write(text)
    return name


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """A bundle is its own source; an archive of it would lose the path of the library's wheel."""
    raise SystemExit("Build a wheel instead: python -m build --wheel, or pip wheel .")


def load_project() -> dict[str, str]:
    """Names and versions, as the bundle was saved with."""
    with open(os.path.join(ROOT, "bundle-package.json"), encoding="utf-8") as file:
        project: dict[str, str] = json.load(file)
    return project


def requirements(project: dict[str, str]) -> list[str]:
    """The library by path and digest, then the requirement lines; pip options cannot stand here."""
    wheel = os.path.join(ROOT, "bundled_pip_dependencies", project["library_wheel"])
    if not os.path.isfile(wheel):
        raise SystemExit(f"The bundle lacks '{wheel}'; get an intact copy")
    url = "file:///" + pathname2url(wheel).lstrip("/")
    found = [f"bentoml @ {url}#sha256={project['library_sha256']}"]
    with open(os.path.join(ROOT, "requirements.txt"), encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        line = re.split(r"\s--", line)[0].strip()
        name = re.split(r"[^A-Za-z0-9._-]", line)[0]
        if _REQUIREMENT.match(line) and re.sub(r"[-_.]+", "-", name).lower() != "bentoml":
            found.append(line)
    return found


def _dist_info(project: dict[str, str]) -> str:
    return f"{project['wheel_name']}-{project['pep440_version']}.dist-info"


def _metadata_members(project: dict[str, str]) -> dict[str, str]:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['distribution']}",
        f"Version: {project['pep440_version']}",
        f"Summary: BentoService {project['name']}:{project['version']}",
        f"Requires-Python: {project['requires_python']}",
        "Description-Content-Type: text/markdown",
        *(f"Requires-Dist: {text}" for text in requirements(project)),
    ]
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        readme = file.read()
    name = _dist_info(project)
    return {
        f"{name}/METADATA": "\n".join(lines) + "\n\n" + readme,
        f"{name}/entry_points.txt": "[console_scripts]\n{0} = {0}:cli\n".format(project["name"]),
        f"{name}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: bentoml bundle\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        f"{name}/top_level.txt": project["name"] + "\n",
    }


class _Wheel:
    """Writes members and keeps their RECORD lines."""

    def __init__(self, archive: zipfile.ZipFile, project: dict[str, str]) -> None:
        self.archive = archive
        self.project = project
        self.record: list[str] = []
        with open(os.path.join(ROOT, "bundle-manifest.json"), encoding="utf-8") as file:
            self.files: dict[str, dict[str, Any]] = json.load(file)["files"]

    def write(self) -> None:
        prefix = self.project["name"] + "/"
        inner = {path[len(prefix) :]: row for path, row in self.files.items() if path.startswith(prefix)}
        for path in sorted(inner):
            self._add_file(prefix + path)
        self._add_text(prefix + "bundle-manifest.json", _manifest_text(inner))
        signature = os.path.join(ROOT, "bundle-signature.json")
        if os.path.isfile(signature) and not os.path.islink(signature):
            with open(signature, encoding="utf-8") as file:
                self._add_text(prefix + "bundle-signature.json", file.read())
        for member, text in _metadata_members(self.project).items():
            self._add_text(member, text)
        record = _dist_info(self.project) + "/RECORD"
        self.archive.writestr(_info(record), "\n".join([*self.record, record + ",,", ""]))

    def _add_file(self, path: str) -> None:
        source = os.path.join(ROOT, *path.split("/"))
        if os.path.islink(source):
            raise SystemExit(f"'{path}' in the bundle is a link; links are refused")
        size = os.path.getsize(source)
        info = _info(path, zipfile.ZIP_STORED if size > _STORE_ABOVE_BYTES else zipfile.ZIP_DEFLATED)
        info.file_size = size
        digest = hashlib.sha256()
        with open(source, "rb") as file, self.archive.open(info, "w") as member:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
                member.write(chunk)
        if digest.hexdigest() != self.files[path]["sha256"]:
            raise SystemExit(f"'{path}' in the bundle was changed after saving")
        self._note(path, digest.digest(), size)

    def _add_text(self, name: str, text: str) -> None:
        data = text.encode("utf-8")
        self.archive.writestr(_info(name), data)
        self._note(name, hashlib.sha256(data).digest(), len(data))

    def _note(self, name: str, digest: bytes, size: int) -> None:
        encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        shown = '"{}"'.format(name.replace('"', '""')) if "," in name or '"' in name else name
        self.record.append(f"{shown},sha256={encoded},{size}")


def _manifest_text(files: dict[str, dict[str, Any]]) -> str:
    """The package's own manifest, in the form `bentoml.bundle.manifest` reads."""
    lines = (f"{name}\0{row['size']}\0{row['sha256']}\x000\n" for name, row in sorted(files.items()))
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    rows = {name: {"size": row["size"], "sha256": row["sha256"]} for name, row in sorted(files.items())}
    return json.dumps({"format": 1, "digest": digest, "files": rows}, indent=1) + "\n"


def _info(name: str, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = method
    info.external_attr = 0o100644 << 16
    return info
