"""How a prediction service is written: a class, its decorators and its artifacts.

Names are imported on first use. `artifacts` and `env` are modules here; the decorators of those
names live in `bentoml` and, as in the 0.13 line, here with the suffix `_decorator`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .artifacts.base import BentoServiceArtifact as BentoServiceArtifact
    from .artifacts.collection import ArtifactCollection as ArtifactCollection
    from .base import BentoService as BentoService
    from .decorators import api as api_decorator
    from .decorators import artifacts as artifacts_decorator
    from .decorators import env as env_decorator
    from .decorators import ver as ver_decorator
    from .decorators import web_static_content as web_static_content_decorator
    from .env import BentoServiceEnv as BentoServiceEnv
    from .inference_api import InferenceAPI as InferenceAPI
    from .saving import save as save

_PUBLIC = {
    "ArtifactCollection": "artifacts.collection",
    "BentoService": "base",
    "BentoServiceArtifact": "artifacts.base",
    "BentoServiceEnv": "env",
    "InferenceAPI": "inference_api",
    "api_decorator": "decorators:api",
    "artifacts_decorator": "decorators:artifacts",
    "env_decorator": "decorators:env",
    "save": "saving",
    "ver_decorator": "decorators:ver",
    "web_static_content_decorator": "decorators:web_static_content",
}

__all__ = [
    "ArtifactCollection",
    "BentoService",
    "BentoServiceArtifact",
    "BentoServiceEnv",
    "InferenceAPI",
    "api_decorator",
    "artifacts_decorator",
    "env_decorator",
    "save",
    "ver_decorator",
    "web_static_content_decorator",
]


def __getattr__(name: str) -> Any:
    target = _PUBLIC.get(name)
    if target is None:
        raise AttributeError(f"module 'bentoml.service' has no attribute '{name}'")
    module_name, _, attribute = target.partition(":")
    value = getattr(importlib.import_module(f"{__name__}.{module_name}"), attribute or name)
    globals()[name] = value
    return value
