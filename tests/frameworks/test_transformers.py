"""A tiny GPT-2 from a configuration and a tokenizer trained on the spot; no weights are fetched."""
# ruff: noqa: RUF012 - the contract declares these as class variables

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument, NotFound  # noqa: E402
from bentoml.frameworks.transformers import TransformersModelArtifact  # noqa: E402

TEXTS = ["my name is bento and my model is small", "a small model answers quickly"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.train_from_iterator(TEXTS, trainers.WordLevelTrainer(special_tokens=["<unk>", "<eos>"]))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", eos_token="<eos>", pad_token="<eos>"
    )


def config(vocabulary: int) -> Any:
    return transformers.GPT2Config(
        vocab_size=vocabulary, n_positions=32, n_embd=16, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=1
    )


def gpt(cls: Any = None) -> dict[str, Any]:
    torch.manual_seed(0)
    words = tokenizer()
    return {"model": (cls or transformers.GPT2LMHeadModel)(config(len(words))).eval(), "tokenizer": words}


def generate(pair: dict[str, Any]) -> list[int]:
    ids = pair["tokenizer"].encode("my name is", return_tensors="pt")
    tokens: list[int] = pair["model"].generate(ids, max_length=10, do_sample=False)[0].tolist()
    return tokens


class TestTransformers(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.transformers:TransformersModelArtifact"
    PROBE = (
        "model['model'].generate(model['tokenizer'].encode('my name is', return_tensors='pt'), "
        "max_length=10, do_sample=False)[0].tolist()"
    )
    FILES = {
        "my_model/config.json",
        "my_model/_model_type.txt",
        "my_model/tokenizer_type.txt",
        "my_model.yml",
    }
    WRONG = ({}, {"model": 1, "tokenizer": 2}, 3, None)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"transformers", "torch"}

    def model(self) -> Any:
        return gpt()


def test_class_names_are_written_as_0_13_did(tmp_path: Path) -> None:
    TransformersModelArtifact("g").pack(gpt()).save(str(tmp_path))
    assert (tmp_path / "g/_model_type.txt").read_text() == "GPT2LMHeadModel"
    assert not (tmp_path / "g/_model_class.txt").exists()


def test_a_directory_of_save_pretrained_is_packed(tmp_path: Path) -> None:
    pair = gpt()
    for part in pair.values():
        part.save_pretrained(str(tmp_path / "given"))
    packed = TransformersModelArtifact("g").pack(str(tmp_path / "given"))
    assert type(packed.get()["model"]) is transformers.GPT2LMHeadModel
    assert generate(packed.get()) == generate(pair)
    also = TransformersModelArtifact("g").pack(tmp_path / "given")
    assert generate(also.get()) == generate(pair)


def test_a_directory_without_a_class_name_uses_an_auto_class(tmp_path: Path) -> None:
    import json

    pair = gpt()
    for part in pair.values():
        part.save_pretrained(str(tmp_path))
    written = json.loads((tmp_path / "config.json").read_text())
    del written["architectures"]
    (tmp_path / "config.json").write_text(json.dumps(written))
    assert generate(TransformersModelArtifact("g").pack(str(tmp_path)).get()) == generate(pair)


@pytest.mark.parametrize("auto", ["AutoModel", "AutoModelForCausalLM", "AutoModelForSequenceClassification"])
def test_models_of_any_auto_class(tmp_path: Path, auto: str) -> None:
    words = tokenizer()
    model = getattr(transformers, auto).from_config(config(len(words))).eval()
    TransformersModelArtifact("m").pack({"model": model, "tokenizer": words}).save(str(tmp_path))
    loaded = TransformersModelArtifact("m").load(str(tmp_path)).get()["model"]
    assert type(loaded) is type(model)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name]), name


def test_a_class_this_version_lacks_falls_back_to_an_auto_class(tmp_path: Path) -> None:
    """0.13 wrote AutoModelWithLMHead or tokenizer classes that later releases dropped."""
    pair = gpt()
    TransformersModelArtifact("g").pack(pair).save(str(tmp_path))
    (tmp_path / "g/_model_type.txt").write_text("AutoModelWithLMHead")
    (tmp_path / "g/tokenizer_type.txt").write_text("GPT2TokenizerSlowest\n")
    assert generate(TransformersModelArtifact("g").load(str(tmp_path)).get()) == generate(pair)


def test_subclasses_of_the_user_are_saved_with_their_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_gpt_classes.py").write_text(
        "import transformers\n\n\nclass LoudGPT(transformers.GPT2LMHeadModel):\n"
        "    def shout(self):\n        return 'HELLO'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from importlib import import_module

    pair = gpt(import_module("my_gpt_classes").LoudGPT)
    TransformersModelArtifact("g").pack(pair).save(str(tmp_path))
    assert (tmp_path / "g/_model_type.txt").read_text() == "GPT2LMHeadModel"
    assert (tmp_path / "g/_model_class.txt").read_text() == "my_gpt_classes:LoudGPT"
    loaded = TransformersModelArtifact("g").load(str(tmp_path)).get()
    assert loaded["model"].shout() == "HELLO" and generate(loaded) == generate(pair)
    (tmp_path / "g/_model_class.txt").write_text("my_gpt_classes:Gone")
    with pytest.raises(ArtifactLoadingException, match="'Gone' of module 'my_gpt_classes'"):
        TransformersModelArtifact("g").load(str(tmp_path))


def test_a_class_inside_a_function_cannot_be_saved(tmp_path: Path) -> None:
    class Hidden(transformers.GPT2LMHeadModel):  # type: ignore[name-defined,misc]
        pass

    with pytest.raises(InvalidArgument, match="Move it to the top level of a module"):
        TransformersModelArtifact("g").pack(gpt(Hidden)).save(str(tmp_path))


@pytest.mark.parametrize("part", ["model", "tokenizer"])
def test_a_missing_part_is_named(part: str) -> None:
    pair = gpt()
    del pair[part]
    with pytest.raises(InvalidArgument, match=f"'{part}' key is not found"):
        TransformersModelArtifact("g").pack(pair)


def test_extra_keys_are_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    artifact = TransformersModelArtifact("g").pack({**gpt(), "labels": ["a"]})
    assert "'labels' will be missing after loading" in caplog.text
    assert artifact.get()["labels"] == ["a"]


@pytest.mark.parametrize("source", ["no-such-owner/no-such-model", "directory"])
def test_unknown_ids_and_empty_directories_are_not_found(tmp_path: Path, source: str) -> None:
    with pytest.raises(NotFound, match="does not give a transformers model"):
        TransformersModelArtifact("g").pack(str(tmp_path) if source == "directory" else source)


def test_missing_package_is_named_at_construction() -> None:
    program = (
        "import sys; sys.modules['transformers'] = None\n"
        "from bentoml.exceptions import MissingDependencyException\n"
        "from bentoml.frameworks.transformers import TransformersModelArtifact\n"
        "try:\n    TransformersModelArtifact('g')\n"
        "except MissingDependencyException as err:\n    print(err)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'bentoml[transformers]'" in done.stdout, done.stderr
