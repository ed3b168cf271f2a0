"""Every package that a bundle's environment will hold on a target, with version and digests.

From the bundle's lock where there is one, else resolved by uv. The lines are for `pip download`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from packaging.markers import Marker

from bentoml.bundle.layout import BUNDLED_DEPENDENCIES
from bentoml.bundle.requirements_file import index_options
from bentoml.exceptions import BentoMLException, InvalidArgument

from .resolver import uv_compile
from .source import EnvironmentSource
from .targets import Target

_TIMEOUT_S = 900.0
_OWN = f"./{BUNDLED_DEPENDENCIES}/"
_HASHES = re.compile(r"\s--hash=\S+")
_UNREACHABLE = ("Failed to fetch", "error sending request", "Connection refused", "dns error", "timed out")


def pinned_by_lock(source: EnvironmentSource, target: Target) -> str:
    """The lines of the lock that hold for the target."""
    text = (source.directory / source.requirements).read_text("utf-8")
    environment = target.marker_environment()
    kept = [line for line in _lines(text) if _holds(line, environment)]
    return "\n".join([*index_options(text), *kept]) + "\n"


def pinned_by_uv(uv: str, source: EnvironmentSource, target: Target, find_links: Sequence[Path]) -> str:
    """What uv resolves for the target, wheels only.

    Raises:
        InvalidArgument: a package has no wheel for the target, or comes as source only.
        BentoMLException: the index does not answer, or the requirements contradict each other.
    """
    with tempfile.TemporaryDirectory(prefix="bentoml-resolve-") as work:
        output = Path(work) / "pinned.txt"
        options = ["--only-binary", ":all:", *target.uv_options()]
        for found in find_links:
            options += ["--find-links", str(found.absolute())]
        done = uv_compile(
            uv,
            source.requirements,
            options,
            str(output),
            directory=source.directory,
            timeout_s=_TIMEOUT_S,
        )
        if done.returncode:
            raise _explained(done.stderr.strip()[-4000:], source.descriptor.tag, target)
        text = (source.directory / source.requirements).read_text("utf-8")
        return "\n".join([*index_options(text), *_lines(output.read_text("utf-8"))]) + "\n"


def _explained(said: str, tag: str, target: Target) -> BentoMLException:
    """uv's words, after a line that says what to do."""
    if any(word in said for word in _UNREACHABLE):
        return BentoMLException(
            f"The package index cannot be reached, so the wheels of {tag} cannot be fetched. Check the "
            f"network and the index that pip or uv is set up for.\n{said}"
        )
    if "building from source is disabled" in said and "matching" not in said:
        return InvalidArgument(
            f"{tag} needs a package that comes as source only, which a machine without network cannot build. "
            "Build its wheel (`pip wheel NAME -w DIRECTORY`) and export again with --find-links DIRECTORY.\n"
            + said
        )
    if "no wheels with a matching" in said:
        return InvalidArgument(
            f"{tag} needs a package that has no wheel for {target}. Pin a version that has one, build it "
            "there and add it with --find-links, or export for another --platform or --python-version.\n"
            + said
        )
    return BentoMLException(f"The requirements of {tag} cannot be resolved for {target}:\n{said}")


def _lines(text: str) -> list[str]:
    """Requirements on one line each, without options and without the library's own wheel."""
    joined = text.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    return [line for line in lines if line and line[0] not in "#-" and not line.startswith(_OWN)]


def _holds(line: str, environment: dict[str, str]) -> bool:
    requirement = _HASHES.sub("", line)
    _, semicolon, marker = (
        requirement.partition(" ; ") if " ; " in requirement else requirement.partition(";")
    )
    return not semicolon or Marker(marker.strip()).evaluate(environment)
