"""RPCs about container images."""

from __future__ import annotations

from typing import Any

from bentoml.yatai.access import Caller
from bentoml.yatai.registry import Registry

Fields = dict[str, Any]


class ImageCalls:
    """Handlers by RPC."""

    def __init__(self, registry: Registry) -> None:
        self._images = registry.images

    def containerize_bento(self, caller: Caller, request: Fields) -> Fields:
        image = self._images.build(
            caller,
            request["bento_name"],
            request["bento_version"],
            request["tag"] or None,
            request["build_args"],
            request["push"],
            builder=request["builder"] or None,
            platforms=request["platforms"],
        )
        return {"status": {}, "tag": image.reference}
