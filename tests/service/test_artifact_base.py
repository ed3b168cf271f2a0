from __future__ import annotations

import datetime
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bentoml.exceptions import ArtifactLoadingException, BentoMLException, InvalidArgument
from bentoml.service.artifacts import ArtifactCollection, BentoServiceArtifact
from bentoml.service.artifacts.common import PickleArtifact, TextFileArtifact


class Number(BentoServiceArtifact):
    """A user's artifact as the 0.13 guide shows it."""

    def __init__(self, name: str, extension: str = ".num") -> None:
        super().__init__(name)
        self.extension = extension
        self._value: Any = None

    def pack(self, value: Any, metadata: Any = None) -> Number:
        self._value = int(value)
        return self

    def load(self, path: str) -> Number:
        return self.pack((Path(path) / (self.name + self.extension)).read_text())

    def save(self, dst: str) -> None:
        (Path(dst) / (self.name + self.extension)).write_text(str(self._value))

    def get(self) -> int:
        return int(self._value)


class Doubled(Number):
    """Calls the same methods of its base, which are wrapped too."""

    def pack(self, value: Any, metadata: Any = None) -> Doubled:
        super().pack(value, metadata=metadata)
        self._value *= 2
        return self

    def load(self, path: str) -> Doubled:
        super().load(path)
        self._value //= 2
        return self

    def get(self) -> int:
        return super().get() + 0


class Unfinished(BentoServiceArtifact):
    pass


@pytest.mark.parametrize("name", ["", "my model", "1st", "a-b", "../x", "a/b", None, 3])
def test_name_must_be_an_identifier(name: Any) -> None:
    with pytest.raises(ValueError, match="valid python identifier"):
        PickleArtifact(name)


def test_packing_twice_warns(caplog: pytest.LogCaptureFixture) -> None:
    artifact = Number("n").pack(1)
    assert not caplog.records
    artifact.pack(2)
    assert "`pack` an artifact multiple times" in caplog.text and artifact.get() == 2


def test_super_calls_are_one_call(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    artifact = Doubled("n").pack(4, metadata={"a": 1})
    artifact.save(str(tmp_path))
    loaded = Doubled("n").load(str(tmp_path))
    assert (artifact.get(), loaded.get(), loaded.metadata) == (8, 8, {"a": 1})
    assert loaded.packed and loaded.loaded and not caplog.records


def test_loading_over_an_object_warns(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    Number("n").pack(1).save(str(tmp_path))
    artifact = Number("n").pack(5)
    artifact.load(str(tmp_path))
    assert artifact.get() == 1 and "already has an object" in caplog.text
    assert len(caplog.records) == 1


def test_failed_pack_and_load_leave_it_empty(tmp_path: Path) -> None:
    artifact = Number("n")
    with pytest.raises(ValueError, match="invalid literal"):
        artifact.pack("x")
    (tmp_path / "n.num").write_text("x")
    with pytest.raises(ArtifactLoadingException, match="invalid literal"):
        artifact.load(str(tmp_path))
    assert not artifact.is_ready


@pytest.mark.parametrize("method", ["pack", "load", "save", "get"])
def test_an_unfinished_class_says_what_it_lacks(method: str) -> None:
    artifact = Unfinished("u")
    with pytest.raises(BentoMLException, match=rf"Unfinished does not define {method}\(\)"):
        getattr(artifact, method)(*([] if method == "get" else ["x"]))


def test_positional_metadata_is_left_to_the_class() -> None:
    """As in 0.13: only the keyword is stored by the framework."""
    assert Number("n").pack(1, {"a": 1}).metadata == {}


def test_numpy_metadata_becomes_plain(tmp_path: Path) -> None:
    given = {
        "f1": np.float64(0.5),
        "n": np.int64(3),
        "v": np.arange(2),
        "t": (1, 2),
        "d": datetime.date(2021, 9, 26),
    }
    artifact = Number("n").pack(1, metadata=given)
    artifact.save(str(tmp_path))
    assert Number("n").load(str(tmp_path)).metadata == {
        "f1": 0.5, "n": 3, "v": [0, 1], "t": [1, 2], "d": datetime.date(2021, 9, 26),
    }  # fmt: skip


@pytest.mark.parametrize("value", [{"model": object()}, {3: "x"}, {"a": {"b": {1, 2}}}])
def test_metadata_that_cannot_be_stored_is_named(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="metadata of artifact 'n'"):
        Number("n").pack(1, metadata=value)


def test_broken_metadata_file_names_itself(tmp_path: Path) -> None:
    Number("n").pack(1).save(str(tmp_path))
    (tmp_path / "n.yml").write_text("a: [1, 2")
    with pytest.raises(ArtifactLoadingException, match=r"n\.yml"):
        Number("n").load(str(tmp_path))


def test_metadata_yaml_cannot_construct_objects(tmp_path: Path) -> None:
    Number("n").pack(1).save(str(tmp_path))
    (tmp_path / "n.yml").write_text("!!python/object/apply:os.system ['touch owned']")
    with pytest.raises(ArtifactLoadingException):
        Number("n").load(str(tmp_path))


def test_collection_gives_objects_by_attribute_and_wrappers_by_item() -> None:
    collection = ArtifactCollection()
    wrapper = PickleArtifact("model")
    collection.add(wrapper)
    wrapper.pack({"a": 1})
    assert collection.model == {"a": 1}
    assert collection["model"] is wrapper and collection.get("model") is wrapper
    assert collection.get_artifact_list() == [wrapper]


def test_collection_refuses_other_keys_and_objects() -> None:
    collection = ArtifactCollection()
    with pytest.raises(InvalidArgument, match="under its own name"):
        collection["other"] = PickleArtifact("model")
    with pytest.raises(InvalidArgument, match="Only a BentoServiceArtifact"):
        collection["model"] = 3  # type: ignore[assignment]


def test_unknown_artifact_is_named_with_a_close_match() -> None:
    collection = ArtifactCollection.fresh([PickleArtifact("classifier")], "Iris")
    with pytest.raises(AttributeError, match=r"'clasifier' of service 'Iris'\. Did you mean 'classifier'"):
        collection.clasifier  # noqa: B018
    with pytest.raises(KeyError, match="Declared: classifier"):
        collection.require("other")
    assert not hasattr(collection, "other")


def test_collection_saves_what_is_ready_and_warns_about_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collection = ArtifactCollection.fresh([TextFileArtifact("a"), PickleArtifact("b")])
    collection["a"].pack("text")
    with caplog.at_level(logging.WARNING, "bentoml"):
        collection.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert [r.getMessage() for r in caplog.records] == ["Skip saving empty artifact, PickleArtifact('b')"]


def test_collection_loads_all(tmp_path: Path) -> None:
    saved = ArtifactCollection.fresh([TextFileArtifact("a"), Number("n", ".x")])
    saved["a"].pack("text")
    saved["n"].pack(4)
    saved.save(tmp_path)
    loaded = ArtifactCollection.fresh(saved.values())
    loaded.load_all(tmp_path)
    assert (loaded.a, loaded.n) == ("text", 4)
