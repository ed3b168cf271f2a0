"""What the pages read: the use cases, who may call, and the settings."""

from __future__ import annotations

from dataclasses import dataclass

from bentoml.settings import Settings
from bentoml.yatai.api.auth import Authenticator
from bentoml.yatai.api.metrics import RpcMetrics
from bentoml.yatai.history import History
from bentoml.yatai.registry import Registry


@dataclass(frozen=True, slots=True)
class WebState:
    """Everything a page needs; made once by the composition root."""

    registry: Registry
    authenticator: Authenticator
    metrics: RpcMetrics
    settings: Settings
    history: History

    @property
    def prefix(self) -> str:
        """The URL path in front of every page, "" or "/team/yatai"."""
        path = self.settings.yatai.web_prefix_path.strip("./")
        return f"/{path}" if path else ""
