"""requirements.txt of a bundle: the library from the bundle's own wheel, then what the service asks for.

A file that the user wrote is kept as it is, except for two things: the wheel comes first, and a line
that asks for the library by name is commented out, because on the package index that name is another
product line. `pip install -r requirements.txt` inside the bundle is therefore safe by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .layout import BUNDLED_DEPENDENCIES

_LIBRARY = re.compile(r"\s*bentoml\s*(?:[\[=<>!~;@#\\]|$)", re.IGNORECASE)
_OWN_WHEEL = re.compile(rf"\./{BUNDLED_DEPENDENCIES}/bentoml-[^/\s]+\.whl(\s|$)")
_NEEDS_HASHES = re.compile(r"--hash\s*=|--require-hashes\b")
_INCLUDES = re.compile(r"\s*(?:-r|--requirement|-c|--constraint)(?:[\s=]+)(\S+)")
_INDEX_OPTIONS = (
    "--index-url",
    "-i ",
    "--extra-index-url",
    "--find-links",
    "-f ",
    "--trusted-host",
    "--no-index",
)
_LEFT_OUT = "# Left out, the bundle brings its own: "


def own_requirements(library: str, options: Sequence[str], packages: Sequence[str]) -> str:
    """The text for packages that were collected one by one; no line end at the end, as in 0.13."""
    return "\n".join([*options, library, *packages])


def users_requirements(library: str, text: str, library_sha256: str | None = None) -> str:
    """The text for a file of the user.

    Args:
        library: requirement line of the bundled wheel.
        text: the user's file, or the requirements.txt of an earlier bundle made from it.
        library_sha256: needed where the text `needs_hashes`.
    """
    if needs_hashes(text) and library_sha256 is not None:
        library = f"{library} --hash=sha256:{library_sha256}"
    kept = []
    for line in logical_lines(without_own_wheel(text)):
        if _LIBRARY.match(line):
            line = "".join(f"{_LEFT_OUT}{part}" for part in line.splitlines(keepends=True))  # noqa: PLW2901
            line = re.sub(r"\\(?=\r?\n|\r?$)", "", line)  # noqa: PLW2901 - a comment goes on, too
        kept.append(line)
    end = "\r\n" if "\r\n" in text else "\n"
    return f"{library}{end}{''.join(kept)}"


def without_own_wheel(text: str) -> str:
    """The user's text again, out of the requirements.txt of a bundle."""
    return "".join(line for line in logical_lines(text) if not _OWN_WHEEL.match(line))


def needs_hashes(text: str) -> bool:
    """With one digest in the file pip wants a digest for every line."""
    return _NEEDS_HASHES.search(text) is not None


def asks_for_library(text: str) -> bool:
    return any(_LIBRARY.match(line) for line in logical_lines(text))


def index_options(text: str) -> list[str]:
    """The lines that say where packages come from, as they are written, variables unexpanded."""
    return [line.strip() for line in text.splitlines() if line.strip().startswith(_INDEX_OPTIONS)]


def included_files(text: str) -> list[str]:
    """Files that the text includes; they do not travel with it."""
    return [found.group(1) for line in logical_lines(text) if (found := _INCLUDES.match(line))]


def without_library(text: str) -> str:
    """Everything but the lines that ask for the library, by name or as the bundle's wheel."""
    lines = logical_lines(without_own_wheel(text))
    return "".join(line for line in lines if not _LIBRARY.match(line))


def logical_lines(text: str) -> Iterator[str]:
    """Lines with their line ends; a line ended by a backslash is joined with the next one."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if not line.rstrip("\r\n").endswith("\\") or line.lstrip().startswith("#"):
            yield pending
            pending = ""
    if pending:
        yield pending
