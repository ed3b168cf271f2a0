"""A web application over a real service in this process: real bundle, real adapters, no sockets."""

from __future__ import annotations

import importlib.util
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio.to_thread
import pytest
from starlette.testclient import TestClient

from bentoml.batching.stats import ApiStats
from bentoml.bundle.load import load_from_dir
from bentoml.bundle.save import write_bundle
from bentoml.inference.pipeline import Pipeline
from bentoml.server.app import build_app
from bentoml.service.openapi import build_openapi
from bentoml.settings import Settings, load_settings
from bentoml.types import Payload, RequestHead

SERVICE = '''
import bentoml
from bentoml.adapters import JsonInput, StringInput


class Sample(bentoml.BentoService):
    """
    # About Sample

    Adds **numbers**.
    """

    @bentoml.api(input=JsonInput(), batch=True, mb_max_batch_size=10, example=[1, 2])
    def predict(self, rows):
        """The sum of each row."""
        return [sum(row) for row in rows]

    @bentoml.api(input=StringInput(), batch=False, route="v1/shout")
    def shout(self, text):
        return text.upper()
'''


class LocalState:
    """The application's view of a service that lives in this process."""

    def __init__(self, bundle: Path, settings: Settings, metrics_dir: Path | None = None) -> None:
        self.settings = settings
        self.metrics_dir = metrics_dir
        self.bundle_path = bundle
        self.service = load_from_dir(bundle)
        self.descriptor = read(bundle)
        self.pipelines = {api.route: Pipeline(api) for api in self.service.inference_apis}
        self.stats = {route: ApiStats(route) for route in self.pipelines}
        self.readme = type(self.service).__doc__ or ""
        self.not_ready = ""
        self.loaded = True
        self.broken = False

    def openapi(self) -> dict[str, Any] | None:
        return build_openapi(self.service) if self.loaded else None

    def is_ready(self) -> tuple[bool, str]:
        return not self.not_ready, self.not_ready or "ready"

    @property
    def rejected(self) -> dict[int, int]:
        return {431: 2}

    def worker_table(self) -> list[dict[str, Any]]:
        return [
            {"state": "ready", "restarts": 2, "recycled": 4},
            {"state": "starting", "restarts": 1, "recycled": 0},
        ]

    def queue_table(self) -> list[dict[str, Any]]:
        row = {
            "waiting": 3,
            "oldest_s": 0.125,
            "cost_fixed_s": 0.5,
            "cost_per_request_s": 0.25,
            "batches_seen": 9,
        }
        return [{"route": route, **row} for route in self.pipelines]

    def prediction_methods(self, route: str) -> tuple[str, ...] | None:
        return ("GET", "POST") if route in self.pipelines else None

    async def predict(
        self, route: str, raw_head: bytes, body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        if self.broken:
            raise RuntimeError("the secret is 42")
        request_id = str(uuid.uuid4())
        payload = Payload(body, RequestHead(raw_head), request_id)
        (reply,) = await anyio.to_thread.run_sync(self.pipelines[route].run, [payload])
        self.stats[route].of_status(reply.head.status).observe(0.001)
        fields = [
            (b"content-type", reply.head.content_type.encode()),
            (b"x-request-id", request_id.encode()),
        ]
        return reply.head.status, fields, reply.body


def read(bundle: Path) -> Any:
    from bentoml.bundle.descriptor import read_descriptor

    return read_descriptor(bundle)


def import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    source = folder / "sample_service_of_app_tests.py"
    source.write_text(SERVICE)
    module = import_file(source)
    service = module.Sample()
    service.set_version("v1_A")
    target = tmp_path_factory.mktemp("bundle")
    write_bundle(service, target, check_import=False)
    yield target
    sys.modules.pop(source.stem, None)


@pytest.fixture
def make_state(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LocalState]:
    import os

    for name in list(os.environ):
        if name.startswith("BENTOML_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))

    def make(metrics_dir: Path | None = None, **settings: Any) -> LocalState:
        return LocalState(bundle, load_settings(**settings), metrics_dir)

    return make


@pytest.fixture
def make_client(make_state: Callable[..., LocalState]) -> Callable[..., tuple[TestClient, LocalState]]:
    def make(**settings: Any) -> tuple[TestClient, LocalState]:
        state = make_state(**settings)
        return TestClient(build_app(state), follow_redirects=False), state

    return make


@pytest.fixture
def client(make_client: Callable[..., tuple[TestClient, LocalState]]) -> TestClient:
    return make_client()[0]
