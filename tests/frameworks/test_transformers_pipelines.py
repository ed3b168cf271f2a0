"""Processors instead of tokenizers, and whole pipelines."""
# ruff: noqa: RUF012 - the contract declares these as class variables

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

from bentoml.exceptions import InvalidArgument  # noqa: E402
from bentoml.frameworks.transformers import TransformersModelArtifact  # noqa: E402

WORDS = ["<unk>", "<eos>", "small", "models", "answer", "quickly"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", eos_token="<eos>", pad_token="<eos>"
    )


def classifier() -> Any:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(WORDS), n_positions=32, n_embd=16, n_layer=1, n_head=2, num_labels=3, pad_token_id=1
    )
    return transformers.GPT2ForSequenceClassification(config).eval()


class TestPipeline(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.transformers:TransformersModelArtifact"
    PROBE = "[type(model).__name__, model(['small models', 'answer'])]"
    FILES = {"my_model/config.json", "my_model/_pipeline.json", "my_model/_model_type.txt", "my_model.yml"}
    WRONG = (transformers.pipeline, 3, None)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"transformers", "torch"}

    def model(self) -> Any:
        """`top_k` is an option of the pipeline, which must come back."""
        return transformers.pipeline(
            "text-classification", model=classifier(), tokenizer=tokenizer(), top_k=2, device="cpu"
        )


class TestFeatureExtractor(ArtifactContract):
    ARTIFACT = TestPipeline.ARTIFACT
    SETUP = "import numpy"
    PROBE = (
        "model['model'](**model['feature_extractor'](numpy.ones(400, 'float32'), sampling_rate=16000, "
        "return_tensors='pt')).last_hidden_state.tolist()"
    )
    FILES = {"my_model/_feature_extractor_type.txt", "my_model/_model_type.txt", "my_model.yml"}
    WRONG = ({"feature_extractor": 3}, {"model": 3, "feature_extractor": 4})
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"transformers", "torch"}

    def model(self) -> Any:
        torch.manual_seed(0)
        config = transformers.Wav2Vec2Config(
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            conv_dim=(4, 4),
            conv_stride=(5, 2),
            conv_kernel=(10, 3),
            num_conv_pos_embeddings=4,
            num_conv_pos_embedding_groups=2,
        )
        return {
            "model": transformers.Wav2Vec2Model(config).eval(),
            "feature_extractor": transformers.Wav2Vec2FeatureExtractor(),
        }


def test_a_processor_is_kept_with_both_its_parts(tmp_path: Path) -> None:
    processor = transformers.Wav2Vec2Processor(transformers.Wav2Vec2FeatureExtractor(), tokenizer())
    model = TestFeatureExtractor().model()["model"]
    TransformersModelArtifact("m").pack({"model": model, "processor": processor}).save(str(tmp_path))
    loaded = TransformersModelArtifact("m").load(str(tmp_path)).get()
    assert set(loaded) == {"model", "processor"}
    assert type(loaded["processor"]) is transformers.Wav2Vec2Processor
    assert loaded["processor"].tokenizer("small models").input_ids == [2, 3]
    again = TransformersModelArtifact("m").pack(str(tmp_path / "m")).get()
    assert again["model"].config.hidden_size == 8


def test_a_folder_without_a_tokenizer_gives_what_it_has(tmp_path: Path) -> None:
    for part in TestFeatureExtractor().model().values():
        part.save_pretrained(tmp_path)
    packed = TransformersModelArtifact("m").pack(tmp_path).get()
    assert set(packed) == {"model", "feature_extractor"}
