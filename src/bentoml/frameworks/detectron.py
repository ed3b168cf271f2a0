"""Detectron2 models: weights in `<name>.pth`, the configuration in `<name>.yaml`."""

from __future__ import annotations

import os
from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.service.artifacts.metadata import plain_metadata

from ._model import ModelArtifact, Reference
from ._registry import import_package

WEIGHTS = ".pth"
CONFIG = ".yaml"
DEVICE = "device"


class DetectronModelArtifact(ModelArtifact):
    """A Detectron2 model.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes='a Detectron2 model: `pack(model, metadata={"device": "cpu"}, input_model_yaml=path)`',
        gives='the model in evaluation mode, on `metadata["device"]`',
        files="`NAME.pth`, `NAME.yaml`",
    )
    PIP = ("torch", "detectron2")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._config = ""

    def pack(
        self,
        model: Any,
        metadata: dict[str, Any] | None = None,
        input_model_yaml: str | os.PathLike[str] | None = None,
    ) -> DetectronModelArtifact:
        """Take a model.

        Args:
            model: what `build_model(cfg)` made.
            metadata: plain data with the key `device`; may be given by position, as 0.13 did.
            input_model_yaml: the configuration file the model was built from.

        Raises:
            InvalidArgument: not a module, or no such configuration file.
        """
        torch = import_package("torch", self)
        get_cfg = import_package("detectron2.config", self).get_cfg
        if not isinstance(model, torch.nn.Module):
            raise self._refusal(model, "a Detectron2 model")
        if input_model_yaml is None or not os.path.isfile(input_model_yaml):
            raise InvalidArgument(
                f"Artifact '{self.name}' needs the file the model was built from, not {input_model_yaml!r}: "
                "pack(model, metadata={'device': 'cpu'}, input_model_yaml=model_zoo.get_config_file(...))"
            )
        config = get_cfg()
        config.merge_from_file(os.fspath(input_model_yaml))
        if metadata is not None:
            self._metadata = plain_metadata(metadata, self.name)
        self._model, self._config = model, config.dump()
        return self

    def load(self, path: str) -> DetectronModelArtifact:
        modeling = import_package("detectron2.modeling", self)
        checkpoint = import_package("detectron2.checkpoint", self)
        get_cfg = import_package("detectron2.config", self).get_cfg
        weights, config_file = self._found(path, WEIGHTS), self._found(path, CONFIG)
        config = get_cfg()
        config.merge_from_file(str(config_file))
        device = self._metadata.get(DEVICE) or "cpu"
        config.MODEL.DEVICE = device
        model = modeling.META_ARCH_REGISTRY.get(config.MODEL.META_ARCHITECTURE)(config).eval().to(device)
        checkpoint.DetectionCheckpointer(model).load(str(weights))
        return self.pack(model, input_model_yaml=config_file)

    def save(self, dst: str) -> None:
        checkpoint = import_package("detectron2.checkpoint", self)
        checkpoint.DetectionCheckpointer(self._model, save_dir=dst).save(self.name)
        marker = os.path.join(dst, "last_checkpoint")
        if os.path.exists(marker):  # for going on with training
            os.remove(marker)
        self._file(dst, CONFIG).write_text(self._config, encoding="utf-8")
