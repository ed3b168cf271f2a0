# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
fasttext = pytest.importorskip("fasttext")

from bentoml.exceptions import InvalidArgument  # noqa: E402


class TestSupervised(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.fasttext:FasttextModelArtifact"
    PROBE = "[model.predict('good food')[0], model.predict('bad food')[0], model.get_words()]"
    FILES = {"my_model", "my_model.yml"}
    WRONG = ("model.bin", None, 3)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"fasttext"}

    def model(self) -> Any:
        with TemporaryDirectory() as folder:
            text = Path(folder) / "train.txt"
            text.write_text("__label__up good nice food\n__label__down bad awful food\n" * 20)
            for _ in range(20):
                # its loss is 0/0 when its monitor looks before the first example is through
                with suppress(RuntimeError):
                    return fasttext.train_supervised(str(text), dim=4, epoch=20, thread=1, verbose=0)
        raise AssertionError("fastText could not be trained in 20 tries")
