"""Importing a bundle's own code without disturbing, or being disturbed by, the rest of the process.

A bundle's modules keep the names they had when it was saved, because pickles refer to them. Two
cases follow (see docs/decisions/2026-11-bundle-modules.md):

* None of its names is taken (the usual case, and the only one in a worker): a finder serves exactly
  those names, and they behave like any imported module.
* One is taken (a second bundle with the same module, the project's own copy, an installed library):
  the bundle's modules live in a private table. They are swapped into `sys.modules` while the bundle
  is imported and its artifacts are loaded, and while one of its modules imports another for the
  first time. Import statements of what is loaded already look into the table and swap nothing.

Nobody outside a bundle ever gets a bundle's module in place of another one. Byte code is neither
read nor written: what runs is the source that the manifest vouches for.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import importlib.machinery
import importlib.util
import sys
import threading
import zipimport
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .layout import ARTIFACTS, STATIC_CONTENT, ZIP_IMPORTS
from .locate import ModuleLocator

_DATA_DIRECTORIES = frozenset({ARTIFACTS, STATIC_CONTENT, ZIP_IMPORTS, "__pycache__"})
_swap_lock = threading.RLock()


class BundleModules:
    """Finder and private module table of one bundle.

    Args:
        root: the folder whose files are the bundle's top-level modules.
        extra: further modules by name, for layouts in which a file does not lie at its dotted path.
    """

    def __init__(self, root: Path, extra: dict[str, Path] | None = None) -> None:
        self.root = root
        self._extra = dict(extra or {})
        self._units, self._namespaces = _scan(root)
        self._units |= self._extra.keys()
        self._archives = _open_archives(root / ZIP_IMPORTS)
        for archive in self._archives:
            self._units |= archive[1]
        self._modules: dict[str, ModuleType] = {}
        self._depth = 0
        self.is_private = any(_is_taken(unit) for unit in self._units)
        if not self.is_private:
            sys.meta_path.insert(0, self)

    def owns(self, name: str) -> bool:
        """True for a module that only this bundle's folder can provide to this bundle's code."""
        while name:
            if name in self._units:
                return True
            name = name.rpartition(".")[0]
        return False

    def import_module(self, name: str) -> ModuleType:
        """Import one of the bundle's modules; its import errors pass through unchanged."""
        with self.active():
            return importlib.import_module(name)

    def discard(self) -> None:
        """Undo the registration after a failed import, so that another try starts from nothing."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            for name in [name for name in sys.modules if self.owns(name)]:
                del sys.modules[name]
        self._modules.clear()

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """While inside, the bundle's names mean the bundle's modules (for imports and unpickling)."""
        with _swap_lock:
            self._depth += 1
            swaps = self.is_private and self._depth == 1
            others = self._swap_in() if swaps else {}
            try:
                yield
            finally:
                self._depth -= 1
                if swaps:
                    self._swap_out(others)

    def _swap_in(self) -> dict[str, ModuleType]:
        others = {name: sys.modules.pop(name) for name in list(sys.modules) if self.owns(name)}
        sys.modules.update(self._modules)
        sys.meta_path.insert(0, self)
        return others

    def _swap_out(self, others: dict[str, ModuleType]) -> None:
        sys.meta_path.remove(self)
        self._modules = {name: sys.modules.pop(name) for name in list(sys.modules) if self.owns(name)}
        sys.modules.update(others)

    # -- the finder protocol of sys.meta_path -------------------------------------------------

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self.owns(fullname):
            return self._own_spec(fullname)
        if fullname in self._namespaces:
            return self._namespace_spec(fullname, path)
        return None

    def _own_spec(self, fullname: str) -> ModuleSpec | None:
        if fullname in self._extra:
            return self._file_spec(fullname, self._extra[fullname])
        base = self.root.joinpath(*fullname.split("."))
        if (base / "__init__.py").is_file():
            return self._file_spec(fullname, base / "__init__.py", [str(base)])
        if base.with_suffix(".py").is_file():
            return self._file_spec(fullname, base.with_suffix(".py"))
        for importer, names in self._archives:
            if fullname.partition(".")[0] in names:
                return importer.find_spec(fullname)
        if base.is_dir():
            return _namespace(fullname, [str(base)])
        return None

    def _file_spec(self, fullname: str, file: Path, locations: list[str] | None = None) -> ModuleSpec | None:
        loader = _SourceLoader(fullname, str(file), self)
        return importlib.util.spec_from_file_location(
            fullname, file, loader=loader, submodule_search_locations=locations
        )

    def _namespace_spec(self, fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """A folder without `__init__.py`: joined with the same namespace elsewhere, if there is one."""
        locations = [str(self.root.joinpath(*fullname.split(".")))]
        other = _find_elsewhere(fullname, path, self)
        if other is None:
            return _namespace(fullname, locations)
        if other.origin is None and other.submodule_search_locations is not None:
            return _namespace(fullname, [*locations, *other.submodule_search_locations])
        return None

    def builtins(self) -> dict[str, Any]:
        """Builtins whose `import` statement looks at the bundle's modules first, in every thread."""

        def import_(
            name: str,
            globals: Any = None,
            locals: Any = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> ModuleType:
            fullname = _absolute(name, globals, level) if level else name
            if not self.owns(fullname):
                return builtins.__import__(name, globals, locals, fromlist or (), level)
            known = self._known(fullname, fromlist or ())
            if known is not None:
                return known
            with self.active():
                return builtins.__import__(name, globals, locals, fromlist or (), level)

        return {**vars(builtins), "__import__": import_}

    def _known(self, fullname: str, fromlist: Sequence[str]) -> ModuleType | None:
        """What the statement would return, if all of it has been imported already."""
        module = self._modules.get(fullname)
        if module is None:
            return None
        if not fromlist:
            return self._modules.get(fullname.partition(".")[0])
        return module if all(name == "*" or hasattr(module, name) for name in fromlist) else None

    def remember(self, module: ModuleType) -> None:
        """Note a module that was executed completely."""
        self._modules[module.__name__] = module


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source each time and never touches `__pycache__`."""

    def __init__(self, fullname: str, path: str, owner: BundleModules) -> None:
        super().__init__(fullname, path)
        self._owner = owner

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = self._owner.builtins()
        super().exec_module(module)
        self._owner.remember(module)


def _absolute(name: str, module_globals: Any, level: int) -> str:
    """The dotted name a relative import means; `""` when that cannot be told."""
    package = (module_globals or {}).get("__package__")
    try:
        return importlib.util.resolve_name("." * level + name, package)
    except ImportError:
        return ""


def _scan(root: Path, prefix: str = "") -> tuple[set[str], set[str]]:
    """The shallowest modules and packages below `root`, and the namespace folders above them."""
    units: set[str] = set()
    namespaces: set[str] = set()
    for entry in sorted(root.iterdir()):
        if entry.suffix == ".py" and entry.stem.isidentifier() and entry.stem != "__init__":
            units.add(prefix + entry.stem)
        elif entry.is_dir() and entry.name.isidentifier():
            name = prefix + entry.name
            if (entry / "__init__.py").is_file():
                units.add(name)
            elif prefix or entry.name not in _DATA_DIRECTORIES:
                inner, spaces = _scan(entry, name + ".")
                units |= inner
                namespaces |= spaces | ({name} if inner else set())
    return units, namespaces


def _open_archives(directory: Path) -> list[tuple[zipimport.zipimporter, set[str]]]:
    if not directory.is_dir():
        return []
    return [_open_archive(file) for file in sorted(directory.iterdir()) if file.is_file() and _is_zip(file)]


def _is_zip(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2) == b"PK"


def _open_archive(file: Path) -> tuple[zipimport.zipimporter, set[str]]:
    import zipfile  # noqa: PLC0415 - few bundles have one

    with zipfile.ZipFile(file) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    names = {top.removesuffix(".py") for top in tops}
    return zipimport.zipimporter(str(file)), {name for name in names if name.isidentifier()}


def _is_taken(name: str) -> bool:
    """The name means something in this process already, or in its installed libraries."""
    if name in sys.modules:
        return True
    if any(isinstance(finder, BundleModules) and finder.owns(name) for finder in sys.meta_path):
        return True
    return ModuleLocator().locate(name).origin in ("installed", "python")


def _find_elsewhere(name: str, path: Sequence[str] | None, me: BundleModules) -> ModuleSpec | None:
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if finder is me or find is None:
            continue
        spec: ModuleSpec | None = find(name, path)
        if spec is not None:
            return spec
    return None


def _namespace(name: str, locations: list[str]) -> ModuleSpec:
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = locations
    return spec
