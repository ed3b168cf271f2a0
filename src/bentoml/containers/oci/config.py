"""The configuration of an image: what our Dockerfile says, on top of what the base says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bentoml.bundle.container_files import DEFAULT_PORT, VENV, health_check_command

from .base_image import BaseImage
from .image_python import search_path

HOME = "home/bentoml"
BUNDLE = f"{HOME}/bundle"
USER = "bentoml"

_SECOND_NS = 1_000_000_000


def image_config(
    base: BaseImage,
    diff_ids: Sequence[str],
    labels: Mapping[str, str],
    steps: Sequence[str],
    created: str,
) -> dict[str, Any]:
    """The JSON document. `steps` says what made each layer of ours, `created` when (RFC 3339)."""
    inherited = base.config.get("config")
    inner: dict[str, Any] = dict(inherited) if isinstance(inherited, dict) else {}
    inner.pop("OnBuild", None)
    inner.pop("ArgsEscaped", None)
    inner.update(
        User=USER,
        Env=_environment(inner.get("Env"), base),
        WorkingDir=f"/{BUNDLE}",
        Entrypoint=["./docker-entrypoint.sh"],
        Cmd=["bentoml", "serve-gunicorn", "./"],
        ExposedPorts={**(inner.get("ExposedPorts") or {}), f"{DEFAULT_PORT}/tcp": {}},
        Labels={**(inner.get("Labels") or {}), **labels},
        # No field of the standard: Docker, and what converts to Docker's format, keep it.
        Healthcheck={
            "Test": ["CMD", *health_check_command()],
            "Interval": 30 * _SECOND_NS,
            "Timeout": 5 * _SECOND_NS,
            "StartPeriod": 60 * _SECOND_NS,
        },
    )
    history = base.config.get("history")
    document: dict[str, Any] = {
        "created": created,
        "architecture": base.platform.architecture,
        "os": base.platform.os,
        "config": inner,
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [
            *(history if isinstance(history, list) else []),
            *({"created": created, "created_by": step} for step in steps),
        ],
    }
    if variant := base.config.get("variant"):
        document["variant"] = variant
    return document


def _environment(inherited: object, base: BaseImage) -> list[str]:
    ours = {
        "BUNDLE_PATH": f"/{BUNDLE}",
        "BENTOML_HOME": f"/{HOME}/",
        "PYTHONUNBUFFERED": "1",
        "PATH": f"{VENV}/bin:{search_path(base.config)}",
    }
    known = [text for text in (inherited if isinstance(inherited, list) else []) if isinstance(text, str)]
    kept = [text for text in known if text.partition("=")[0] not in ours]
    return [*kept, *(f"{name}={value}" for name, value in ours.items())]
