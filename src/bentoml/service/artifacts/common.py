"""The artifacts that need no framework, under the import path users know."""

from __future__ import annotations

from .json_file import JSONArtifact
from .pickle import PickleArtifact
from .text_file import TextFileArtifact

__all__ = ["JSONArtifact", "PickleArtifact", "TextFileArtifact"]
