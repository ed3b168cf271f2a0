"""A home directory that the real 0.13.1 filled: its bundles are listed, loaded, and added to here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bentoml
from bentoml.exceptions import BentoMLException
from bentoml.repository.local import LocalRepository
from bentoml.yatai.client import get_yatai_client

from .case import CENTROID, ECHO, FILES, FRAME, IRIS, WORDS
from .home import bundle_path, install_home

SECOND_IRIS_PREFIX = "IrisClassifier:20"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    target = install_home(tmp_path / "home")
    monkeypatch.setenv("BENTOML_HOME", str(target))
    return target


def test_list_has_what_013_saved_newest_first(home: Path) -> None:
    tags = [record.tag for record in LocalRepository(home).list()]
    assert tags[:5] == [WORDS, FILES, FRAME, ECHO, CENTROID]
    assert tags[6] == IRIS
    assert tags[5].startswith(SECOND_IRIS_PREFIX)
    assert len(tags) == 7  # WordCounter:0.9.0 was deleted


def test_labels_and_selectors(home: Path) -> None:
    repository = LocalRepository(home)
    assert repository.get("IrisClassifier", "20210926174550_16DCF9").labels == {
        "stage": "prod",
        "team": "flowers",
    }
    assert [r.tag for r in repository.list(labels="stage=prod")] == [CENTROID, IRIS]
    assert [r.tag for r in repository.list(labels="team=flowers, stage in (prod)")] == [IRIS]


def test_latest_is_the_last_that_was_saved(home: Path) -> None:
    repository = LocalRepository(home)
    newest = repository.get("IrisClassifier")
    assert newest.labels["dataset"] == "iris-2021.09"
    assert repository.resolve("IrisClassifier:latest") == bundle_path(newest.tag, home)


def test_a_deleted_version_is_gone_and_can_be_saved_again(home: Path) -> None:
    repository = LocalRepository(home)
    with pytest.raises(BentoMLException, match=r"WordCounter:0\.9\.0"):
        repository.get("WordCounter", "0.9.0")
    service = bentoml.load(str(bundle_path(WORDS)))
    service.set_version("0.9.0")
    service.save()
    assert repository.get("WordCounter").tag == "WordCounter:0.9.0"


def test_0_13_rows_survive_our_changes(home: Path) -> None:
    repository = LocalRepository(home)
    repository.delete("FrameService", "1.0.0")
    assert not bundle_path(FRAME, home).exists()
    connection = sqlite3.connect(home / "storage.db")
    names = [name for (name,) in connection.execute("SELECT name FROM bentos WHERE NOT deleted ORDER BY id")]
    connection.close()
    assert names == [
        "IrisClassifier",
        "IrisClassifier",
        "NearestCentroid",
        "EchoService",
        "FileService",
        "WordCounter",
    ]


def _iris(service: Any) -> None:
    assert service.predict([[5.1, 3.5, 1.4, 0.2], [6.9, 3.1, 5.4, 2.1]]) == [0, 2]
    assert service.artifacts["model"].metadata == {"accuracy": 0.97, "trained_on": "iris"}


def _centroid(service: Any) -> None:
    assert service.predict([[6.0, 2.9, 4.5, 1.5]]) == ["versicolor"]
    assert service.version == "2.1.7"


def _words(service: Any) -> None:
    assert service.score("good good bad day") == 2
    assert service.artifacts.settings == {"language": "de", "größe": [1, 2.5, None]}
    assert service.artifacts.banner == "# Wörter\n\nzählen\n"
    assert service.artifacts.words == ["good", "bad", "grün"]


@pytest.mark.filterwarnings("ignore:Trying to unpickle estimator")
@pytest.mark.parametrize(("tag", "works"), [(IRIS, _iris), (CENTROID, _centroid), (WORDS, _words)])
def test_bundle_loads_and_works(home: Path, tag: str, works: Callable[[Any], None]) -> None:
    service = get_yatai_client().repository.load(tag)
    assert service.tag == tag
    works(service)


@pytest.mark.parametrize("tag", [IRIS, CENTROID, ECHO, FRAME, FILES, WORDS])
def test_openapi_of_013_lists_paths_we_have_too(tag: str) -> None:
    path = bundle_path(tag)
    saved = json.loads((path / "docs.json").read_text("utf-8"))
    routes = {f"/{api.route}" for api in bentoml.load(str(path)).inference_apis}
    infra = {"/healthz", "/metadata", "/metrics", "/feedback"}
    assert set(saved["paths"]) - infra == routes
