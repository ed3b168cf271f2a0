# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract
from contracts.torchvision_cpu import import_torchvision

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(900)]
import_torchvision()
easyocr = pytest.importorskip("easyocr")
models = pytest.importorskip("easyocr_en_models")  # the networks, which EasyOCR itself would download

from bentoml.exceptions import FailedPrecondition, InvalidArgument  # noqa: E402
from bentoml.frameworks.easyocr import EasyOCRArtifact  # noqa: E402

SETUP = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from contracts.torchvision_cpu import import_torchvision
import_torchvision()
import numpy
from PIL import Image, ImageDraw, ImageFont
image = Image.new("RGB", (320, 96), "white")
ImageDraw.Draw(image).text((24, 20), "HELLO 42", fill="black", font=ImageFont.load_default(48))
image = numpy.asarray(image)
"""


class TestReader(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.easyocr:EasyOCRArtifact"
    SETUP = SETUP
    PROBE = "model.readtext(image, detail=0)"
    FILES = {"my_model.json", "craft_mlt_25k.pth", "english_g2.pth", "my_model.yml"}
    WRONG = ("reader", None, easyocr.Reader)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"easyocr>=1.3.0"}

    @pytest.fixture(autouse=True)
    def _networks(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.folder = tmp_path_factory.mktemp("easyocr")

    def model(self) -> Any:
        folder = str(self.folder)
        shutil.copytree(models.model_dir(), folder, dirs_exist_ok=True)
        return easyocr.Reader(
            ["en"],
            gpu=False,
            model_storage_directory=folder,
            user_network_directory=folder,
            download_enabled=False,
            verbose=False,
        )

    def test_it_reads(self) -> None:
        assert self.probe(self.model()) == ["HELLO 42"]

    def test_a_network_that_the_reader_does_not_have(self, tmp_path: Path) -> None:
        artifact = EasyOCRArtifact("my_model").pack(self.model(), recog_network="latin_g2")
        with pytest.raises(FailedPrecondition, match=r"latin_g2\.pth.*recog_network="):
            artifact.save(str(tmp_path))
