"""The calls of the protocol, on a server or in this process: one way for both."""

from __future__ import annotations

from typing import Any, Protocol

from bentoml.rpc import convert
from bentoml.rpc.channel import RpcClient
from bentoml.settings import Settings

from .access import LOCAL
from .api.admin_calls import AdminCalls
from .api.bundle_calls import BundleCalls
from .api.deployment_calls import DeploymentCalls
from .api.handlers import handler_of
from .api.retention_calls import RetentionCalls
from .registry import open_registry


class Calls(Protocol):
    """Something that answers calls by name."""

    def call(self, name: str, /, **fields: Any) -> dict[str, Any]:
        """The answer's fields. Raises `BentoMLException`."""
        ...


class LocalCalls:
    """The registry of this machine's home, used directly; whoever may read its files may do everything."""

    def __init__(self, settings: Settings) -> None:
        registry = open_registry(settings)
        self._groups = (
            BundleCalls(registry),
            RetentionCalls(registry),
            AdminCalls(registry),
            DeploymentCalls(registry),
        )

    def call(self, name: str, /, **fields: Any) -> dict[str, Any]:
        fields.pop("timeout_s", None)  # nothing is sent anywhere
        method = convert.method(name)
        request = convert.read(method.request, convert.write(method.request, fields))
        handler = handler_of(self._groups, name)
        answer = handler(LOCAL, request)
        data = answer if isinstance(answer, bytes) else convert.write(method.response, answer)
        return convert.read(method.response, data)


def open_calls(url: str | None, settings: Settings) -> Calls:
    """The calls of the server at `url`, of the one in the settings, or of this machine's home."""
    remote = url or settings.yatai.remote_url
    return RpcClient(remote, settings.yatai) if remote else LocalCalls(settings)
