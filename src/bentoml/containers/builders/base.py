"""What every engine is asked for, and the command lines they have in common."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bentoml.exceptions import InvalidArgument

_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One image to build.

    Attributes:
        context: directory with the Dockerfile.
        reference: `name:tag` of the image.
        platforms: such as `linux/arm64`; empty means the engine's own.
    """

    context: Path
    reference: str
    labels: Mapping[str, str] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    push: bool = False

    def __post_init__(self) -> None:
        for name, value in self.build_args.items():
            if not _ARGUMENT.match(name):
                raise InvalidArgument(f"Build argument {name[:64]!r} is not a name such as HTTP_PROXY")
            if any(unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") for character in value):
                raise InvalidArgument(f"The value of build argument {name!r} contains a control character")
        for platform in self.platforms:
            if not _PLATFORM.match(platform):
                raise InvalidArgument(f"Platform {platform[:64]!r} is not written like linux/amd64")

    def options(self) -> list[str]:
        """Labels and arguments, which all engines spell the same way."""
        words: list[str] = []
        for name, value in sorted(self.labels.items()):
            words += ["--label", f"{name}={value}"]
        for name, value in sorted(self.build_args.items()):
            words += ["--build-arg", f"{name}={value}"]
        if self.platforms:
            words += ["--platform", ",".join(self.platforms)]
        return words


class Builder(Protocol):
    """An engine on this machine."""

    name: str

    def commands(self, request: BuildRequest) -> list[list[str]]:
        """Command lines to run in turn: build, then push if that is asked for."""
        ...

    def environment(self) -> dict[str, str]:
        """Variables for them, in addition to those of this process."""
        ...
