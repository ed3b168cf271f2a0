"""Collects the user's own modules that a service needs, from the module that defines its class.

Followed: imports anywhere in the code (relative ones too), imports by a written-out name, the parent
packages of everything taken, and modules that packed objects refer to when they are unpickled.
Installed libraries are left to requirements.txt; what counts as installed is decided in `locate`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bentoml.exceptions import BentoMLException

from .descriptor import read_descriptor
from .imports import Import, imports_of
from .layout import BundleLayout
from .load import locate_module_file
from .locate import Located, ModuleLocator
from .pickled import modules_of_objects

if TYPE_CHECKING:
    from bentoml.service import BentoService

logger = logging.getLogger("bentoml")


@dataclass(frozen=True, slots=True)
class SourceModule:
    """One module to copy: its dotted name in the bundle and the file it comes from."""

    name: str
    file: Path
    is_package: bool

    @property
    def relative_path(self) -> str:
        """Where it goes below the bundle's inner folder, with `/` between parts."""
        path = self.name.replace(".", "/")
        return f"{path}/__init__.py" if self.is_package else f"{path}.py"


@dataclass(slots=True)
class SourceCollection:
    """The user's modules, and what they import from elsewhere.

    Attributes:
        root: the module that defines the service class.
        modules: all modules to copy, by dotted name.
        external: imports of installed libraries.
        missing: unguarded imports that nothing provides, as `(module, imported by)`.
        pickled: modules that packed objects refer to.
    """

    root: SourceModule
    modules: dict[str, SourceModule] = field(default_factory=dict)
    external: list[Import] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    pickled: list[str] = field(default_factory=list)


def collect_sources(service: BentoService) -> SourceCollection:
    """Find everything the service's class and packed objects need of the user's code.

    Raises:
        BentoMLException: the class's module has no source file, or a file is a link out of its project.
    """
    root, locator = _find_root(service)
    collector = _Collector(root, locator)
    collector.add(root)
    packed = [artifact.get() for artifact in service.artifacts.get_artifact_list() if artifact.is_ready]
    classes = [type(artifact) for artifact in service.artifacts.get_artifact_list()]
    adapters = [
        type(adapter) for api in service.inference_apis for adapter in (api.input_adapter, api.output_adapter)
    ]
    for name in sorted(modules_of_objects([*packed, *classes, *adapters, *type(service).__mro__])):
        collector.add_pickled(name)
    return collector.result


def _find_root(service: BentoService) -> tuple[SourceModule, ModuleLocator]:
    cls = type(service)
    bundle = cls._bento_service_bundle_path
    if bundle is not None:
        descriptor = read_descriptor(bundle)
        layout = BundleLayout(Path(bundle), descriptor.name)
        file = locate_module_file(layout, descriptor.module_file)
        root = SourceModule(descriptor.module_name, file, file.name == "__init__.py")
        return root, ModuleLocator(first=[layout.package])
    module = sys.modules.get(cls.__module__)
    path = getattr(module, "__file__", None)
    if path is None or Path(path).suffix != ".py":
        raise BentoMLException(
            f"The module '{cls.__module__}' of BentoService '{cls.__name__}' has no source file (.py) to put "
            "into the bundle. Write the class to a file and import it from there."
        )
    file = Path(path).absolute()
    name = _name_of_script(module, file) if cls.__module__ == "__main__" else cls.__module__
    root = SourceModule(name, file, file.name == "__init__.py")
    locator = ModuleLocator(last=[import_root(root)])
    if locator.locate(name).origin == "installed":  # the service is part of an installed library
        locator = ModuleLocator(last=[import_root(root)], treat_as_local=frozenset({name.partition(".")[0]}))
    return root, locator


def _name_of_script(module: object, file: Path) -> str:
    """`python -m pkg.mod` keeps its dotted name; a script is renamed to its file's base name."""
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.name != "__main__":
        return str(spec.name)
    name = re.sub(r"\W", "_", file.stem)
    return name if name.isidentifier() else f"_{name}"


def import_root(root: SourceModule) -> Path:
    """The directory that has to be importable for `root` to have its dotted name."""
    levels = root.name.count(".") + (1 if root.is_package else 0)
    return root.file.parents[levels]


class _Collector:
    """Breadth-first walk over imports; each module is read once."""

    def __init__(self, root: SourceModule, locator: ModuleLocator) -> None:
        self.result = SourceCollection(root)
        self._locator = locator
        self._link_base = import_root(root)

    def add(self, module: SourceModule) -> None:
        pending = [module]
        while pending:
            current = pending.pop()
            if current.name in self.result.modules:
                continue
            self._refuse_escaping_link(current)
            self.result.modules[current.name] = current
            pending.extend(self._parents(current.name))
            for found in self._imports(current):
                pending.extend(self._follow(found, current.name))

    def add_pickled(self, name: str) -> None:
        """A module that unpickling will import; installed ones become requirements."""
        located = self._locator.locate(name)
        if located.origin == "local":
            self.result.pickled.append(name)
            for module in self._take(located, "a packed object"):
                self.add(module)
        elif located.origin == "installed":
            self.result.pickled.append(name)
            self.result.external.append(Import(name))

    def _imports(self, module: SourceModule) -> list[Import]:
        try:
            return imports_of(module.file.read_bytes(), module.name, module.is_package, str(module.file))
        except SyntaxError as err:
            logger.warning(
                "'%s' is not valid Python (%s); its imports are not followed", module.file, err.msg
            )
            return []

    def _follow(self, found: Import, importer: str) -> Iterable[SourceModule]:
        located = self._locator.locate(found.module)
        if located.origin == "installed":
            self.result.external.append(found)
        elif located.origin == "missing" and not found.guarded:
            self.result.missing.append((found.module, importer))
        elif located.origin == "local":
            yield from self._take(located, importer)
            yield from self._submodules(found, located, importer)

    def _submodules(self, found: Import, located: Located, importer: str) -> Iterable[SourceModule]:
        """`from package import name`: the names that are modules."""
        if not located.is_package:
            return
        for name in found.names:
            inner = self._locator.locate(f"{found.module}.{name}")
            if inner.origin == "local":
                yield from self._take(inner, importer)
            elif inner.origin == "installed":  # a namespace shared with an installed library
                self.result.external.append(Import(inner.name, (), found.guarded))

    def _take(self, located: Located, importer: str) -> Iterable[SourceModule]:
        if located.is_source and located.file is not None:
            yield SourceModule(located.name, located.file, located.is_package)
        elif located.file is not None:
            logger.warning(
                "Module '%s', imported by %s, is compiled (%s); a bundle carries Python source only. "
                "Publish it as a package and list it in @env(pip_packages=[...])",
                located.name,
                importer,
                located.file.name,
            )
        else:
            yield from self._parents(located.name)

    def _parents(self, name: str) -> Iterable[SourceModule]:
        """The `__init__.py` of every package above a module; namespace folders have none."""
        parts = name.split(".")
        for depth in range(1, len(parts)):
            above = self._locator.locate(".".join(parts[:depth]))
            if above.origin == "local" and above.is_source and above.file is not None:
                yield SourceModule(above.name, above.file, above.is_package)

    def _refuse_escaping_link(self, module: SourceModule) -> None:
        if not module.file.is_symlink():
            return
        target = module.file.resolve()
        if target.suffix != ".py" or not target.is_relative_to(self._link_base.resolve()):
            raise BentoMLException(
                f"Module '{module.name}' is a link out of its project: '{module.file}' -> '{target}'. "
                "Replace the link with the file itself."
            )
