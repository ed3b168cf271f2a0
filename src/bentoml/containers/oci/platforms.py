"""Platforms as images name them: `linux/arm64`."""

from __future__ import annotations

import platform as host
import re
from dataclasses import dataclass
from typing import Any

from bentoml.exceptions import InvalidArgument

_PLATFORM = re.compile(
    r"(?P<os>[a-z0-9]{1,32})/(?P<arch>[a-z0-9_]{1,32})(?:/(?P<variant>[a-z0-9.]{1,32}))?\Z", re.ASCII
)
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "riscv64": "riscv64"}
_IMPLIED_VARIANTS = {"arm64": "v8"}


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """An operating system and a processor; `variant` is empty where it says nothing new."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def machine(self) -> str:
        """The processor as wheels name it. Raises `InvalidArgument` if we have no wheels for it."""
        if self.os != "linux" or self.architecture not in _MACHINES:
            known = ", ".join(f"linux/{name}" for name in _MACHINES)
            raise InvalidArgument(f"The oci builder makes images for {known}, not for {self}")
        return _MACHINES[self.architecture]

    @property
    def is_this_machine(self) -> bool:
        return self == this_platform()


def parse_platform(text: str) -> Platform:
    """`os/arch[/variant]`. Raises `InvalidArgument`."""
    found = _PLATFORM.match(text)
    if found is None:
        raise InvalidArgument(f"Platform {text[:64]!r} is not written like linux/amd64")
    return _platform(found["os"], found["arch"], found["variant"] or "")


def platform_of(record: dict[str, Any]) -> Platform:
    """The platform in an image's configuration or in a descriptor."""
    values = [record.get(key) or "" for key in ("os", "architecture", "variant")]
    return parse_platform("/".join(str(value) for value in values if value))


def this_platform() -> Platform:
    """What images for this machine are for; on a Mac or Windows that is Linux, too."""
    machine = host.machine().lower()
    names = {value: key for key, value in _MACHINES.items()}
    return _platform("linux", names.get(machine, machine) or "unknown", "")


def _platform(system: str, architecture: str, variant: str) -> Platform:
    if variant == _IMPLIED_VARIANTS.get(architecture):
        variant = ""
    return Platform(system, architecture, variant)
