"""EasyOCR readers: their parameters in `<name>.json`, their two networks beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bentoml.exceptions import FailedPrecondition
from bentoml.file_copy import copy_file

from ._model import ModelArtifact, Reference
from ._registry import import_package

PARAMETERS = ".json"
NETWORK = ".pth"


class EasyOCRArtifact(ModelArtifact):
    """An `easyocr.Reader`. The network files keep EasyOCR's names, so that artifacts share them.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="`easyocr.Reader`; `pack(reader, recog_network=…, lang_list=[…], detect_model=…, gpu=…)`",
        gives="the reader",
        files="`NAME.json`, `DETECT_MODEL.pth`, `RECOG_NETWORK.pth`",
    )
    PIP = ("easyocr>=1.3.0",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._parameters: dict[str, Any] = {}
        self._detect_model = ""

    def pack(
        self,
        easyocr_model: Any,
        metadata: dict[str, Any] | None = None,
        recog_network: str = "english_g2",
        lang_list: Sequence[str] | None = None,
        detect_model: str = "craft_mlt_25k",
        gpu: bool = False,
    ) -> EasyOCRArtifact:
        """Take a reader.

        Args:
            easyocr_model: the reader.
            metadata: plain data about it.
            recog_network, detect_model: names of its networks' files, without their extension.
            lang_list: its languages; English when None.
            gpu: whether the loaded reader uses a GPU.

        Raises:
            InvalidArgument: not a reader.
        """
        if not isinstance(easyocr_model, import_package("easyocr", self).Reader):
            raise self._refusal(easyocr_model, "an easyocr.Reader")
        languages = list(lang_list) if lang_list is not None else ["en"]
        self._parameters = {"recog_network": recog_network, "lang_list": languages, "gpu": gpu}
        self._model, self._detect_model = easyocr_model, detect_model
        return self

    def load(self, path: str) -> EasyOCRArtifact:
        easyocr = import_package("easyocr", self)
        parameters = json.loads(self._found(path, PARAMETERS).read_text(encoding="utf-8"))
        detect_model = parameters.pop("detect_model", "craft_mlt_25k")  # 0.13 did not write it
        # Both folders, or EasyOCR makes one in the home directory, which a container may not have.
        folders = {"model_storage_directory": path, "user_network_directory": path}
        reader = easyocr.Reader(download_enabled=False, **folders, **parameters)
        return self.pack(reader, detect_model=detect_model, **parameters)

    def save(self, dst: str) -> None:
        folder = Path(self._model.model_storage_directory)
        for network in (self._detect_model, self._parameters["recog_network"]):
            source, target = folder / (network + NETWORK), Path(dst) / (network + NETWORK)
            if not source.is_file():
                raise FailedPrecondition(
                    f"EasyOCR's folder '{folder}' has no '{source.name}'. Pack artifact '{self.name}' with "
                    "the names of the networks that its reader uses (recog_network=, detect_model=)"
                )
            if not target.exists():
                copy_file(source, target)
        standard = self._detect_model == "craft_mlt_25k"
        extra = {} if standard else {"detect_model": self._detect_model}
        text = json.dumps({**self._parameters, **extra})
        self._file(dst, PARAMETERS).write_text(text, encoding="utf-8")
