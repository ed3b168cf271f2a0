"""JAX functions, exported as portable StableHLO in `<name>.jax`; no Python code is stored."""

from __future__ import annotations

from typing import Any

from ._model import ModelArtifact, Reference
from ._registry import import_package

MODEL = ".jax"


class JaxModelArtifact(ModelArtifact):
    """A function with its weights inside, exported with `jax.export`.

    For batches of any size, export it with a symbolic shape, such as
    `jax.export.symbolic_shape("batch, 4")`.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="`jax.export.Exported`, as `jax.export.export(jax.jit(f))(shapes)` gives",
        gives="a compiled function of the same arguments",
        files="`NAME.jax`",
    )
    PIP = ("jax", "flatbuffers")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._call: Any = None

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> JaxModelArtifact:
        """Take an exported function. Raises `InvalidArgument` for anything else."""
        jax = import_package("jax", self)
        if not isinstance(model, import_package("jax.export", self).Exported):
            raise self._refusal(model, "a jax.export.Exported: jax.export.export(jax.jit(f))(shapes)")
        self._model, self._call = model, jax.jit(model.call)
        return self

    def load(self, path: str) -> JaxModelArtifact:
        export = import_package("jax.export", self)
        return self.pack(export.deserialize(bytearray(self._found(path, MODEL).read_bytes())))

    def save(self, dst: str) -> None:
        import_package("flatbuffers", self)
        self._file(dst, MODEL).write_bytes(self._model.serialize())

    def get(self) -> Any:
        return self._call
