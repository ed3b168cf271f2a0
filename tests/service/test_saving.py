"""From the authoring side through the real bundle and repository, and back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bentoml
from bentoml.exceptions import ArtifactLoadingException, BentoMLException
from bentoml.types import HTTPRequest


def test_save_returns_a_path_and_the_bundle_answers(service_class: Any, tmp_path: Path) -> None:
    service = service_class().pack("offset", 10, metadata={"unit": "one"})
    service.labels = {"team": "vision"}
    location = service.save(version="1.2.3", labels={"stage": "test"})
    assert isinstance(location, str)
    assert Path(location) == tmp_path / "home/repository" / service_class.__name__ / "1.2.3"
    from bentoml.repository.open import open_repository

    record = open_repository().get(service_class.__name__, "1.2.3")
    assert dict(record.labels) == {"team": "vision", "stage": "test"}
    loaded = bentoml.load(location)
    assert loaded.tag == service.tag and loaded.artifacts["offset"].metadata == {"unit": "one"}
    batch, single = loaded.get_inference_api("predict"), loaded.get_inference_api("later")
    answers = batch.handle_batch_request([HTTPRequest(body=b"1"), HTTPRequest(body=b"2")])
    assert [a.body for a in answers] == [b"11", b"12"] and answers[0].status == 200
    assert b'"discarded":false' in bytes(single.handle_request(HTTPRequest(body=b"3")).body).replace(
        b" ", b""
    )


def test_saving_the_same_version_twice_is_refused(service_class: Any) -> None:
    service = service_class().pack("offset", 1)
    service.save()
    with pytest.raises(BentoMLException, match="already registered"):
        service.save()
    service.set_version("again")
    assert service.save().endswith("again")


def test_save_to_dir(service_class: Any, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    service_class().pack("offset", 5).save_to_dir(str(target), version="9")
    assert bentoml.load_from_dir(str(target)).version == "9"
    with pytest.raises(BentoMLException, match="not found"):
        service_class().pack("offset", 5).save_to_dir(str(tmp_path / "missing"))


def test_an_artifact_that_was_never_packed_is_named_at_both_ends(
    service_class: Any, caplog: pytest.LogCaptureFixture
) -> None:
    location = service_class().save()
    assert "Missing declared artifact 'offset'" in caplog.text
    assert "Skip saving empty artifact, PickleArtifact('offset')" in caplog.text
    with pytest.raises(ArtifactLoadingException, match="was not packed when the bundle was saved"):
        bentoml.load(location)


def test_deprecated_save_warns_and_takes_a_base_path(service_class: Any, tmp_path: Path) -> None:
    service = service_class().pack("offset", 1)
    with pytest.warns(DeprecationWarning, match="call save\\(\\) on the service instance"):
        location = bentoml.save(service, base_path=str(tmp_path / "elsewhere"), version="4")
    assert Path(location) == tmp_path / "elsewhere" / service_class.__name__ / "4"
    assert bentoml.load(location).artifacts.offset == 1


def test_inferred_versions_always_name_the_library(service_class: Any) -> None:
    assert service_class().infer_pip_dependencies_map() == {"bentoml": bentoml.__version__}


def test_env_writes_its_files_alone(service_class: Any, tmp_path: Path) -> None:
    env = service_class().env
    env.set_setup_sh("echo hi\n")
    env.save(str(tmp_path))
    assert (tmp_path / "setup.sh").read_text() == "echo hi\n"
    assert (tmp_path / "requirements.txt").is_file() and (tmp_path / "environment.yml").is_file()


REPL = """
import bentoml
from bentoml.adapters import JsonInput

class Typed(bentoml.BentoService):
    @bentoml.api(input=JsonInput())
    def predict(self, item):
        return item

try:
    Typed().save()
except bentoml.exceptions.BentoMLException as err:
    print("REFUSED", err)
"""


def test_a_class_typed_into_an_interpreter_is_refused_with_the_fix(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-"],
        input="import bentoml.exceptions\n" + REPL,
        capture_output=True,
        text=True,
        env={**os.environ, "BENTOML_HOME": str(tmp_path)},
    )
    assert "REFUSED BentoService 'Typed' is defined in an interactive session" in done.stdout, done.stderr
    assert "Write the class to a file" in done.stdout
    assert not (tmp_path / "repository/Typed").exists()


WARNED = """
import bentoml

@bentoml.env(pip_packages=["absent-package==1.0"])
class Warned(bentoml.BentoService):
    pass

if __name__ == "__main__":
    service = Warned()
    service.set_version("1")
    service.set_version("2")
    service.save()
"""


def test_every_line_of_saving_has_the_format_users_know(tmp_path: Path) -> None:
    (tmp_path / "warned.py").write_text(WARNED)
    done = subprocess.run(
        [sys.executable, "warned.py"],
        cwd=tmp_path,
        env={**os.environ, "BENTOML_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    kinds = [re.match(r"\[[^]]+\] (\w+) - (\w+ \w+)", line) for line in done.stdout.splitlines()]
    assert [kind and kind.groups() for kind in kinds] == [
        ("WARNING", "Resetting BentoService"),
        ("WARNING", "pip package"),
        ("INFO", "BentoService bundle"),
    ]
    assert done.stderr == ""
