"""Building the management server's image: this very library, with the engines that build bundles."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bentoml import __version__
from bentoml.bundle.own_wheel import build_own_wheel, wheel_name

from .build import Output, run_builder
from .builders.base import Builder, BuildRequest
from .builders.choice import choose_builder
from .image_names import image_reference
from .yatai_files import YataiSpec, yatai_files

NAME = "yatai-service"


def containerize_yatai(
    *,
    tag: str | None = None,
    builder: str | Builder | None = None,
    base_image: str | None = None,
    build_args: Mapping[str, str] | None = None,
    platforms: tuple[str, ...] = (),
    push: bool = False,
    output: Output = lambda line: None,
) -> str:
    """Build an image of the management server; returns its `name:tag`.

    Args:
        tag: `name`, or `name:tag`; `yatai-service` and this library's version otherwise.
        builder: docker, podman, buildah, an engine of yours, or None for the first that is installed.
        base_image: with Python 3.10 or newer; `python:X.Y-slim` of this Python otherwise.
        build_args: `EXTRAS`, `EXTRA_PIP_INSTALL_ARGS`, `UID`, `GID`, or an ARG of the base.

    Raises:
        ImageBuildFailed: building or pushing failed; names the step.
        InvalidArgument: the tag, the base, an argument or a platform is malformed.
        MissingDependencyException: the engine is not installed.
    """
    engine = choose_builder(builder) if builder is None or isinstance(builder, str) else builder
    reference = image_reference(tag, NAME, __version__)
    with tempfile.TemporaryDirectory(prefix="bentoml-yatai-image-") as directory:
        request = BuildRequest(Path(directory), reference, {}, dict(build_args or {}), platforms, push)
        write_context(Path(directory), base_image)
        run_builder(engine, request, output)
    return reference


def write_context(directory: Path, base_image: str | None = None) -> None:
    """The files that `docker build` needs, in an empty directory. Raises `InvalidArgument`."""
    wheel = build_own_wheel()
    base = base_image or f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    spec = YataiSpec(__version__, base, wheel_name(), hashlib.sha256(wheel).hexdigest())
    for name, text in yatai_files(spec).items():
        (directory / name).write_text(text, "utf-8", newline="")
        (directory / name).chmod(0o755 if name.endswith(".sh") else 0o644)
    (directory / wheel_name()).write_bytes(wheel)
