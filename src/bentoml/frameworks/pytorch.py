"""PyTorch modules: pickled whole, or TorchScript, in `<name>.pt`.

A pickle, as 0.13 wrote it, is copied into each worker's memory. A large module is therefore written by
`torch.save`, whose tensors lie in the file as they are in memory: workers map them and share the pages.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import InvalidArgument
from bentoml.file_copy import copy_file
from bentoml.service.artifacts.base import BentoServiceArtifact

from ._model import Reference
from ._registry import import_package

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv


MAP_FROM_BYTES = 32 * 1024 * 1024
TORCHSCRIPT_MEMBER = "/constants.pkl"


class PytorchModelArtifact(BentoServiceArtifact):
    """A `torch.nn.Module`, or a TorchScript module.

    A plain module is pickled as a whole, so its class must be importable where it is loaded (the
    bundle carries the service's own modules). A model that was packed on a GPU is loaded to the CPU
    where there is no GPU. Workers share the weights of a module of 32 MiB or more.

    Args:
        name: name of the artifact.
        file_extension: with its dot.
    """

    REFERENCE = Reference(
        takes="`torch.nn.Module`, TorchScript modules",
        gives="the module",
        files="`NAME.pt` (a pickle, a file of `torch.save`, or TorchScript)",
    )

    def __init__(self, name: str, file_extension: str = ".pt") -> None:
        super().__init__(name)
        self._file_extension = file_extension
        self._model: Any = None

    def _file(self, directory: str) -> str:
        return os.path.join(directory, self.name + self._file_extension)

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> PytorchModelArtifact:
        """Take a module. Raises `InvalidArgument` for anything else, a state dict included."""
        torch = import_package("torch", self)
        if not isinstance(model, torch.nn.Module):
            raise InvalidArgument(
                "PytorchModelArtifact can only pack type 'torch.nn.Module' or 'torch.jit.ScriptModule', "
                f"not {type(model).__name__}"
            )
        self._model = model
        return self

    def load(self, path: str) -> PytorchModelArtifact:
        torch = import_package("torch", self)
        return self.pack(load_module(torch, self._file(path)))

    def save(self, dst: str) -> None:
        torch = import_package("torch", self)
        if isinstance(self._model, torch.jit.ScriptModule):
            torch.jit.save(self._model, self._file(dst))
            return
        import cloudpickle  # noqa: PLC0415 - authoring reads the standard library only

        with open(self._file(dst), "wb") as file:
            if _weight_bytes(self._model) >= MAP_FROM_BYTES:
                torch.save(self._model, file, pickle_module=cloudpickle)
            else:
                cloudpickle.dump(self._model, file)

    def get(self) -> Any:
        return self._model

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        if env.infer:
            env.add_pip_packages(["torch"])


class PytorchLightningModelArtifact(BentoServiceArtifact):
    """A `LightningModule`, kept as TorchScript so that serving needs torch only.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="`LightningModule`, a TorchScript module, the path of a TorchScript file",
        gives="a TorchScript module",
        files="`NAME.pt`",
    )

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._model: Any = None
        self._source: str | None = None

    def _file(self, directory: str) -> str:
        return os.path.join(directory, self.name + ".pt")

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> PytorchLightningModelArtifact:
        """Take a `LightningModule`, a TorchScript module or the path of a TorchScript file."""
        torch = import_package("torch", self)
        if isinstance(model, (str, os.PathLike)):
            source = os.fspath(model)
            if not os.path.isfile(source) or not _is_torchscript(source):
                raise InvalidArgument(f"'{source}' is not a TorchScript file written by torch.jit.save")
            self._source, self._model = source, load_module(torch, source)
        elif isinstance(model, torch.jit.ScriptModule):
            self._source, self._model = None, model
        elif any(base.__name__ == "LightningModule" for base in type(model).__mro__):
            self._source, self._model = None, _to_torchscript(model)
        else:
            raise InvalidArgument(
                "PytorchLightningModelArtifact packs a LightningModule or the path of a TorchScript file, "
                f"not {type(model).__name__}"
            )
        return self

    def load(self, path: str) -> PytorchLightningModelArtifact:
        return self.pack(load_module(import_package("torch", self), self._file(path)))

    def save(self, dst: str) -> None:
        if self._source is not None:
            copy_file(self._source, self._file(dst))
        else:
            import_package("torch", self).jit.save(self._model, self._file(dst))

    def get(self) -> Any:
        return self._model

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        env.add_pip_packages(["pytorch-lightning"])


def _to_torchscript(module: Any) -> Any:
    convert = getattr(module, "to_torchscript", None)
    if convert is None:  # dropped in Lightning 2.8
        raise InvalidArgument(
            "This release of Lightning has no to_torchscript(). Pack torch.jit.trace(module, example_input) "
            "with this artifact, or the module itself with PytorchModelArtifact"
        )
    return convert()


def _weight_bytes(module: Any) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))


def load_module(torch: Any, file: str) -> Any:
    """Read a module from `file`, onto the CPU where this machine has no GPU."""
    location = None if torch.cuda.is_available() else "cpu"
    if _is_torchscript(file):
        return torch.jit.load(file, map_location=location)
    if zipfile.is_zipfile(file):
        return torch.load(file, map_location=location, weights_only=False, mmap=True)
    with open(file, "rb") as stream:
        return _ModulePickle(torch, stream, location).load()


def _is_torchscript(file: str) -> bool:
    if not zipfile.is_zipfile(file):  # a pickle never is
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith(TORCHSCRIPT_MEMBER) for name in archive.namelist())


class _ModulePickle(pickle.Unpickler):
    """Unpickles modules; tensors stored inside are mapped to `location`."""

    def __init__(self, torch: Any, stream: io.BufferedReader, location: str | None) -> None:
        super().__init__(stream)
        self._torch = torch
        self._location = location

    def find_class(self, module_name: str, name: str) -> Any:
        if module_name == "torch.storage" and name == "_load_from_bytes":
            return self._load_storage
        return super().find_class(module_name, name)

    def _load_storage(self, content: bytes) -> Any:
        return self._torch.load(io.BytesIO(content), map_location=self._location, weights_only=False)
