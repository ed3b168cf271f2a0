"""Small base images for tests, in every form that tools write, and a reader of what was built."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LIBC = b"\x7fELF GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\nCopyright"
FILES: dict[str, bytes | str] = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": b"root:x:0:\n",
    f"usr/local/bin/python{MINOR}": b"\x7fELF",
    "usr/local/bin/python3": f"-> python{MINOR}",
    "usr/lib/x86_64-linux-gnu/libc.so.6": LIBC,
    "lib": "-> usr/lib",
}


def layer_tar(files: dict[str, bytes | str]) -> bytes:
    """A tar of files; `-> x` is a link, and names are taken as they are."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content.removeprefix("-> ")
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass
class Base:
    """A base image as blobs by name; change them before writing to make it hostile."""

    layers: list[dict[str, bytes | str]] = field(default_factory=lambda: [FILES])
    architecture: str = "amd64"
    config: dict[str, Any] = field(default_factory=dict)
    compressed: bool = True

    def __post_init__(self) -> None:
        self.tars = [layer_tar(files) for files in self.layers]
        self.document = {
            "architecture": self.architecture,
            "os": "linux",
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8"], **self.config},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in self.tars]},
            "history": [{"created_by": "test"}],
        }

    def layout(self) -> dict[str, bytes]:
        """An OCI image layout: name → content."""
        files: dict[str, bytes] = {}

        def blob(kind: str, data: bytes) -> dict[str, Any]:
            files["blobs/" + digest(data).replace(":", "/")] = data
            return {"mediaType": kind, "digest": digest(data), "size": len(data)}

        pack = (lambda tar: gzip.compress(tar, mtime=0)) if self.compressed else (lambda tar: tar)
        kind = f"{LAYER}+gzip" if self.compressed else LAYER
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blob("application/vnd.oci.image.config.v1+json", json.dumps(self.document).encode()),
            "layers": [blob(kind, pack(tar)) for tar in self.tars],
        }
        entry = blob(MANIFEST, json.dumps(manifest).encode())
        files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
        return files

    def docker(self) -> dict[str, bytes]:
        """A docker archive: name → content."""
        config = json.dumps(self.document).encode()
        names = [f"{digest(tar)[7:]}/layer.tar" for tar in self.tars]
        files = dict(zip(names, self.tars, strict=True))
        name = f"{digest(config)[7:]}.json"
        files[name] = config
        files["manifest.json"] = json.dumps([{"Config": name, "RepoTags": [], "Layers": names}]).encode()
        return files


def write_tar(files: dict[str, bytes | str], path: Path) -> Path:
    path.write_bytes(layer_tar(files))
    return path


def write_directory(files: dict[str, bytes], path: Path) -> Path:
    for name, data in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


class Built:
    """An image that was written: its parts, checked against their digests while they are read."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path) as archive:
            self.members = archive.getmembers()
            self.blobs = {
                member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
                for member in self.members
            }
        self.index = json.loads(self.blobs["index.json"])

    def blob(self, descriptor: dict[str, Any]) -> bytes:
        data = self.blobs["blobs/" + descriptor["digest"].replace(":", "/")]
        assert digest(data) == descriptor["digest"] and len(data) == descriptor["size"]
        return data

    def manifest(self, number: int = 0) -> dict[str, Any]:
        top = self.index["manifests"][0]
        if top["mediaType"] != MANIFEST:
            top = json.loads(self.blob(top))["manifests"][number]
        return dict(json.loads(self.blob(top)))

    def config(self, number: int = 0) -> dict[str, Any]:
        return dict(json.loads(self.blob(self.manifest(number)["config"])))

    def layer(self, position: int, number: int = 0) -> tarfile.TarFile:
        tar = gzip.decompress(self.blob(self.manifest(number)["layers"][position]))
        assert digest(tar) == self.config(number)["rootfs"]["diff_ids"][position]
        return tarfile.open(fileobj=io.BytesIO(tar))
