"""Buildah, which has Podman's options."""

from __future__ import annotations

from .podman import PodmanBuilder


class BuildahBuilder(PodmanBuilder):
    name = "buildah"
