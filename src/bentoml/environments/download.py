"""Fetching every wheel that a bundle's environment needs, by pip, without installing anything."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from bentoml.exceptions import BentoMLException, InvalidArgument, MissingDependencyException
from bentoml.observability.progress import progress_bar

from .installers import clean_environment, find_uv
from .pinned import pinned_by_lock, pinned_by_uv
from .pip_settings import pip_environment
from .source import EnvironmentSource
from .targets import Target
from .wheel_set import WheelSet, wheel_set_of

_KEPT_LINES = 60
_UNREACHABLE = ("Connection", "connection", "Temporary failure", "Max retries", "timed out", "Timeout")


def download_wheels(
    source: EnvironmentSource, target: Target, into: Path, find_links: Sequence[Path] = ()
) -> WheelSet:
    """Fetch the wheels of `source` for `target` into an empty directory.

    The versions are those of the bundle's lock, else what uv resolves for the target; without uv
    pip resolves, which can only do so for this machine.

    Args:
        find_links: directories with more wheels, such as those that you built from source.

    Raises:
        InvalidArgument: a package has no wheel for the target.
        MissingDependencyException: neither pip nor uv is here, or another target needs uv.
        BentoMLException: the index does not answer, or has no solution.
    """
    uv = find_uv()
    work = into / "pinned.txt"
    if source.is_locked:
        work.write_text(pinned_by_lock(source, target), "utf-8")
    elif uv is not None:
        work.write_text(pinned_by_uv(uv, source, target, find_links), "utf-8")
    elif not (target.is_this_platform and target.is_this_python):
        raise MissingDependencyException(
            f"Finding the wheels for {target}, which is not this machine, needs uv. "
            "Install it with: pip install uv"
        )
    command = [*_pip(uv), "download", "--dest", str(into), "--only-binary", ":all:", "--progress-bar", "off"]
    for directory in find_links:
        command += ["--find-links", str(directory.absolute())]
    command += target.pip_options()
    if work.is_file():
        pinned = work.read_text("utf-8")
        command += ["--no-deps", "--require-hashes", "--requirement", str(work)]
        count = sum(" --hash=" in line for line in pinned.splitlines())
    else:
        command += ["--requirement", source.requirements]
        count = 0
    if count or not work.is_file():
        _download(command, source, target, count)
    work.unlink(missing_ok=True)
    _remove_own_wheel(source, into)
    return _checked(into, target)


def _pip(uv: str | None) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if uv is not None:
        return [uv, "tool", "run", "--python", sys.executable, "pip", "--no-input"]
    raise MissingDependencyException(
        f"Fetching wheels needs pip, which '{sys.executable}' does not have. "
        "Add it with: python -m ensurepip; or install uv"
    )


def _download(command: list[str], source: EnvironmentSource, target: Target, count: int) -> None:
    """Run pip. Its output is kept for an error; the bar counts the packages that it begins with."""
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with (
        progress_bar(f"Fetching the wheels of {source.descriptor.tag}", count, "items") as advance,
        subprocess.Popen(
            command,
            cwd=source.directory,
            env=pip_environment(clean_environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            last.append(line.rstrip())
            if line.startswith("Collecting "):
                advance(1)
    if process.returncode:
        raise _explained("\n".join(last)[-4000:], source.descriptor.tag, target)


def _explained(said: str, tag: str, target: Target) -> BentoMLException:
    if "THESE PACKAGES DO NOT MATCH THE HASHES" in said:
        return BentoMLException(f"A wheel of {tag} is not the one that was resolved or locked:\n{said}")
    if any(word in said for word in _UNREACHABLE):
        return BentoMLException(
            f"The package index cannot be reached, so the wheels of {tag} cannot be fetched. Check the "
            f"network and the index that pip is set up for.\n{said}"
        )
    if "No matching distribution found" in said:
        return InvalidArgument(
            f"A package of {tag} has no wheel for {target}. Where it comes as source only, build its wheel "
            "(`pip wheel NAME -w DIRECTORY`) and export again with --find-links DIRECTORY; else pin a "
            f"version that has one.\n{said}"
        )
    return BentoMLException(f"The wheels of {tag} cannot be fetched:\n{said}")


def _remove_own_wheel(source: EnvironmentSource, into: Path) -> None:
    """pip copies the library's wheel too, which the bundle has already; no other `bentoml` may be there."""
    for file in into.glob("bentoml-*.whl"):
        own = hashlib.sha256(source.wheel.read_bytes()).digest()
        if hashlib.sha256(file.read_bytes()).digest() != own:
            raise BentoMLException(f"The index gave '{file.name}' in place of the bundle's own library")
        file.unlink()


def _checked(into: Path, target: Target) -> WheelSet:
    strange = next((file.name for file in into.iterdir() if file.suffix != ".whl"), None)
    if strange is not None:
        raise InvalidArgument(f"'{strange}' is no wheel; a machine without network cannot build it")
    try:
        return wheel_set_of(into, target)
    except ValueError as err:
        raise BentoMLException(f"The fetched wheels are not usable: {err}") from err
