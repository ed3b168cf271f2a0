"""Options of the operators `docker` and `podman`, and the words of `create` that follow from a plan."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from bentoml.deploy.config import OperatorConfig

from .engine import OWNER, REVISION

INNER_PORT = 5000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z", re.ASCII)


class ContainerConfig(OperatorConfig):
    """What can be said about a service in a container.

    Attributes:
        image: one that was built by `containerize`, instead of building one.
        start_within_s: how long a new container may take until it is ready.
    """

    image: str | None = Field(None, pattern=r"^[A-Za-z0-9\[][A-Za-z0-9_.:/@\[\]-]{0,254}$")
    build_args: dict[str, str] = Field(default_factory=dict)
    network: Literal["bridge", "host"] = "bridge"
    memory: str | None = Field(None, pattern=r"^[1-9][0-9]{0,14}[bkmg]?$")
    cpus: float | None = Field(None, gt=0, le=4096)
    gpus: bool = False
    grace_s: float = Field(30.0, ge=0, le=3600)
    start_within_s: float = Field(300.0, gt=0, le=3600)
    log_bytes: int = Field(10 << 20, ge=4096)
    log_files: int = Field(5, ge=1, le=100)

    @field_validator("environment")
    @classmethod
    def _lines(cls, value: dict[str, str]) -> dict[str, str]:
        """Engines read variables from a file with one line for each."""
        for name, text in value.items():
            if not _VARIABLE.match(name) or any(character in text for character in "\n\r\0"):
                raise ValueError(f"{name!r} is no name of a variable, or its value has several lines")
        return value


def resource_words(engine: str, config: ContainerConfig) -> list[str]:
    """Limits, devices and the engine's own log files."""
    words: list[str] = []
    if config.memory:
        words.append(f"--memory={config.memory}")
    if config.cpus:
        words.append(f"--cpus={config.cpus:g}")
    if config.gpus:
        words.append("--gpus=all" if engine == "docker" else "--device=nvidia.com/gpu=all")
    if engine == "docker":
        words += [
            "--log-driver=json-file",
            f"--log-opt=max-size={config.log_bytes}b",
            f"--log-opt=max-file={config.log_files}",
            "--restart=unless-stopped",
        ]
    else:
        # Podman starts again at once, without a pause; the operator goes on, with longer and longer ones.
        words += [
            "--log-driver=k8s-file",
            f"--log-opt=max-size={config.log_bytes}b",
            "--restart=on-failure:3",
        ]
    return words


def create_words(plan: dict[str, Any], owner: str, variables: Path) -> list[str]:
    """What follows `create` for a plan; `variables` is the file with its environment."""
    if plan["network"] == "host":
        where = ["--network=host"]
    else:
        host = f"[{plan['host']}]" if ":" in plan["host"] else plan["host"]
        where = [f"--publish={host}:{plan['port']}:{INNER_PORT}"]
    return [
        f"--name={plan['container']}",
        f"--label={OWNER}={owner}",
        f"--label={REVISION}={plan['revision']}",
        f"--env-file={variables}",
        "--no-healthcheck",  # the operator asks from outside, where requests come from
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        *where,
        *plan["resources"],
        plan["image"],
        *plan["arguments"],
    ]


def variables_text(plan: dict[str, Any]) -> str:
    """The environment of the container, one variable a line."""
    inner = {"BENTOML_PORT": str(INNER_PORT), "BENTOML_HOST": "0.0.0.0"}
    if plan["network"] == "host":
        inner = {"BENTOML_PORT": str(plan["port"]), "BENTOML_HOST": plan["host"]}
    return "".join(f"{name}={text}\n" for name, text in {**inner, **plan["environment"]}.items())
