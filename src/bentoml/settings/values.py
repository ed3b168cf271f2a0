"""Types of single settings: what a file or a variable may hold, and what it becomes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from .paths import expand


def _worker_count(value: Any) -> Any:
    return (os.cpu_count() or 1) // 2 + 1 if value is None else value


def _prefix(value: str) -> str:
    path = value.strip().strip("/")
    if any(c in path for c in "?#\\\r\n\t\"'<> ") or ".." in path.split("/"):
        raise ValueError("a prefix is a plain URL path such as /models/iris")
    return f"/{path}" if path else ""


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _words(value: Any) -> Any:
    return tuple(w.strip() for w in value.split(",") if w.strip()) if isinstance(value, str) else value


def _ports(value: Any) -> Any:
    return tuple(value.split("-")) if isinstance(value, str) and "-" in value else value


def _ascending(ports: tuple[int, int]) -> tuple[int, int]:
    if not 1 <= ports[0] <= ports[1] <= 65535:
        raise ValueError("a range of ports is written FIRST-LAST, such as 5100-5999")
    return ports


def _path(value: Any) -> Any:
    return expand(value) if isinstance(value, str) else value


def _devices(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return (str(value),)
    if isinstance(value, (list, tuple)):
        return tuple(str(device) for device in value)
    return _words(value)


def _known_device(name: str) -> str:
    if not re.fullmatch(r"\d+|cpu|(GPU|MIG)-[\w/-]+", name, re.IGNORECASE | re.ASCII):
        raise ValueError("a device is a number, cpu, or the id of a GPU as nvidia-smi -L prints it")
    return name


Devices = Annotated[
    tuple[Annotated[str, AfterValidator(_known_device)], ...] | None, BeforeValidator(_devices)
]
WorkerCount = Annotated[int, BeforeValidator(_worker_count), Field(gt=0)]
Prefix = Annotated[str, AfterValidator(_prefix)]
Level = Annotated[Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"], BeforeValidator(_upper)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Ports = Annotated[tuple[int, int], BeforeValidator(_ports), AfterValidator(_ascending)]
LocalPath = Annotated[Path, BeforeValidator(_path)]


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
