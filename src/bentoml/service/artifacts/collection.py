"""The artifacts of one service: attribute access gives the model, item access the wrapper."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from os import PathLike, fspath
from typing import Any

from bentoml.exceptions import InvalidArgument

from .base import BentoServiceArtifact
from .metadata import file_stem

logger = logging.getLogger("bentoml.service")


class ArtifactCollection(dict[str, BentoServiceArtifact]):
    """Artifacts by name.

    `artifacts.model` is what was packed; `artifacts["model"]` and `artifacts.get("model")` are the
    `BentoServiceArtifact` around it.
    """

    service_name: str = ""

    @classmethod
    def fresh(cls, declared: Iterable[BentoServiceArtifact], service_name: str = "") -> ArtifactCollection:
        """Empty copies of the declared artifacts, owned by one service instance."""
        collection = cls()
        collection.service_name = service_name
        for artifact in declared:
            collection.add(artifact.fresh_copy())
        return collection

    def __setitem__(self, key: str, artifact: BentoServiceArtifact) -> None:
        if not isinstance(artifact, BentoServiceArtifact):
            raise InvalidArgument(f"Only a BentoServiceArtifact can be added, not {artifact!r}")
        if key != artifact.name:
            raise InvalidArgument(
                f"Artifact '{artifact.name}' must be stored under its own name, not under '{key}'"
            )
        super().__setitem__(key, artifact)

    def __getattr__(self, name: str) -> Any:
        artifact = self.get(name) if not name.startswith("__") else None
        if artifact is None:
            raise AttributeError(self._unknown(name))
        return artifact.get()

    def add(self, artifact: BentoServiceArtifact) -> None:
        self[artifact.name] = artifact

    def require(self, name: str) -> BentoServiceArtifact:
        """The artifact `name`. Raises `KeyError` with the declared names."""
        if name not in self:
            raise KeyError(self._unknown(name))
        return self[name]

    def get_artifact_list(self) -> list[BentoServiceArtifact]:
        return list(self.values())

    def save(self, dst: str | PathLike[str]) -> None:
        """Write every artifact that has an object into the directory `dst`; others give a warning."""
        for artifact in self.values():
            if artifact.is_ready:
                artifact.save(fspath(dst))
            else:
                logger.warning("Skip saving empty artifact, %s('%s')", type(artifact).__name__, artifact.name)

    def load_all(self, path: str | PathLike[str]) -> None:
        """Load every artifact from the directory `path`."""
        for artifact in self.values():
            artifact.load(fspath(path))

    def _unknown(self, name: str) -> str:
        owner = f" of service '{self.service_name}'" if self.service_name else ""
        close = get_close_matches(name, self, n=1) if isinstance(name, str) else []
        hint = f" Did you mean '{close[0]}'?" if close else ""
        known = ", ".join(self) or "none; declare them with @bentoml.artifacts([...])"
        return f"No artifact named {name!r}{owner}.{hint} Declared: {known}"


def check_declared(declared: Sequence[BentoServiceArtifact]) -> tuple[BentoServiceArtifact, ...]:
    """What `@artifacts` was given, as a tuple. Raises `InvalidArgument`."""
    if isinstance(declared, BentoServiceArtifact) or not isinstance(declared, (list, tuple)):
        raise InvalidArgument(
            "@bentoml.artifacts takes a list, as in @bentoml.artifacts([PickleArtifact('model')]), "
            f"not {declared!r}"
        )
    for artifact in declared:
        if not isinstance(artifact, BentoServiceArtifact):
            raise InvalidArgument(
                "@bentoml.artifacts takes instances of artifact classes, such as "
                f"PickleArtifact('model'), not {artifact!r}"
            )
    names = [artifact.name for artifact in declared]
    files: dict[str, str] = {}
    for name in names:
        if names.count(name) > 1:
            raise InvalidArgument(
                f"Duplicated artifact name '{name}' detected; give each artifact its own name"
            )
        if files.setdefault(file_stem(name), name) != name:
            raise InvalidArgument(
                f"Artifacts '{files[file_stem(name)]}' and '{name}' would write the same files; "
                "give one of them another name"
            )
    return tuple(declared)
