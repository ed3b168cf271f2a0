"""Wheels without a package index: those of installed packages, put together again, and small made-up ones."""

from __future__ import annotations

import http.server
import importlib.metadata
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bentoml.bundle.own_wheel import zip_wheel

_LEFT_OUT = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}


def needed_distributions(names: Iterable[str]) -> list[importlib.metadata.Distribution]:
    """The installed distributions with these names and everything that they require here."""
    pending, found = [Requirement(name) for name in names], {}
    while pending:
        requirement = pending.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in found:
            continue
        distribution = found[key] = importlib.metadata.distribution(requirement.name)
        for text in distribution.requires or ():
            inner = Requirement(text)
            extras = requirement.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                pending.append(inner)
    unique = {canonicalize_name(d.metadata["Name"]): d for d in found.values()}
    return [unique[name] for name in sorted(unique) if name != "bentoml"]


def rebuild_wheel(distribution: importlib.metadata.Distribution, folder: Path) -> Path:
    """The wheel an installed distribution came from, without its scripts."""
    name = distribution.metadata["Name"].replace("-", "_").replace(".", "_")
    info = f"{name}-{distribution.version}.dist-info"
    members = {}
    for file in distribution.files or ():
        if ".." in file.parts or file.suffix == ".pyc" or file.is_absolute():
            continue
        inner = file.parts[1:] if file.parts[0].endswith(".dist-info") else None
        if inner is not None and inner[0] in _LEFT_OUT:
            continue
        member = "/".join([info, *inner]) if inner is not None else file.as_posix()
        members[member] = Path(str(distribution.locate_file(file))).read_bytes()
    tags = [
        line.partition(": ")[2]
        for line in (distribution.read_text("WHEEL") or "Tag: py3-none-any").splitlines()
        if line.startswith("Tag: ")
    ]
    pythons, abis, platforms = ({tag.split("-")[part] for tag in tags} for part in range(3))
    tag = "-".join(".".join(sorted(part)) for part in (pythons, abis, platforms))
    target = folder / f"{name}-{distribution.version}-{tag}.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # deflating 300 MB takes minutes
        for member, data in members.items():
            archive.writestr(member, data)
        record = "".join(f"{member},,\n" for member in (*members, f"{info}/RECORD"))
        archive.writestr(f"{info}/RECORD", record)
    return target


def made_up_wheel(
    folder: Path, name: str, version: str, requires: Iterable[str] = (), **modules: str
) -> Path:
    """A wheel that holds nothing but what is given."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {text}" for text in requires]
    members = {f"{module}.py": text.encode() for module, text in modules.items()}
    members[f"{info}/METADATA"] = ("\n".join(metadata) + "\n").encode()
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    target = folder / f"{info.removesuffix('.dist-info')}-py3-none-any.whl"
    target.write_bytes(zip_wheel(members, info))
    return target


class Index:
    """A package index on loopback; `asked` are the paths that were requested."""

    def __init__(self, url: str, asked: list[str]) -> None:
        self.url = url
        self.asked = asked

    def environment(self) -> dict[str, str]:
        """Variables that make this the only index of pip and uv."""
        return {
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": self.url,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_COMPILE": "1",
            "UV_DEFAULT_INDEX": self.url,
            "UV_NO_CONFIG": "1",
        }

    def asked_for(self, name: str) -> bool:
        return any(f"/{name}" in path.lower() for path in self.asked)


@contextmanager
def package_index(wheels: Path, folder: Path) -> Iterator[Index]:
    """Serve the wheels of a directory in the form of PEP 503."""
    by_name: dict[str, list[Path]] = {}
    for wheel in wheels.glob("*.whl"):
        by_name.setdefault(canonicalize_name(wheel.name.split("-")[0]), []).append(wheel)
    for name, files in by_name.items():
        page = folder / "simple" / name / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text("".join(f'<a href="{file.name}">{file.name}</a>\n' for file in files))
        for file in files:
            (page.parent / file.name).symlink_to(file)
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            asked.append(self.path)

        def copyfile(self, source: Any, outputfile: Any) -> None:
            with suppress(ConnectionError):  # pip and uv read a part of a wheel and hang up
                super().copyfile(source, outputfile)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Index(f"http://127.0.0.1:{server.server_address[1]}/simple/", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
