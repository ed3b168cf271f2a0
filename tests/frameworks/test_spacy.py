# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
spacy = pytest.importorskip("spacy")

from bentoml.exceptions import InvalidArgument  # noqa: E402


class TestPipeline(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.spacy:SpacyModelArtifact"
    PROBE = "[[t.text, t.ent_type_] for t in model('Anna moved to Berlin. She likes it.')]"
    FILES = {"my_model/meta.json", "my_model.yml"}
    WRONG = ("en_core_web_sm", None, 3)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"spacy"}

    def model(self) -> Any:
        pipeline = spacy.blank("en")
        pipeline.add_pipe("sentencizer")
        pipeline.add_pipe("entity_ruler").add_patterns([{"label": "GPE", "pattern": "Berlin"}])
        return pipeline
