"""Artifacts: the named slots a service keeps its models in."""

from __future__ import annotations

from .base import BentoServiceArtifact
from .collection import ArtifactCollection

__all__ = ["ArtifactCollection", "BentoServiceArtifact"]
