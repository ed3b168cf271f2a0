"""Where a module comes from: the user's own code, an installed library, or Python itself.

Nothing is imported to find out: parents of a dotted name are searched, not executed. "Installed" is
decided from distribution metadata and the interpreter's own directories, so an editable install and
a project in a folder called `lib` are the user's code, and a venv inside the project is not.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import SOURCE_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path
from typing import Literal

from .site_dirs import is_installed_file, is_standard_library_file, site_directories

Origin = Literal["local", "installed", "python", "missing"]
LIBRARY = "bentoml"


@dataclass(frozen=True, slots=True)
class Located:
    """Where a module lies. `file` is None for namespace packages and for what has no file."""

    name: str
    origin: Origin
    file: Path | None = None
    is_package: bool = False
    locations: tuple[str, ...] = ()

    @property
    def is_source(self) -> bool:
        return self.file is not None and self.file.suffix in SOURCE_SUFFIXES


class ModuleLocator:
    """Finds modules the way the running interpreter would, with some directories searched first.

    Args:
        first: import roots searched before everything else (a loaded bundle's folder).
        last: import roots searched when nothing else has the name (the service's project root).
        treat_as_local: top-level names that count as local wherever they lie.
    """

    def __init__(
        self,
        first: Sequence[Path] = (),
        last: Sequence[Path] = (),
        treat_as_local: frozenset[str] = frozenset(),
    ) -> None:
        self._first = [str(path) for path in first]
        self._last = [str(path) for path in last]
        self._treat_as_local = treat_as_local
        self._cache: dict[str, Located] = {}

    def locate(self, name: str) -> Located:
        """The module `name` (dotted). Executes nothing."""
        found = self._cache.get(name)
        if found is None:
            found = self._cache[name] = self._locate(name)
        return found

    def _locate(self, name: str) -> Located:
        top = name.partition(".")[0]
        if top == LIBRARY:
            return Located(name, "installed")
        if top == "__main__" or (top in sys.stdlib_module_names and not self._find_in_first(top)):
            return Located(name, "python")
        parent, _, _ = name.rpartition(".")
        if not parent:
            return self._describe(name, self._find_top(name))
        above = self.locate(parent)
        if above.origin in ("missing", "python") or not above.is_package:
            return Located(name, "missing" if above.origin == "local" else above.origin)
        spec = PathFinder.find_spec(name, list(above.locations))
        return self._describe(name, spec)

    def _find_in_first(self, name: str) -> ModuleSpec | None:
        return PathFinder.find_spec(name, self._first) if self._first else None

    def _find_top(self, name: str) -> ModuleSpec | None:
        spec = self._find_in_first(name)
        if spec is not None:
            return spec
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            spec = None  # a module in sys.modules without __spec__, or a broken finder
        if spec is not None:
            return spec
        return PathFinder.find_spec(name, self._last) if self._last else None

    def _describe(self, name: str, spec: ModuleSpec | None) -> Located:
        if spec is None:
            return Located(name, "missing")
        locations = tuple(str(path) for path in spec.submodule_search_locations or ())
        is_package = spec.submodule_search_locations is not None
        if not spec.has_location or spec.origin is None:
            if not is_package:
                return Located(name, "python")
            local = [path for path in locations if self._is_local(name, os.path.join(path, "x"))]
            return Located(name, "local" if local else "installed", None, True, locations)
        file = Path(spec.origin)
        origin: Origin = "local" if self._is_local(name, spec.origin) else "installed"
        return Located(name, origin, file, is_package, locations)

    def _is_local(self, name: str, file: str) -> bool:
        top = name.partition(".")[0]
        if top in self._treat_as_local:
            return True
        if any(os.path.realpath(file).startswith(os.path.realpath(d) + os.sep) for d in self._first):
            return True
        if is_installed_file(file) or is_standard_library_file(file):
            return False
        real = os.path.realpath(file)
        return not any(
            real.startswith(d + os.sep) and top in tops for d, tops in self._other_installs.items()
        )

    @cached_property
    def _other_installs(self) -> dict[str, set[str]]:
        """Directories outside the site directories that packages were installed into (`pip -t`)."""
        found: dict[str, set[str]] = {}
        for entry in dict.fromkeys(os.path.realpath(p or os.getcwd()) for p in sys.path):
            if entry in site_directories() or not os.path.isdir(entry):
                continue
            tops: set[str] = set()
            for dist in importlib.metadata.distributions(path=[entry]):
                if dist.read_text("RECORD") is not None:
                    tops |= {file.parts[0].removesuffix(".py") for file in dist.files or ()}
            if tops:
                found[entry] = tops
        return found
