"""Checks of an operator's `config`: unknown keys and wrong kinds are named, with what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bentoml.exceptions import InvalidArgument


class OperatorConfig(BaseModel):
    """What every operator that runs `bentoml serve` on this machine understands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int | None = Field(None, ge=1, le=65535)
    workers: int = Field(1, ge=1, le=1024)
    timeout_s: float | None = Field(None, gt=0)
    mb_max_batch_size: int | None = Field(None, ge=1)
    mb_max_latency: int | None = Field(None, ge=1)
    environment: dict[str, str] = Field(default_factory=dict)

    @field_validator("environment", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        """Numbers of YAML become text, as in a shell."""
        if not isinstance(value, Mapping):
            return value
        return {
            str(key): str(int(item) if isinstance(item, float) and item.is_integer() else item)
            for key, item in value.items()
        }

    @field_validator("environment")
    @classmethod
    def _names(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not name or "=" in name or "\0" in name + text or not name.isprintable():
                raise ValueError(f"{name!r} is no name of an environment variable")
        return value

    def serve_arguments(self) -> list[str]:
        """The options of `bentoml serve` that follow from it."""
        options = {
            "--workers": self.workers,
            "--timeout": self.timeout_s,
            "--mb-max-batch-size": self.mb_max_batch_size,
            "--mb-max-latency": self.mb_max_latency,
        }
        return [f"{name}={value:g}" for name, value in options.items() if value is not None]


def check_config(kind: type[OperatorConfig], operator: str, given: Mapping[str, Any]) -> Any:
    """The config of that kind. Raises `InvalidArgument`."""
    try:
        return kind(**{str(key): value for key, value in given.items()})
    except ValidationError as err:
        problem = err.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = sorted(kind.model_fields)
            close = get_close_matches(key, known, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"Known are: {', '.join(known)}."
            raise InvalidArgument(f"The operator '{operator}' has no option '{key[:64]}'. {hint}") from err
        shown = repr(problem.get("input"))[:80]
        raise InvalidArgument(
            f"Option '{key[:64]}' of the operator '{operator}' is {shown}: {problem['msg']}."
        ) from err


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What changed, one short text for each key."""
    keys = sorted(before.keys() | after.keys())
    return tuple(
        f"{key}: {before.get(key)} → {after.get(key)}" for key in keys if before.get(key) != after.get(key)
    )
