"""Requirements of a service: what the user asked for, pinned, and what the code turns out to need.

The user's own requirement always wins; inference and adapters fill gaps only. Pins leave out local
version labels (`2.1.0+cpu` becomes `2.1.0`), because an image is built on another machine.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bentoml.exceptions import InvalidArgument

from .imports import Import

logger = logging.getLogger("bentoml")

LIBRARY = "bentoml"
_MAX_REQUIREMENT_CHARS = 2048


def parse_requirement(text: str) -> Requirement:
    """A PEP 508 requirement on one line. Raises `InvalidArgument` saying what to write instead."""
    refuse_control_characters("pip package", text, _MAX_REQUIREMENT_CHARS)
    try:
        return Requirement(text)
    except InvalidRequirement as err:
        raise InvalidArgument(f"'{text[:128]}' is not a pip requirement: {_advice(text, err)}") from err


def _advice(text: str, err: InvalidRequirement) -> str:
    if text.lstrip().startswith("-"):
        return (
            "options do not belong into pip_packages; use pip_index_url=, pip_extra_index_url=, "
            "pip_trusted_host= or requirements_txt_file="
        )
    if "://" in text:
        return f"write 'name @ {text.strip()[:128]}'"
    return f"write it like 'scikit-learn>=1.3' ({str(err).splitlines()[0]})"


def refuse_control_characters(what: str, text: str, max_chars: int) -> None:
    """Raise `InvalidArgument` for line breaks of any kind, control characters and overlong text."""
    if len(text) > max_chars:
        raise InvalidArgument(f"{what} has {len(text)} characters; at most {max_chars} are accepted")
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs"):
            raise InvalidArgument(f"{what} {text[:128]!r} contains the control character {character!r}")


def pin(text: str) -> str:
    """The requirement with the installed version if it names none; extras and markers are kept.

    A version that differs from the installed one, or a package that is not installed, is warned about
    and kept. Raises `InvalidArgument` for text that is no requirement.
    """
    requirement = parse_requirement(text)
    if requirement.url:
        return text.strip()
    installed = installed_version(requirement.name)
    if installed is None:
        logger.warning("pip package requirement `%s` is not installed here; the version is not checked", text)
        return text.strip()
    if requirement.specifier:
        if not requirement.specifier.contains(installed, prereleases=True):
            logger.warning(
                "pip package requirement `%s` does not match the version installed: `%s==%s`",
                text,
                requirement.name,
                installed,
            )
        return text.strip()
    return _pinned(requirement, installed)


def _pinned(requirement: Requirement, version: str) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}{extras}=={public_version(version)}{marker}"


def public_version(version: str) -> str:
    """Without the local label: `2.1.0+cpu` → `2.1.0`; text that is no PEP 440 version stays as it is."""
    try:
        return Version(version).public
    except InvalidVersion:
        return version


def installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def merge_requirements(wanted: Sequence[str], additional: Sequence[str]) -> list[str]:
    """The user's requirements, pinned, then those of `additional` for other distributions.

    A requirement of `additional` that the user's choice contradicts is dropped with a warning that
    names both.
    """
    result: dict[str, str] = {}
    for text in wanted:
        name = canonicalize_name(parse_requirement(text).name)
        if name == LIBRARY:
            _warn_about_library(text)
            continue
        result[name] = pin(text)
    users = dict(result)
    for text in additional:
        requirement = parse_requirement(text)
        name = canonicalize_name(requirement.name)
        if name == LIBRARY:
            continue
        if name in users:
            _warn_about_conflict(users[name], requirement)
        elif name not in result:
            result[name] = pin(text)
    return list(result.values())


def _warn_about_library(text: str) -> None:
    from bentoml import __version__  # noqa: PLC0415 - the package itself is complete by now

    if installed_version(LIBRARY) is None or not parse_requirement(text).specifier.contains(
        __version__, prereleases=True
    ):
        logger.warning(
            "pip package requirement `%s` is left out: a bundle carries the bentoml that saved it (%s)",
            text,
            __version__,
        )


def _warn_about_conflict(users: str, needed: Requirement) -> None:
    """`==` of the user against what an adapter or artifact says it needs."""
    specifier = Requirement(users).specifier
    exact = [s.version for s in specifier if s.operator == "=="]
    if exact and needed.specifier and not needed.specifier.contains(exact[0], prereleases=True):
        logger.warning(
            "Using `%s` as you asked, although `%s` is needed by an adapter or artifact", users, needed
        )


_NAME_FIELD = re.compile(r"^Name:(.+)$", re.MULTILINE)


@lru_cache(maxsize=1)
def _modules_of_distributions() -> Mapping[str, list[str]]:
    """As `importlib.metadata.packages_distributions`, which makes an object of every installed file."""
    found: dict[str, list[str]] = {}
    for distribution in importlib.metadata.distributions():
        named = _NAME_FIELD.search(
            distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        )
        if named is not None:
            for top in _top_level_names(distribution):
                found.setdefault(top, []).append(named.group(1).strip())
    return found


def _top_level_names(distribution: importlib.metadata.Distribution) -> set[str]:
    stated = (distribution.read_text("top_level.txt") or "").split()
    if stated:
        return set(stated)
    names = set()
    for line in (distribution.read_text("RECORD") or "").splitlines():
        top, slash, _ = line.lstrip('"').partition("/")
        name = top if slash else inspect.getmodulename(top.partition(",")[0]) or ""
        if name.isidentifier() and name != "__pycache__":
            names.add(name)
    return names


def distributions_of_import(found: Import) -> list[str]:
    """Names of the distributions an import needs: one, except for shared namespace packages."""
    top = found.module.partition(".")[0]
    candidates = list(dict.fromkeys(_modules_of_distributions().get(top, ())))
    if len(candidates) < 2:
        return candidates
    wanted = [found.module, *(f"{found.module}.{name}" for name in found.names)]
    exact = [name for name in candidates if any(_provides(name, module) for module in wanted)]
    return exact or candidates[:1]


def _provides(distribution: str, module: str) -> bool:
    path = module.replace(".", "/")
    own = {f"{path}.py", f"{path}/__init__.py"}
    files = importlib.metadata.files(distribution) or ()
    return any((name := file.as_posix()) in own or name.startswith(f"{path}.cpython") for file in files)


def infer_requirements(imports: Iterable[Import]) -> list[str]:
    """One pinned requirement per distribution that provides an imported module, sorted by name.

    Imports that nothing here provides are logged, except guarded ones.
    """
    found: dict[str, str] = {}
    for item in imports:
        top = item.module.partition(".")[0]
        if top in sys.stdlib_module_names or top == LIBRARY:
            continue
        names = distributions_of_import(item)
        if not names and not item.guarded:
            logger.warning("unknown package dependency for module: %s", item.module)
        for name in names:
            version = installed_version(name)
            if version is not None and canonicalize_name(name) != LIBRARY:
                found[canonicalize_name(name)] = f"{name}=={public_version(version)}"
    return [found[name] for name in sorted(found)]


def covered_distributions(requirements: Iterable[str]) -> set[str]:
    """Canonical names of everything installed here that the requirements bring, directly or not."""
    pending = [canonicalize_name(parse_requirement(text).name) for text in requirements]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needed = importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        for text in needed:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                pending.append(canonicalize_name(requirement.name))
    return seen
