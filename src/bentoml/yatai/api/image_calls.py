"""RPCs about container images."""

from __future__ import annotations

from typing import Any

from bentoml.exceptions import FailedPrecondition
from bentoml.yatai.access import WRITE, Caller
from bentoml.yatai.registry import Registry

Fields = dict[str, Any]


class ImageCalls:
    """Handlers by RPC."""

    def __init__(self, registry: Registry) -> None:
        self._bundles = registry.bundles

    def containerize_bento(self, caller: Caller, request: Fields) -> Fields:
        caller.require(WRITE)
        record = self._bundles.find(request["bento_name"], request["bento_version"])
        raise FailedPrecondition(
            f"This server builds no images. Pull {record.tag} and build its Dockerfile where docker runs."
        )
