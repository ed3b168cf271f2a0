"""Commands that call a bundle's APIs, to be copied."""

from __future__ import annotations

import json
import shlex
from typing import Any

API_KEYS = ("docs", "input_config", "output_type", "batch", "mb_max_batch_size", "mb_max_latency")


def with_call(api: dict[str, Any], known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The API with its schema and a command that calls it."""
    route = str(api.get("route") or api.get("name"))
    operation = known.get(route, {})
    media_type = operation.get("media_type") or "application/json"
    example = operation.get("example")
    if media_type.startswith("multipart/") or media_type.startswith("image/"):
        data = "--form 'image=@FILE'" if media_type.startswith("multipart/") else "--data-binary @FILE"
    elif media_type == "application/octet-stream":
        data = "--data-binary @FILE"
    else:
        text = example if isinstance(example, str) else json.dumps({} if example is None else example)
        data = f"--data {shlex.quote(text)}"
    header = "" if data.startswith("--form") else f" --header {shlex.quote(f'Content-Type: {media_type}')}"
    curl = f"curl{header} {data} http://localhost:5000/{shlex.quote(route)}"
    shown = {"route": route, "curl": curl, "schema": operation.get("schema"), "example": example}
    return {**dict.fromkeys(API_KEYS), **api, **shown}
