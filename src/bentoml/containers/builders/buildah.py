"""Buildah, which has Podman's options."""

from __future__ import annotations

import os

from .podman import PodmanBuilder


class BuildahBuilder(PodmanBuilder):
    name = "buildah"

    def environment(self) -> dict[str, str]:
        """Layers are kept for the next build, as the other engines do unasked."""
        return {"BUILDAH_LAYERS": os.environ.get("BUILDAH_LAYERS", "true")}
