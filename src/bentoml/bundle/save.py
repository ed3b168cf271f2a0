"""A service becomes a folder: every file of a bundle is written from here, in one order.

Artifacts first (they are what usually fails), then the user's code, then everything that describes
the two, and last the manifest over all of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml import __version__
from bentoml.exceptions import BentoMLException, InvalidArgument

from .container_files import ContainerSpec, container_files
from .dependencies import infer_requirements
from .descriptor import ApiDescriptor, ArtifactDescriptor, BundleDescriptor
from .environment import ResolvedEnvironment, copy_zip_archives, resolve_environment, write_environment_files
from .files import copy_file, copy_tree
from .layout import BundleLayout
from .manifest import write_manifest
from .metadata import plain_values
from .missing import warn_about_missing
from .own_wheel import build_own_wheel, wheel_name
from .packaging import PackageSpec, packaging_files
from .source import SourceCollection, collect_sources, import_root
from .verification import CHECK_VARIABLE, ImportCheck, report_import
from .versions import packages_of

if TYPE_CHECKING:
    from bentoml.service import BentoService

logger = logging.getLogger("bentoml.bundle")


def save_to_dir(
    bento_service: BentoService,
    path: str | os.PathLike[str],
    version: str | None = None,
    silent: bool = False,
    examples: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write a bundle of `bento_service` into an existing directory, or under an `s3://`/`gs://` URL.

    Args:
        bento_service: the packed service.
        path: the directory that becomes the bundle; it may hold other files, but no folder named
            like the service.
        version: replaces the service's version, as `set_version` does.
        silent: leave out the line that says where the bundle lies.
        examples: API name → inputs, stored with their answers for `bentoml verify`.

    Raises:
        BentoMLException: not a service, no such directory, or a bundle of that name is there.
    """
    from bentoml.service.saving import check_saveable, recorded  # noqa: PLC0415 - the authoring side's rules

    from .remote import is_remote, upload_bundle  # noqa: PLC0415 - local paths need neither

    check_saveable(bento_service)
    if version is not None:
        bento_service.set_version(version)
    where = os.fspath(path)
    with recorded(bento_service, examples):
        if is_remote(where):
            with tempfile.TemporaryDirectory(prefix="bentoml-save-") as work:
                _write(bento_service, Path(work), True)
                where = upload_bundle(Path(work), where, bento_service.name)
        else:
            target = Path(where)
            _check_target(target, bento_service.name)
            _write(bento_service, target, True)
    if not silent:
        from bentoml.observability.logs import user_logger  # noqa: PLC0415 - adds a console handler

        user_logger().info("BentoService bundle '%s' created at: %s", bento_service.tag, where)


def write_bundle(service: BentoService, dest: str | Path, check_import: bool = True) -> BundleDescriptor:
    """Write a bundle into the empty existing directory `dest` and return its descriptor.

    Args:
        service: the packed service; its version is final.
        dest: becomes the bundle's root. The caller makes it durable and moves it into place.
        check_import: import the result in a clean interpreter and warn about what is missing.

    Raises:
        BentoMLException: the service cannot be saved; `dest` may hold a part of it.
    """
    from bentoml.service.saving import check_saveable  # noqa: PLC0415 - the authoring side's rules

    check_saveable(service)
    target = Path(dest)
    _check_target(target, service.name)
    return _write(service, target, check_import)


def _check_target(target: Path, name: str) -> None:
    if not target.is_dir():
        raise BentoMLException(f"Directory '{target}' not found")
    if (target / name).exists():
        raise BentoMLException(
            f"Existing module file found for BentoService {name} in '{target}'; save into an empty directory"
        )
    other = next(target.iterdir(), None)
    if other is not None:
        raise BentoMLException(
            f"Directory '{target}' is not empty: it holds '{other.name}'. A bundle is checked file by file "
            "when it is loaded, so nothing else may lie in its directory. Save into an empty one"
        )


def _write(service: BentoService, root: Path, check_import: bool) -> BundleDescriptor:
    if os.environ.get(CHECK_VARIABLE):
        raise BentoMLException(
            "The service's module saves a bundle while it is imported. Put packing and saving under "
            "`if __name__ == '__main__':` or into another file"
        )
    with ImportCheck() if check_import else contextlib.nullcontext() as check:
        try:
            return _write_files(service, BundleLayout(root, service.name), check)
        except BaseException:
            _clear(root)
            raise


def _clear(root: Path) -> None:
    """A failed save leaves the directory as empty as it was."""
    for entry in root.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _write_files(service: BentoService, layout: BundleLayout, check: ImportCheck | None) -> BundleDescriptor:
    (layout.path / layout.name / "artifacts").mkdir(parents=True)
    service.artifacts.save(str(layout.package / "artifacts"))
    sources = collect_sources(service)
    _copy_sources(sources, layout)
    _copy_static_content(service, layout)
    copy_zip_archives(service.env, sources.root.file, layout.package / "zipimports")
    inferred = infer_requirements(sources.external) if service.env.infer else []
    environment = resolve_environment(service.env, inferred)
    descriptor = describe(service, sources, environment)
    _write_texts(service, descriptor, environment, layout)
    if service._recorded_examples is not None:
        layout.examples.write_text(service._recorded_examples, "utf-8", newline="\n")
    write_manifest(layout.path)
    warn_about_missing(sources, environment)
    if check is not None:
        report_import(check, layout.path, sources.pickled)
    return descriptor


def describe(
    service: BentoService, sources: SourceCollection, environment: ResolvedEnvironment
) -> BundleDescriptor:
    """What bentoml.yml will say about `service`."""
    return BundleDescriptor(
        name=service.name,
        version=service.version,
        created_at=datetime.now(timezone.utc),
        module_name=sources.root.name,
        module_file=sources.root.relative_path,
        bentoml_version=__version__,
        env=environment.to_record(),
        apis=tuple(_describe_api(api) for api in service.inference_apis),
        artifacts=tuple(
            ArtifactDescriptor(
                a.name,
                type(a).__name__,
                plain_values(dict(a.metadata or {})),
                packages_of(a.get()) if a.is_ready else {},
            )
            for a in service.artifacts.get_artifact_list()
        ),
    )


def _describe_api(api: Any) -> ApiDescriptor:
    return ApiDescriptor(
        name=api.name,
        route=api.route,
        docs=api.doc or "",
        input_type=type(api.input_adapter).__name__,
        output_type=type(api.output_adapter).__name__,
        mb_max_batch_size=api.mb_max_batch_size,
        mb_max_latency=api.mb_max_latency,
        batch=api.batch,
        input_config=plain_values(dict(api.input_adapter.config or {})),
        output_config=plain_values(dict(api.output_adapter.config or {})),
        http_methods=tuple(api.http_methods),
        is_async=api.is_async,
        max_concurrency=api.max_concurrency,
        timeout_s=api.timeout_s,
        max_batch_rows=api.max_batch_rows,
    )


def _copy_sources(sources: SourceCollection, layout: BundleLayout) -> None:
    base = import_root(sources.root)
    for module in sources.modules.values():
        target = layout.package.joinpath(*module.relative_path.split("/"))
        if target.exists():
            raise InvalidArgument(
                f"Module '{module.name}' and an artifact would both be '{module.relative_path}' in the "
                "bundle; rename the module"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_file(module.file, target, base if module.file.is_symlink() else module.file.parent)


def _copy_static_content(service: BentoService, layout: BundleLayout) -> None:
    path = service.get_web_static_content_path()
    if path is None:
        return
    if not Path(path).is_dir():
        raise BentoMLException(
            f"web_static_content '{path}' is not a directory; the path is taken from the current directory"
        )
    copy_tree(Path(path), layout.static_content)


def _write_texts(
    service: BentoService,
    descriptor: BundleDescriptor,
    environment: ResolvedEnvironment,
    layout: BundleLayout,
) -> None:
    from bentoml.service.openapi import build_openapi  # noqa: PLC0415 - heavy, needed here only

    wheel = build_own_wheel()
    wheel_sha256 = hashlib.sha256(wheel).hexdigest()
    layout.bundled_dependencies.mkdir()
    (layout.bundled_dependencies / wheel_name()).write_bytes(wheel)
    write_environment_files(environment, layout.path)
    config = descriptor.to_yaml()
    containers = ContainerSpec(
        name=descriptor.name,
        version=descriptor.version,
        base_image=environment.docker_base_image,
        wheel=wheel_name(),
        wheel_sha256=wheel_sha256,
        has_setup_script=environment.setup_script is not None,
    )
    package = PackageSpec(
        descriptor.name, descriptor.version, descriptor.python_version, wheel_name(), wheel_sha256
    )
    texts = {
        "bentoml.yml": config,
        f"{descriptor.name}/bentoml.yml": config,
        "README.md": readme_text(descriptor, type(service).__doc__),
        "docs.json": json.dumps(build_openapi(service), indent=2, ensure_ascii=False) + "\n",
        **container_files(containers),
        **packaging_files(package),
    }
    for name, text in texts.items():
        file = layout.path.joinpath(*name.split("/"))
        file.write_text(text, "utf-8", newline="\n")
        if name.endswith(".sh"):
            file.chmod(0o755)


def readme_text(descriptor: BundleDescriptor, doc: str | None) -> str:
    """README.md of a bundle: title, notice, then what the class says about itself."""
    notice = (
        f"# Generated BentoService bundle - {descriptor.tag}\n\n"
        "This folder was written by BentoML. Do not edit its files: they are listed with their digests in\n"
        "`bundle-manifest.json` and checked before the service is loaded.\n"
    )
    text = "\n".join(line.strip() for line in (doc or "").strip().splitlines())
    return f"{notice}\n{text}\n" if text else notice
