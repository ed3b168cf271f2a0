"""The finished image as one tar: an OCI image layout that is a docker archive, too."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from bentoml.exceptions import BentoMLException

from .base_image import BaseLayer
from .descriptors import Descriptor, blob_path, canonical_json, digest_of
from .layer import WrittenLayer
from .media import CONFIG, CONTAINERD_NAME, INDEX, MANIFEST, REF_NAME

_Open = Callable[[], BinaryIO]


class ImageArchive:
    """Collects blobs, then writes them in the order of their names."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[int, _Open]] = {}
        self._manifests: list[Descriptor] = []
        self._docker: dict[str, Any] = {}

    def add_image(
        self,
        config: dict[str, Any],
        layers: list[BaseLayer | WrittenLayer],
        annotations: dict[str, str],
    ) -> Descriptor:
        """Add an image; returns its manifest's descriptor."""
        descriptors = [self._add_layer(layer) for layer in layers]
        config_blob = self._add_json(CONFIG, config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config_blob.to_dict(),
            "layers": [descriptor.to_dict() for descriptor in descriptors],
            "annotations": annotations,
        }
        keys = ("architecture", "os", "variant")
        platform = {"platform": {key: config[key] for key in keys if config.get(key)}}
        added = self._add_json(MANIFEST, manifest, platform)
        self._manifests.append(added)
        self._docker = {"Config": config_blob.blob, "Layers": [descriptor.blob for descriptor in descriptors]}
        return added

    def write(self, path: Path, reference: str) -> str:
        """Write everything to `path` at once, under the name `reference`; returns the image's digest."""
        names = {"annotations": {REF_NAME: reference, CONTAINERD_NAME: reference}}
        if len(self._manifests) == 1:
            top = self._manifests[0]
            self._add("manifest.json", canonical_json([{**self._docker, "RepoTags": [reference]}]))
        else:
            manifests = [one.to_dict() for one in self._manifests]
            top = self._add_json(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
        entry = {**top.to_dict(), **names}
        self._add(
            "index.json", canonical_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
        )
        self._add("oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
        self._write(path)
        return top.digest

    def _add_layer(self, layer: BaseLayer | WrittenLayer) -> Descriptor:
        descriptor = layer.descriptor
        assert descriptor is not None
        opened: _Open = (
            (lambda: layer.file.open("rb"))
            if isinstance(layer, WrittenLayer)
            else (lambda: layer.files.open(layer.name))
        )
        self._blobs[descriptor.blob] = (descriptor.size, opened)
        return descriptor

    def _add_json(self, media_type: str, value: object, extra: dict[str, Any] | None = None) -> Descriptor:
        data = canonical_json(value)
        descriptor = Descriptor(media_type, digest_of(data), len(data), extra or {})
        self._add(blob_path(descriptor.digest), data)
        return descriptor

    def _add(self, name: str, data: bytes) -> None:
        self._blobs[name] = (len(data), lambda: io.BytesIO(data))

    def _write(self, path: Path) -> None:
        try:
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except OSError as err:
            raise BentoMLException(f"The image cannot be written to '{path}': {err}") from err
        try:
            with (
                os.fdopen(handle, "wb") as file,
                tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
            ):
                for name in sorted(self._blobs):
                    size, opened = self._blobs[name]
                    info = tarfile.TarInfo(name)
                    info.size = size
                    with opened() as source:
                        tar.addfile(info, source)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
