"""A server with a few bundles, and a browser-like client of its pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from bentoml.repository.base import BundleRecord
from tests.yatai.conftest import Running

Add = Callable[..., BundleRecord]


class Site:
    """A browser without scripts: keeps cookies, follows redirects, sends forms with their secret."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, follow_redirects=True, timeout=30)

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:400])
        return answer.text

    def json(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.text[:400])
        return answer.json()

    def send(self, form_on: str, path: str, **fields: str) -> httpx.Response:
        """Send a form of the page `form_on`, as one of its buttons would."""
        secret = re.search(r'name="csrf" value="([^"]+)"', self.get(form_on))
        assert secret, f"{form_on} has no form"
        return self.client.post(path, data={"csrf": secret[1], **fields})


@pytest.fixture
def site(server: Running) -> Iterator[Site]:
    found = Site(server.url)
    yield found
    found.client.close()
