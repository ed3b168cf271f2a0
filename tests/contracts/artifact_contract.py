"""What every artifact must do, whatever it holds. A subclass names the artifact and gives a model."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bentoml.exceptions import ArtifactLoadingException, FailedPrecondition
from bentoml.service.artifacts.base import BentoServiceArtifact
from bentoml.service.env import BentoServiceEnv

METADATA = {"accuracy": 0.97, "classes": ["a", "b"], "notes": {"größe": 3, "ok": True, "none": None}}

FRESH_PROCESS = """
import importlib, json, sys
module, cls, args, kwargs, directory, setup, probe = json.loads(sys.stdin.read())
names = {}
exec(setup, names)
artifact = getattr(importlib.import_module(module), cls)(*args, **kwargs).load(directory)
names["model"] = artifact.get()
print("RESULT" + json.dumps([eval(probe, names), artifact.metadata]))
"""


class ArtifactContract(ABC):
    """Derive, fill in the class variables and `model`, and the tests below run for the artifact."""

    ARTIFACT: ClassVar[str]
    """`module:Class`."""
    ARGS: ClassVar[tuple[Any, ...]] = ("my_model",)
    OPTIONS: ClassVar[dict[str, Any]] = {}
    SETUP: ClassVar[str] = ""
    """Statements that import what `PROBE` needs."""
    PROBE: ClassVar[str]
    """An expression over `model`, as `get` returns it, giving a JSON value: its predictions."""
    FILES: ClassVar[set[str]]
    """What 0.13 wrote into the artifacts directory; these names must be there."""
    WRONG: ClassVar[tuple[Any, ...]] = ()
    """Objects that `pack` refuses."""
    WRONG_ERROR: ClassVar[type[Exception]] = Exception
    ALWAYS_PIP: ClassVar[set[str]] = set()
    INFERRED_PIP: ClassVar[set[str]] = set()

    @abstractmethod
    def model(self) -> Any:
        """A freshly trained model."""

    def make(self) -> BentoServiceArtifact:
        module, _, cls = self.ARTIFACT.partition(":")
        artifact: BentoServiceArtifact = getattr(importlib.import_module(module), cls)(
            *self.ARGS, **self.OPTIONS
        )
        return artifact

    def probe(self, model: Any) -> Any:
        names: dict[str, Any] = {"model": model}
        exec(self.SETUP, names)
        return json.loads(json.dumps(eval(self.PROBE, names)))

    def test_packed_object_is_returned(self) -> None:
        artifact, model = self.make(), self.model()
        assert artifact.pack(model) is artifact
        assert artifact.packed and artifact.is_ready and not artifact.loaded
        assert self.probe(artifact.get()) == self.probe(model)

    def test_loaded_in_a_fresh_process_it_gives_the_same_predictions(self, tmp_path: Path) -> None:
        artifact = self.make()
        artifact.pack(self.model(), metadata=METADATA)
        artifact.save(str(tmp_path))
        assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")} >= self.FILES
        module, _, cls = self.ARTIFACT.partition(":")
        request = [module, cls, self.ARGS, self.OPTIONS, str(tmp_path), self.SETUP, self.PROBE]
        done = subprocess.run(
            [sys.executable, "-c", FRESH_PROCESS],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        predictions, metadata = json.loads(
            done.stdout.partition("RESULT")[2].splitlines()[0]
        )  # some write more
        assert predictions == self.probe(artifact.get())
        assert metadata == METADATA

    def test_a_second_save_of_the_loaded_object_loads_too(self, tmp_path: Path) -> None:
        first, second = tmp_path / "1", tmp_path / "2"
        first.mkdir()
        second.mkdir()
        expected = self.probe(self.make().pack(model := self.model()).get())
        self.make().pack(model).save(str(first))
        loaded = self.make().load(str(first))
        assert loaded.loaded and loaded.is_ready
        loaded.save(str(second))
        assert self.probe(self.make().load(str(second)).get()) == expected

    def test_metadata_survives_only_when_given(self, tmp_path: Path) -> None:
        artifact = self.make().pack(self.model())
        artifact.save(str(tmp_path))
        assert not (tmp_path / "my_model.yml").exists()
        assert self.make().load(str(tmp_path)).metadata == {}

    def test_metadata_that_is_not_a_dictionary_is_refused(self) -> None:
        artifact = self.make()
        with pytest.raises(TypeError, match="dictionary"):
            artifact.pack(self.model(), metadata="version 3")
        assert not artifact.packed

    def test_wrong_objects_are_refused(self) -> None:
        if not self.WRONG:
            pytest.skip("takes any object")
        for wrong in self.WRONG:
            artifact = self.make()
            with pytest.raises(self.WRONG_ERROR):
                artifact.pack(wrong)
            assert not artifact.packed

    def test_an_empty_artifact_says_so(self, tmp_path: Path) -> None:
        artifact = self.make()
        with pytest.raises(FailedPrecondition, match=r"Trying to access empty artifact.*my_model"):
            artifact.get()
        with pytest.raises(FailedPrecondition, match="my_model"):
            artifact.save(str(tmp_path))
        assert list(tmp_path.iterdir()) == []

    def test_missing_files_name_the_artifact(self, tmp_path: Path) -> None:
        with pytest.raises(ArtifactLoadingException, match="my_model"):
            self.make().load(str(tmp_path))

    def test_a_fresh_copy_is_empty_and_independent(self) -> None:
        declared = self.make()
        copy = declared.fresh_copy()
        copy.pack(self.model(), metadata={"a": 1})
        assert copy.name == declared.name and type(copy) is type(declared)
        assert not declared.is_ready and declared.metadata == {}

    def test_its_packages(self) -> None:
        plain, inferring = BentoServiceEnv(), BentoServiceEnv(infer_pip_packages=True)
        self.make().set_dependencies(plain)
        self.make().set_dependencies(inferring)
        assert set(plain.requested_packages()) == self.ALWAYS_PIP
        assert set(inferring.requested_packages()) == self.ALWAYS_PIP | self.INFERRED_PIP
