"""Settings of every process: one frozen object, built once at the entry point and passed down.

`home()` needs the standard library only; the rest loads pydantic, so it is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .paths import config_file, home

if TYPE_CHECKING:
    from .load import load_settings
    from .model import CorsSettings, LoggingSettings, Settings, TracingSettings
    from .server_groups import LimitSettings, ServerSettings

_LAZY = {
    "load_settings": "load",
    "CorsSettings": "model",
    "LimitSettings": "server_groups",
    "LoggingSettings": "model",
    "ServerSettings": "server_groups",
    "Settings": "model",
    "TracingSettings": "model",
}
__all__ = [
    "CorsSettings",
    "LimitSettings",
    "LoggingSettings",
    "ServerSettings",
    "Settings",
    "TracingSettings",
    "config_file",
    "home",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only when something lazy is asked for

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
