"""The contract every artifact fulfils, built in or written by a user.

A subclass writes `pack`, `load`, `save` and `get` for its kind of model and nothing else. What all
kinds share (state, metadata, the errors for using an empty slot) is put around those four methods
once, when the subclass is defined.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import ArtifactLoadingException, BentoMLException, FailedPrecondition

from .metadata import plain_metadata, read_metadata, write_metadata

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv

logger = logging.getLogger("bentoml.service")


class BentoServiceArtifact:
    """A named slot for a model.

    Constructor arguments are remembered: every service instance makes its own empty copy of a
    declared artifact with them, so a constructor must be cheap and free of effects.

    Args:
        name: a Python identifier; the prefix of every file the artifact writes.
    """

    _packed: bool
    _loaded: bool
    _metadata: dict[str, Any]
    _running: set[str]
    _constructor: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> BentoServiceArtifact:
        artifact = super().__new__(cls)
        artifact._packed = artifact._loaded = False
        artifact._metadata = {}
        artifact._running = set()
        artifact._constructor = (args, kwargs)
        return artifact

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(
                f"Artifact name must be a valid python identifier, such as 'model', not {name!r}"
            )
        self._name = name

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for method, wrap in _WRAPPERS.items():
            if method in vars(cls):
                setattr(cls, method, wrap(vars(cls)[method]))

    @property
    def name(self) -> str:
        return self._name

    @property
    def packed(self) -> bool:
        return self._packed

    @property
    def loaded(self) -> bool:
        return self._loaded

    @property
    def is_ready(self) -> bool:
        """Whether there is an object to get or to save."""
        return self._packed or self._loaded

    @property
    def metadata(self) -> dict[str, Any]:
        """Plain data about the model, from `pack(..., metadata={...})` or the bundle."""
        return self._metadata

    def pack(self, *args: Any, **kwargs: Any) -> Any:
        """Take the in-memory object and return self: `def pack(self, model, metadata=None)`."""
        raise self._incomplete("pack")

    def load(self, path: str) -> Any:
        """Read the object from the artifacts directory `path`; ends with `return self.pack(obj)`."""
        raise self._incomplete("load")

    def save(self, dst: str) -> None:
        """Write the object to the artifacts directory `dst`, in files whose names start with `name`."""
        raise self._incomplete("save")

    def get(self) -> Any:
        """The object itself, as user code wants it; called at every access, so keep it."""
        raise self._incomplete("get")

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        """Add what loading needs to `env`."""

    def fresh_copy(self) -> BentoServiceArtifact:
        """An empty artifact made with the same constructor arguments."""
        args, kwargs = self._constructor
        return type(self)(*args, **kwargs)

    def _incomplete(self, method: str) -> BentoMLException:
        return BentoMLException(
            f"Artifact class {type(self).__name__} does not define {method}(); an artifact needs "
            "pack, load, save and get"
        )

    @contextmanager
    def _outermost(self, method: str) -> Iterator[bool]:
        """True unless this very method is already running on this artifact (a call of `super()`)."""
        if method in self._running:
            yield False
            return
        self._running.add(method)
        try:
            yield True
        finally:
            self._running.discard(method)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__dict__.get('_name')!r})"


Method = Callable[..., Any]


def _wrap_pack(method: Method) -> Method:
    @functools.wraps(method)
    def pack(self: BentoServiceArtifact, *args: Any, **kwargs: Any) -> Any:
        with self._outermost("pack") as outermost:
            if not outermost:
                return method(self, *args, **kwargs)
            if self._packed:
                logger.warning(
                    "`pack` an artifact multiple times may lead to unexpected behaviors (artifact '%s')",
                    self.name,
                )
            metadata = kwargs.get("metadata")
            if metadata is not None:
                self._metadata = plain_metadata(metadata, self.name)
            result = method(self, *args, **kwargs)
            self._packed = True
            return result

    return pack


def _wrap_load(method: Method) -> Method:
    @functools.wraps(method)
    def load(self: BentoServiceArtifact, path: Any, *args: Any, **kwargs: Any) -> Any:
        with self._outermost("load") as outermost:
            if not outermost:
                return method(self, path, *args, **kwargs)
            if self.is_ready:
                logger.warning("Artifact '%s' already has an object; `load` replaces it", self.name)
                self._packed = False
            found = read_metadata(Path(path), self.name)
            if found is not None:
                self._metadata = found
            try:
                result = method(self, path, *args, **kwargs)
            except BentoMLException:
                raise
            except FileNotFoundError as err:
                raise ArtifactLoadingException(
                    f"{self!r} has no file '{Path(err.filename or path).name}' in '{path}'. It was not "
                    "packed when the bundle was saved, or was saved by another kind of artifact"
                ) from err
            except Exception as err:
                raise ArtifactLoadingException(
                    f"{self!r} cannot be loaded from '{path}': {type(err).__name__}: {err}. The bundle may "
                    "have been written with other package versions; compare its requirements.txt"
                ) from err
            self._loaded = True
            return result

    return load


def _wrap_save(method: Method) -> Method:
    @functools.wraps(method)
    def save(self: BentoServiceArtifact, dst: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.is_ready:
            raise FailedPrecondition(
                f"Trying to save empty artifact {self!r}. Pack it first: svc.pack('{self.name}', model)"
            )
        if self._metadata:
            write_metadata(Path(dst), self.name, self._metadata)
        return method(self, dst, *args, **kwargs)

    return save


def _wrap_get(method: Method) -> Method:
    @functools.wraps(method)
    def get(self: BentoServiceArtifact, *args: Any, **kwargs: Any) -> Any:
        if not (self._packed or self._loaded):
            raise FailedPrecondition(
                f"Trying to access empty artifact {self!r}. Pack it first: svc.pack('{self.name}', model), "
                "or load the service from a saved bundle"
            )
        return method(self, *args, **kwargs)

    return get


_WRAPPERS: dict[str, Callable[[Method], Method]] = {
    "pack": _wrap_pack,
    "load": _wrap_load,
    "save": _wrap_save,
    "get": _wrap_get,
}
