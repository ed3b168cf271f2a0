from __future__ import annotations

import os
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bentoml.exceptions import BentoMLException, InvalidArgument


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(port: int, body: bytes) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        content: bytes = response.read()
        return content


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_start_answer_and_stop(service_class: Any, caplog: pytest.LogCaptureFixture) -> None:
    service, port = service_class().pack("offset", 40), free_port()
    service.start_dev_server(port=port)
    try:
        assert f"======= starting dev server on port: {port} =======" in caplog.text
        assert ask(port, b"2") == b"42"
        directory = Path(service._dev_server._bundle_dir.name)
        assert directory.is_dir()
        service.start_dev_server(port=port)
        assert "There is already a running dev server" in caplog.text
    finally:
        service.stop_dev_server()
    assert "Dev server has stopped." in caplog.text
    assert not is_open(port) and not directory.exists()
    service.stop_dev_server()
    assert "No dev server is running." in caplog.text
    caplog.clear()
    service.stop_dev_server(skip_log=True)
    assert not caplog.records


def test_a_child_that_dies_is_reported_and_leaves_nothing(service_class: Any) -> None:
    service = service_class()  # never packed: the child cannot load it
    with pytest.raises(BentoMLException, match=r"ended with code [1-9]"):
        service.start_dev_server(port=free_port())
    assert service._dev_server is None


def test_a_taken_port_is_named(service_class: Any) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BentoMLException, match=f"Port {port} is in use"):
            service_class().pack("offset", 1).start_dev_server(port=port)


def test_ngrok_is_refused_with_the_way_round(service_class: Any) -> None:
    with pytest.raises(InvalidArgument, match="ngrok http"):
        service_class().start_dev_server(enable_ngrok=True)


def test_a_class_that_cannot_be_saved_leaves_no_directory(
    service_class: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    service = service_class().pack("offset", (x for x in ()))
    before = set(os.listdir(tmp_path))
    with pytest.raises(InvalidArgument, match="cannot be pickled"):
        service.start_dev_server(port=free_port())
    assert set(os.listdir(tmp_path)) == before
