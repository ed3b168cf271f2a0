"""A tiny BERT from a configuration; no weights are fetched."""

# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
sentence_transformers = pytest.importorskip("sentence_transformers")
import torch  # noqa: E402
import transformers  # noqa: E402

from bentoml.exceptions import InvalidArgument, NotFound  # noqa: E402
from bentoml.frameworks.sentence_transformers import SentenceTransformersModelArtifact  # noqa: E402

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "small", "models", "answer", "quickly"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a BERT of one layer and its tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        num_labels=1,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


class TestEmbeddings(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.sentence_transformers:SentenceTransformersModelArtifact"
    OPTIONS = {"device": "cpu"}
    PROBE = "model.encode(['small models', 'answer quickly']).tolist()"
    FILES = {"my_model/modules.json", "my_model.yml"}
    WRONG = (None, 3, sentence_transformers.SentenceTransformer)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"sentence-transformers"}

    @pytest.fixture(autouse=True)
    def _folder(self, bert: str) -> None:
        self.folder = bert

    def model(self) -> Any:
        return sentence_transformers.SentenceTransformer(self.folder, device="cpu")


class TestCrossEncoder(TestEmbeddings):
    PROBE = "[type(model).__name__, model.predict([['small models', 'answer quickly']]).tolist()]"
    FILES = {"my_model/config.json", "my_model.yml"}

    def model(self) -> Any:
        return sentence_transformers.CrossEncoder(self.folder, device="cpu")


def test_folders_are_loaded_and_unknown_names_are_not_found(bert: str, tmp_path: Path) -> None:
    artifact = SentenceTransformersModelArtifact("m", device="cpu").pack(Path(bert))
    assert artifact.get().encode("small").shape == (8,)
    with pytest.raises(NotFound, match="no-such-owner/no-such-model"):
        SentenceTransformersModelArtifact("m").pack("no-such-owner/no-such-model")
