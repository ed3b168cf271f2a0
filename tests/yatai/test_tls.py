"""TLS of the server, of its pages and of the client, with certificates of a real authority."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="the extra `sign` is not installed")

from bentoml.exceptions import BentoMLConfigException
from bentoml.repository.base import BundleRecord
from bentoml.rpc.channel import RpcClient, Unreachable
from bentoml.settings import load_settings
from bentoml.yatai.client import get_yatai_client
from bentoml.yatai.remote.repository import RemoteRepository

from .certificates import Authority, Pair
from .conftest import Running

Add = Callable[..., BundleRecord]


@pytest.fixture
def db_url() -> None:
    """What is tested here knows no database."""
    return


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bentoml.rpc.channel.FIRST_PAUSE_S", 0.01)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


def tags(url: str, **settings: object) -> list[str]:
    repository = RemoteRepository(RpcClient(url, load_settings(**settings).yatai))
    try:
        return [record.tag for record in repository.list()]
    finally:
        repository.client.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_client_that_trusts_the_authority_is_answered(
    start: Callable[..., Running], add: Add, authority: Authority, host: str, tmp_path: Path
) -> None:
    pair, other = authority.issue("server"), Authority(tmp_path, "other")
    server = start(tls_certificate=pair.certificate, tls_key=pair.key)
    add("Iris", "1")
    port = server.server.grpc_port
    trusting = {"yatai__tls_root_ca_cert": str(authority.root)}
    assert tags(f"grpcs://{host}:{port}", **trusting) == ["Iris:1"]
    assert tags(f"https://{host}:{port}", **trusting) == ["Iris:1"]
    for url, settings in (
        (f"grpcs://{host}:{port}", {}),  # the system's authorities do not know this one
        (f"grpcs://{host}:{port}", {"yatai__tls_root_ca_cert": str(other.root)}),
        (f"{host}:{port}", trusting),  # no TLS at all
    ):
        with pytest.raises(Unreachable, match="cannot be reached"):
            tags(url, **settings)


def test_pages_are_served_over_tls(start: Callable[..., Running], authority: Authority) -> None:
    pair = authority.issue("server")
    server = start(tls_certificate=pair.certificate, tls_key=pair.key)
    url = f"https://127.0.0.1:{server.server.ui_port}/repository.json"
    trusting = ssl.create_default_context(cafile=str(authority.root))
    with urllib.request.urlopen(url, timeout=60, context=trusting) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
        urllib.request.urlopen(url, timeout=60)


def test_server_that_asks_for_certificates_of_its_own_authority(
    start: Callable[..., Running], tmp_path: Path, authority: Authority
) -> None:
    pair, mine = authority.issue("server"), authority.issue("client")
    foreign = Authority(tmp_path, "foreign").issue("stranger")
    server = start(tls_certificate=pair.certificate, tls_key=pair.key, tls_client_ca=authority.root)
    url = f"grpcs://127.0.0.1:{server.server.grpc_port}"
    root = {"yatai__tls_root_ca_cert": str(authority.root)}

    def shown(client: Pair) -> dict[str, object]:
        return {
            **root,
            "yatai__tls_client_cert": str(client.certificate),
            "yatai__tls_client_key": str(client.key),
        }

    assert tags(url, **shown(mine)) == []
    for refused in (root, shown(foreign)):
        with pytest.raises(Unreachable):
            tags(url, **refused)


def test_one_of_two_files_or_a_file_that_is_none_is_named(
    start: Callable[..., Running], tmp_path: Path, authority: Authority
) -> None:
    pair = authority.issue("server")
    with pytest.raises(BentoMLConfigException, match="belong together"):
        start(tls_certificate=pair.certificate)
    with pytest.raises(BentoMLConfigException, match=r"yatai\.remote\.tls\.root_ca_cert.*gone"):
        tags("grpcs://127.0.0.1:1", yatai__tls_root_ca_cert=str(tmp_path / "gone"))


def test_get_yatai_client_takes_the_address_with_its_scheme(
    start: Callable[..., Running], authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = authority.issue("server")
    server = start(tls_certificate=pair.certificate, tls_key=pair.key)
    config = tmp_path / "config.yml"
    config.write_text(f"yatai: {{remote: {{tls: {{root_ca_cert: {authority.root}}}}}}}\n")
    monkeypatch.setenv("BENTOML_CONFIG", str(config))
    client = get_yatai_client(f"grpcs://localhost:{server.server.grpc_port}")
    assert client.repository.list() == []
