"""Building an image with an engine: its output line by line, and the step that failed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bentoml.exceptions import BentoMLException

from .builders.base import Builder, BuildRequest
from .builders.choice import choose_builder
from .context import build_context
from .control import BuildControl
from .image_names import image_reference

_STEP = re.compile(r"(?:step \d+/\d+ ?:|#\d+ \[.*?\d+/\d+\]) ?(?P<instruction>.+)", re.IGNORECASE)
_KEPT_LINES = 25

Output = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that was built. `bundle_digest` is also its label `org.opencontainers.image.revision`."""

    reference: str
    bundle_digest: str
    was_pushed: bool


class ImageBuildFailed(BentoMLException):
    """An engine ended with an error. `step` is the instruction that failed, "" if none had begun."""

    def __init__(self, summary: str, step: str, last_lines: Sequence[str]) -> None:
        lines = "\n".join(f"    {line}" for line in last_lines)
        super().__init__(f"{summary}. The last lines were:\n{lines}")
        self.summary = summary
        self.step = step
        self.last_lines = tuple(last_lines)


def containerize(
    bundle: Path,
    *,
    tag: str | None = None,
    builder: str | Builder | None = None,
    build_args: Mapping[str, str] | None = None,
    platforms: tuple[str, ...] = (),
    push: bool = False,
    output: Output = lambda line: None,
    control: BuildControl | None = None,
) -> BuiltImage:
    """Build an image of the bundle in `bundle`.

    Args:
        tag: `name`, or `name:tag`; the bundle's own name and version otherwise.
        builder: docker, podman, buildah, an engine of yours, or None for the first that is installed.
        build_args: for the Dockerfile's ARGs. They stay readable in the image: no secrets.
        platforms: such as `("linux/amd64", "linux/arm64")`.
        output: gets every line that the engine prints.
        control: lets another thread end the build.

    Raises:
        ImageBuildFailed: building or pushing failed; names the step.
        InvalidArgument: the tag, an argument or a platform is malformed.
        MissingDependencyException: the engine is not installed.
        BundleCorrupted: the bundle differs from its manifest.
    """
    engine = choose_builder(builder) if builder is None or isinstance(builder, str) else builder
    checked = BuildRequest(bundle, "", {}, dict(build_args or {}), platforms, push)
    with build_context(bundle) as (context, descriptor, digest):
        reference = image_reference(tag, descriptor.name, descriptor.version)
        labels = {
            "org.opencontainers.image.created": descriptor.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "org.opencontainers.image.revision": digest,
        }
        request = replace(checked, context=context, reference=reference, labels=labels)
        run_builder(engine, request, output, control)
    return BuiltImage(reference, digest, push)


def run_builder(
    engine: Builder, request: BuildRequest, output: Output, control: BuildControl | None = None
) -> None:
    """Let an engine build, and push if that is asked for. Raises `ImageBuildFailed`."""
    for command in engine.commands(request):
        run_command(command, {**os.environ, **engine.environment()}, output, control=control)


def run_command(
    command: list[str],
    environment: Mapping[str, str],
    output: Output,
    directory: Path | None = None,
    control: BuildControl | None = None,
) -> None:
    """Run to the end, passing every line on. Raises `ImageBuildFailed` with the last step and lines."""
    control = control or BuildControl()
    control.check()
    step = ""
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with process, control.running(process):
        assert process.stdout is not None
        try:
            for raw in process.stdout:
                line = raw.rstrip("\r\n")
                output(line)
                last.append(line)
                if found := _STEP.match(line.strip()):
                    step = found["instruction"]
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        control.check()
        raise ImageBuildFailed(_summary(command, process.returncode, step), step, list(last))


def _summary(command: list[str], code: int, step: str) -> str:
    what = f"in the step `{step}`" if step else f"in `{shlex.join(command[:3])} …`"
    return f"Building the image failed {what} (exit code {code})"
