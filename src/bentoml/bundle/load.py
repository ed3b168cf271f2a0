"""A folder becomes a service again: check, then import, then load the artifacts.

Nothing of a bundle is executed before its manifest was verified. What a loaded service needs stays
on disk for as long as the process lives (lazily read models, static content), also when the bundle
came from a URL.
"""

from __future__ import annotations

import logging
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml import __version__
from bentoml.exceptions import (
    ArtifactLoadingException,
    BentoMLConfigException,
    BentoMLException,
    InvalidArgument,
)
from bentoml.file_copy import copy_file

from .descriptor import BundleDescriptor, read_descriptor
from .layout import CONFIG_FILE, MANIFEST_FILE, BundleLayout
from .manifest import Manifest, verify_manifest
from .modules import BundleModules
from .trust.policy import OPEN, current_policy

if TYPE_CHECKING:
    from bentoml.service import BentoService
    from bentoml.service.inference_api import InferenceAPI

logger = logging.getLogger("bentoml")


@dataclass(frozen=True, slots=True)
class LoadedBundle:
    """A bundle whose module was imported; artifacts load when the class is instantiated."""

    service_class: type[Any]
    modules: BundleModules
    descriptor: BundleDescriptor


_loaded: dict[tuple[str, str], LoadedBundle] = {}


def load_from_dir(path: str | Path, *, verify: bool = True) -> BentoService:
    """Load a saved bundle: a directory, a pip-installed bundle package, or the URL of a `.tar.gz`.

    Args:
        path: local directory, or `http(s)://`, `s3://`, `gs://` URL.
        verify: compare every file with the manifest first. Switch it off only where the same
            process tree did so just before.

    Raises:
        BentoMLException: no bundle there.
        BundleCorrupted: a file differs from the manifest, or `bentoml.yml` is malformed.
        UntrustedBundle: the trust settings do not accept it.
        BentoMLConfigException: written by another major version of this library.
    """
    from .versions import explained, warn_about_versions  # noqa: PLC0415 - reads distribution metadata

    loaded = load_bundle(path, verify=verify)
    warn_about_versions(loaded.descriptor)
    try:
        with loaded.modules.active():
            service: BentoService = loaded.service_class()
    except ArtifactLoadingException as err:
        root = Path(loaded.service_class._bento_service_bundle_path)
        raise explained(err, root, loaded.descriptor) from err
    return service


def load_service_class(path: str | Path, *, verify: bool = True) -> type[BentoService]:
    """Like `load_from_dir`, but returns the class; instantiating it loads the artifacts."""
    return load_bundle(path, verify=verify).service_class


def load_service_api(path: str | Path, api_name: str | None = None) -> InferenceAPI:
    """One API of a loaded bundle; the first one when no name is given."""
    service = load_from_dir(path)
    api: InferenceAPI = service.get_inference_api(api_name)
    return api


def safe_retrieve(path: str | Path, target_dir: str | Path) -> Path:
    """Copy a verified bundle into `target_dir`, which must not exist yet; executes nothing.

    Raises:
        InvalidArgument: the target exists.
    """
    target = Path(target_dir).absolute()
    if target.exists():
        raise InvalidArgument(f"'{target}' exists already; give a directory that does not exist yet")
    source = materialise(path)
    if source.is_dir():
        verify_manifest(source)
    read_descriptor(source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, target, symlinks=True, ignore=ignored, copy_function=_copy_file)
    return target


def _copy_file(source: str, target: str) -> None:
    copy_file(source, target)
    shutil.copystat(source, target)


def materialise(path: str | Path) -> Path:
    """The local directory of a bundle; a URL is fetched once and kept while the process lives."""
    from .remote import fetch_bundle, is_remote  # noqa: PLC0415 - local bundles need neither

    if is_remote(str(path)):
        return fetch_bundle(str(path))
    local = Path(path).absolute()
    is_inner_folder = not (local / MANIFEST_FILE).exists() and (local.parent / MANIFEST_FILE).is_file()
    return local.parent if is_inner_folder and (local.parent / CONFIG_FILE).is_file() else local


def load_bundle(path: str | Path, *, verify: bool = True, is_own: bool = False) -> LoadedBundle:
    """Check and import a bundle; the same content in the same place is imported once.

    Args:
        verify: see `load_from_dir`. Where the settings require a signature, the files are always compared.
        is_own: this process tree is just saving it, so that nobody can have signed it yet.
    """
    policy = OPEN if is_own else current_policy()
    root = materialise(path)
    must_verify = (verify or policy.keys is not None) and root.is_dir()
    manifest = verify_manifest(root) if must_verify else None
    descriptor = read_descriptor(root)
    policy.check_signature(root, manifest, descriptor)
    if policy.data_only:
        from .inspection import refuse_code  # noqa: PLC0415 - only where it is asked for

        refuse_code(root, descriptor)
    policy.guard_pickles()
    key = (str(root.resolve()), _content_key(root, manifest))
    loaded = _loaded.get(key)
    if loaded is None:
        check_compatible(descriptor)
        loaded = _loaded[key] = _import(root, descriptor)
    return loaded


def _content_key(root: Path, manifest: Manifest | None) -> str:
    from .manifest import file_sha256, read_manifest  # noqa: PLC0415 - keeps the import block readable

    known = manifest or read_manifest(root)
    return known.digest if known else file_sha256(root / "bentoml.yml")


def _import(root: Path, descriptor: BundleDescriptor) -> LoadedBundle:
    layout = BundleLayout(root, descriptor.name)
    file = locate_module_file(layout, descriptor.module_file)
    expected = layout.package.joinpath(*descriptor.module_name.split("."))
    at_its_place = file in (expected.with_suffix(".py"), expected / "__init__.py")
    modules = BundleModules(layout.package, None if at_its_place else {descriptor.module_name: file})
    try:
        module = modules.import_module(descriptor.module_name)
        service_class = _find_class(module, descriptor)
    except BaseException:
        modules.discard()
        raise
    service_class._bento_service_bundle_path = str(root)
    service_class._bento_service_bundle_version = descriptor.version
    _point_environment(service_class, layout)
    return LoadedBundle(service_class, modules, descriptor)


def _point_environment(service_class: type[Any], layout: BundleLayout) -> None:
    """Files that `@env` named on the machine of saving are the bundle's own copies now."""
    env = service_class._env_template
    if env is None or layout.is_installed_package:
        return
    if env.requirements_txt_file is not None:
        env.requirements_txt_file = str(layout.requirements)
    if env.conda_env_yml_file is not None:
        env.conda_env_yml_file = str(layout.file("environment.yml"))
    if env.setup_sh is not None and layout.file("setup.sh").is_file():
        env.setup_sh = str(layout.file("setup.sh"))
    env.zipimport_archives = [
        str(layout.zip_imports / Path(name.replace("\\", "/")).name) for name in env.zipimport_archives
    ]


def locate_module_file(layout: BundleLayout, module_file: str) -> Path:
    """The service's module, under the inner folder or the root; either kind of separator is read.

    Raises `BentoMLException` when it is not there or would lie outside the bundle.
    """
    parts = module_file.replace("\\", "/").split("/")
    if all(part not in ("", ".", "..") and ":" not in part for part in parts):
        for base in (layout.package, layout.path):
            file = base.joinpath(*parts)
            if file.is_file():
                return file
    raise BentoMLException(f"Can not locate module_file '{module_file}' in saved bundle '{layout.path}'")


def _find_class(module: Any, descriptor: BundleDescriptor) -> type[Any]:
    from bentoml.service import BentoService  # noqa: PLC0415 - only when a bundle is really loaded

    named = getattr(module, descriptor.name, None)
    if isinstance(named, type) and issubclass(named, BentoService):
        return named
    candidates = [value for value in vars(module).values() if isinstance(value, type)]
    for cls in candidates:
        if issubclass(cls, BentoService) and cls is not BentoService and cls.name == descriptor.name:
            return cls
    raise BentoMLException(
        f"Module '{descriptor.module_name}' of the bundle has no BentoService named '{descriptor.name}'"
    )


def check_compatible(descriptor: BundleDescriptor) -> None:
    """Warn about another library or Python version; raise for another major version of the library."""
    from bentoml.observability.logs import user_logger  # noqa: PLC0415 - adds a console handler

    saved = descriptor.bentoml_version
    if saved and saved != __version__:
        message = (
            "Saved BentoService bundle version mismatch: loading BentoService bundle created with "
            f"BentoML version {saved}, but loading from BentoML version {__version__}"
        )
        if saved.partition(".")[0].partition("+")[0] != __version__.partition(".")[0]:
            raise BentoMLConfigException(message)
        user_logger().warning(message)
    if descriptor.python_version and descriptor.python_version != platform.python_version():
        user_logger().warning(
            "Saved BentoService Python version mismatch: loading BentoService bundle created with "
            "Python version %s, but current environment version is %s.",
            descriptor.python_version,
            platform.python_version(),
        )
