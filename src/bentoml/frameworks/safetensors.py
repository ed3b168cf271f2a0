"""PyTorch weights as safetensors: no code in the file, and pages that workers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument

from ._model import ModelArtifact, Reference
from ._registry import import_package
from .class_names import read_class, write_class

WEIGHTS = ".safetensors"
CLASS_FILE = "_class.json"


class SafetensorsModelArtifact(ModelArtifact):
    """A `torch.nn.Module` as its class and its weights, or a plain dictionary of tensors.

    The file is mapped into memory, and the module's parameters are views of it.

    Args:
        name: name of the artifact.
        module: makes the module the weights belong to: its class, or any function without required
            arguments. None takes the class that was packed, called with `init` of `pack`.
    """

    REFERENCE = Reference(
        takes="`torch.nn.Module` (`pack(module, init={…})` for its constructor), or a dictionary of tensors",
        gives="the module, or the dictionary",
        files="`NAME.safetensors`; `NAME_class.json` for modules",
    )
    PIP = ("safetensors", "torch")

    def __init__(self, name: str, module: Callable[[], Any] | None = None) -> None:
        super().__init__(name)
        self._make = module
        self._init: dict[str, Any] = {}

    def pack(
        self, model: Any, metadata: dict[str, Any] | None = None, init: dict[str, Any] | None = None
    ) -> SafetensorsModelArtifact:
        """Take a module or a dictionary of tensors.

        Args:
            model: the module; its class must be importable where the bundle is loaded.
            metadata: plain data about the model.
            init: keyword arguments that make an equal module from its class; plain values only.

        Raises:
            InvalidArgument: another type, or `init` that JSON cannot hold.
        """
        torch = import_package("torch", self)
        import_package("safetensors.torch", self)
        is_state = isinstance(model, Mapping) and all(isinstance(v, torch.Tensor) for v in model.values())
        if not (isinstance(model, torch.nn.Module) or (is_state and model)):
            raise self._refusal(model, "a torch.nn.Module or a dictionary of tensors")
        self._model, self._init = model, dict(init or {})
        return self

    def load(self, path: str) -> SafetensorsModelArtifact:
        import_package("torch", self)
        state, notes = self._read(path)
        class_file = self._file(path, CLASS_FILE)
        if not class_file.is_file() and self._make is None:
            return self.pack(state)
        make, init = read_class(class_file) if self._make is None else (self._make, {})
        module = _filled(make(**init), state)
        return self.pack(module.train(notes.get("training") == "1"), init=init)

    def _read(self, path: str) -> tuple[dict[str, Any], dict[str, str]]:
        """The tensors by name, shared ones under each of their names, and the notes in the file."""
        safetensors = import_package("safetensors", self)
        file: Path = self._found(path, WEIGHTS)
        with safetensors.safe_open(file, framework="pt", device="cpu") as opened:
            state = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - not a dict
            notes = opened.metadata() or {}
        state.update({also: state[key] for also, key in notes.items() if key in state and also not in state})
        return state, notes

    def save(self, dst: str) -> None:
        torch = import_package("torch", self)
        files = import_package("safetensors.torch", self)
        file = self._file(dst, WEIGHTS)
        if not isinstance(self._model, torch.nn.Module):
            files.save_file(
                {key: value.detach().contiguous().clone() for key, value in self._model.items()}, file
            )
            return
        if self._make is None:
            write_class(self._file(dst, CLASS_FILE), type(self._model), self._checked_init())
        state, notes = _without_repeats(self._model.state_dict())
        files.save_file(state, file, metadata={**notes, "training": str(int(self._model.training))})

    def _checked_init(self) -> dict[str, Any]:
        for key, value in self._init.items():
            if not isinstance(value, (str, int, float, bool, list, dict, type(None))):
                raise InvalidArgument(
                    f"init of artifact '{self.name}', key '{key}': a {type(value).__name__} cannot be "
                    "stored. Give the artifact module=<a function that makes the module> instead"
                )
        return self._init


def _without_repeats(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Each tensor once, and which further names it has (tied weights)."""
    kept: dict[str, Any] = {}
    names: dict[Any, str] = {}
    notes: dict[str, str] = {}
    for key, tensor in state.items():
        same = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.shape, tensor.stride())
        if tensor.numel() and same in names:
            notes[key] = names[same]
        else:
            names[same] = key
            kept[key] = tensor.detach().contiguous().clone()
    return kept, notes


def _filled(module: Any, state: dict[str, Any]) -> Any:
    """`module` with the tensors of `state` themselves as its parameters."""
    try:
        module.load_state_dict(state, assign=True)
    except RuntimeError as err:
        raise ArtifactLoadingException(f"The weights do not fit {type(module).__name__}: {err}") from err
    return module
