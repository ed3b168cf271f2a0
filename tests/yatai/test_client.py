"""The Python client: 0.13's methods on the local repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from bentoml.exceptions import AlreadyExists, BentoMLRpcError, InvalidArgument, NotFound
from bentoml.rpc.options import ClientOptions
from bentoml.settings.model import YataiSettings
from bentoml.yatai.client import YataiClient, get_yatai_client
from tests.repository.bundles import make_bundle


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> YataiClient:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    return get_yatai_client()


@pytest.fixture
def upload(client: YataiClient, tmp_path: Path) -> Callable[..., str]:
    def upload_bundle(name: str, version: str, labels: dict[str, str] | None = None) -> str:
        source = make_bundle(tmp_path / "sources" / f"{name}-{version}", name, version)
        return client.repository.upload_from_dir(str(source), labels)

    return upload_bundle


def tags(client: YataiClient, **options: object) -> list[str]:
    return [bento.tag for bento in client.repository.list(**options)]  # type: ignore[arg-type]


def test_get_has_the_attributes_of_013(client: YataiClient, upload: Callable[..., str]) -> None:
    location = upload("Iris", "1", {"env": "prod"})
    bento = client.repository.get("Iris:latest")
    assert (bento.name, bento.version, bento.uri.uri, bento.uri.type) == ("Iris", "1", location, 1)
    metadata = bento.bento_service_metadata
    assert dict(metadata.labels) == {"env": "prod"}
    assert metadata.apis[0].input_type == "JsonInput"
    assert metadata.artifacts[0].artifact_type == "PickleArtifact"
    assert metadata.env.python_version == "3.11.7"
    assert bento.status.status == 2
    with pytest.raises(InvalidArgument, match="in the format of name:version"):
        client.repository.get("Iris")


def test_upload_refuses_a_known_tag(client: YataiClient, upload: Callable[..., str], tmp_path: Path) -> None:
    upload("Iris", "1")
    with pytest.raises(AlreadyExists):
        client.repository.upload_from_dir(make_bundle(tmp_path / "again", "Iris", "1"))


def test_list_takes_013_arguments(client: YataiClient, upload: Callable[..., str]) -> None:
    for version in ("1", "2", "3"):
        upload("Iris", version, {"v": version})
    upload("Other", "1")
    assert tags(client, bento_name="Iris", limit=2) == ["Iris:3", "Iris:2"]
    assert tags(client, labels="v In (1,3)", ascending_order=True) == ["Iris:1", "Iris:3"]
    assert tags(client, offset=3) == ["Iris:1"]
    assert tags(client, order_by="name")[0] == "Other:1"


def test_delete_of_name_and_version_deletes_that_one(client: YataiClient, upload: Callable[..., str]) -> None:
    for version in ("1", "2"):
        upload("Iris", version)
    client.repository.delete(bento_name="Iris", bento_version="1")
    assert tags(client) == ["Iris:2"]


def test_delete_by_tag_name_labels_and_prune(client: YataiClient, upload: Callable[..., str]) -> None:
    for name, version in (("A", "1"), ("A", "2"), ("B", "1"), ("C", "1"), ("D", "1")):
        upload(name, version, {"n": name})
    client.repository.delete("A:1")
    assert "A:1" not in tags(client)
    client.repository.delete(bento_name="A")
    client.repository.delete(labels="n=B")
    assert tags(client) == ["D:1", "C:1"]
    with pytest.raises(InvalidArgument, match="prune=True"):
        client.repository.delete()
    with pytest.raises(InvalidArgument, match="Too much arguments"):
        client.repository.delete("C:1", bento_name="C")
    with pytest.raises(InvalidArgument, match="needs a bento_name"):
        client.repository.delete(bento_version="1")
    with pytest.raises(NotFound):
        client.repository.delete("Nope:1")
    assert tags(client) == ["D:1", "C:1"]
    client.repository.delete(prune=True)
    assert tags(client) == []


def test_retrieve_copies_the_files(client: YataiClient, upload: Callable[..., str], tmp_path: Path) -> None:
    upload("Iris", "1")
    client.repository.retrieve("Iris:latest", tmp_path / "a")
    client.repository.download_to_directory(client.repository.get("Iris:1"), str(tmp_path / "b"))
    for name in "ab":
        assert (tmp_path / name / "Iris/artifacts/model.pkl").read_bytes() == b"weights"


def test_server_that_is_not_there_is_named(
    client: YataiClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bentoml.rpc.channel.FIRST_PAUSE_S", 0.001)
    with pytest.raises(BentoMLRpcError, match=r"127\.0\.0\.1:1' cannot be reached"):
        get_yatai_client("127.0.0.1:1").repository.list()
    with pytest.raises(InvalidArgument, match="no address of a Yatai server"):
        get_yatai_client("ftp://somewhere")
    with pytest.raises(InvalidArgument, match="need a server"):
        client.repository.push("Iris:1")
    config = tmp_path / "config.yml"
    config.write_text("yatai:\n  remote:\n    url: http://127.0.0.1:1\n")
    monkeypatch.setenv("BENTOML_CONFIG", str(config))
    with pytest.raises(BentoMLRpcError, match=r"http://127\.0\.0\.1:1"):
        get_yatai_client().repository.get("Iris:1")


def test_configured_directory_and_database_are_used(
    client: YataiClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config.yml"
    config.write_text(
        f"yatai:\n  repository:\n    file_system:\n      directory: {tmp_path}/bundles\n"
        f"  database:\n    url: sqlite:///{tmp_path}/db/index.db\n"
    )
    monkeypatch.setenv("BENTOML_CONFIG", str(config))
    source = make_bundle(tmp_path / "source", "Iris", "1")
    assert get_yatai_client().repository.upload_from_dir(source) == f"{tmp_path}/bundles/Iris/1"
    assert (tmp_path / "db/index.db").is_file()
    assert not (tmp_path / "home").exists()


def test_client_of_a_server_loads_neither_the_settings_nor_the_database() -> None:
    """Each takes longer than the rest of a push of a small bundle."""
    program = (
        "import sys; from bentoml.yatai.client import get_yatai_client; "
        "get_yatai_client('127.0.0.1:1'); import bentoml.repository.peek; "
        "print(sorted({'sqlalchemy', 'pydantic', 'alembic'} & set(sys.modules)))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BENTOML_")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_defaults_of_a_connection_are_those_of_the_settings() -> None:
    settings = YataiSettings()
    for one in fields(ClientOptions):
        assert getattr(ClientOptions(), one.name) == getattr(settings, one.name), one.name
