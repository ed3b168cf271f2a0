"""Names of the OCI image format, and which of Docker's mean the same."""

from __future__ import annotations

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"

_DOCKER = {
    "application/vnd.docker.distribution.manifest.v2+json": MANIFEST,
    "application/vnd.docker.distribution.manifest.list.v2+json": INDEX,
    "application/vnd.docker.container.image.v1+json": CONFIG,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{LAYER}+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": f"{LAYER}+zstd",
}
_LAYERS = (LAYER, f"{LAYER}+gzip", f"{LAYER}+zstd")


def oci_type(media_type: str) -> str:
    """The OCI name of a media type; a foreign one is returned as it is."""
    return _DOCKER.get(media_type, media_type)


def is_layer(media_type: str) -> bool:
    return oci_type(media_type) in _LAYERS
