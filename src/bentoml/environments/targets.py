"""The machine that wheels are meant for: an operating system, a processor, a Python `X.Y`."""

from __future__ import annotations

import platform as this_machine
import re
import sys
from dataclasses import dataclass

from packaging.markers import default_environment

from bentoml.exceptions import InvalidArgument

_SYSTEMS = {"linux": "linux", "darwin": "macos", "macos": "macos", "windows": "windows", "win32": "windows"}
_PROCESSORS = {"amd64": "amd64", "x86_64": "amd64", "arm64": "arm64", "aarch64": "arm64"}
_PYTHON = re.compile(r"3\.(\d{1,2})\Z", re.ASCII)
_OLDEST_MINOR = 10
_GLIBC_MINOR = 28  # Debian 10, RHEL 8 and everything newer


@dataclass(frozen=True, slots=True)
class _Platform:
    """What uv, pip and requirement markers call one platform."""

    uv: str
    pip: tuple[str, ...]
    markers: dict[str, str]


def _linux(machine: str, legacy: tuple[str, ...]) -> _Platform:
    newer = tuple(f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC_MINOR, 16, -1))
    tags = (*newer, *(f"{name}_{machine}" for name in legacy), f"linux_{machine}")
    markers = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": machine,
    }
    return _Platform(f"{machine}-manylinux_2_{_GLIBC_MINOR}", tags, markers)


def _macos(machine: str, uv: str) -> _Platform:
    markers = {
        "sys_platform": "darwin",
        "platform_system": "Darwin",
        "os_name": "posix",
        "platform_machine": machine,
    }
    return _Platform(uv, (f"macosx_13_0_{machine}",), markers)


PLATFORMS = {
    "linux/amd64": _linux("x86_64", ("manylinux2014", "manylinux2010", "manylinux1")),
    "linux/arm64": _linux("aarch64", ("manylinux2014",)),
    "macos/amd64": _macos("x86_64", "x86_64-apple-darwin"),
    "macos/arm64": _macos("arm64", "aarch64-apple-darwin"),
    "windows/amd64": _Platform(
        "x86_64-pc-windows-msvc",
        ("win_amd64",),
        {
            "sys_platform": "win32",
            "platform_system": "Windows",
            "os_name": "nt",
            "platform_machine": "AMD64",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A platform such as `linux/amd64` and a Python such as `3.12`."""

    platform: str
    python: str

    @property
    def is_this_platform(self) -> bool:
        return self.platform == this_platform()

    @property
    def is_this_python(self) -> bool:
        return self.python == this_python()

    def uv_options(self) -> list[str]:
        """For `uv pip compile`; this platform is the interpreter's, exactly."""
        platform = [] if self.is_this_platform else ["--python-platform", PLATFORMS[self.platform].uv]
        return [*platform, "--python-version", self.python]

    def pip_options(self) -> list[str]:
        """For `pip download`."""
        options: list[str] = []
        if not self.is_this_platform:
            for tag in PLATFORMS[self.platform].pip:
                options += ["--platform", tag]
        if not self.is_this_platform or not self.is_this_python:
            options += ["--python-version", self.python, "--implementation", "cp"]
        return options

    def marker_environment(self) -> dict[str, str]:
        """The variables of requirement markers there."""
        values: dict[str, str] = {key: str(value) for key, value in default_environment().items()}
        if not self.is_this_python:
            values |= {"python_version": self.python, "python_full_version": f"{self.python}.0"}
        if not self.is_this_platform:
            values |= PLATFORMS[self.platform].markers
        return values

    def __str__(self) -> str:
        return f"Python {self.python} on {self.platform}"


def choose_target(platform: str | None, python: str | None, saved_python: str) -> Target:
    """What the user asks for; this platform, and the bundle's Python, where nothing is asked for.

    Raises:
        InvalidArgument: no such platform or Python.
    """
    if python is None:
        python = saved_python if _is_supported(saved_python) else this_python()
    elif not _is_supported(python):
        raise InvalidArgument(
            f"--python-version is a minor version from 3.{_OLDEST_MINOR} on, not '{python}'"
        )
    return Target(this_platform() if platform is None else _named(platform), python)


def this_platform() -> str:
    system = _SYSTEMS.get(sys.platform, sys.platform)
    machine = this_machine.machine().lower()
    return f"{system}/{_PROCESSORS.get(machine, machine)}"


def this_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _named(text: str) -> str:
    system, _, machine = text.lower().replace("-", "/", 1).partition("/")
    name = f"{_SYSTEMS.get(system, system)}/{_PROCESSORS.get(machine, machine)}"
    if name not in PLATFORMS and name != this_platform():
        raise InvalidArgument(f"--platform '{text}' is none of {', '.join(PLATFORMS)}")
    return name


def _is_supported(python: str) -> bool:
    found = _PYTHON.match(python)
    return found is not None and int(found[1]) >= _OLDEST_MINOR
