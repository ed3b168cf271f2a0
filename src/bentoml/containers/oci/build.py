"""An image without an engine: nothing of the base, the packages or the bundle runs here."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from bentoml.bundle.conda_file import lists_conda_packages
from bentoml.bundle.container_files import DEFAULT_UID
from bentoml.bundle.descriptor import BundleDescriptor
from bentoml.containers.context import build_context
from bentoml.containers.image_names import image_reference
from bentoml.environments.source import environment_source
from bentoml.environments.wheel_store import verified_wheels
from bentoml.exceptions import InvalidArgument

from .archive import ImageArchive
from .base_image import BaseImage, BaseLayer, choose_images
from .bytecode import compile_nodes
from .config import BUNDLE, HOME, image_config
from .environment_tree import VENV, environment_nodes
from .image_python import Target, find_target
from .layer import WrittenLayer, compress_layer, write_layer
from .media import BASE_DIGEST
from .packages import install_packages
from .platforms import parse_platform, this_platform
from .rootfs import RootFiles, read_root_files
from .tree import Node, directory, with_parents
from .unpacking import unpacked
from .users import user_nodes

Output = Callable[[str], None]

_ARGUMENTS = ("UID", "GID", "EXTRA_PIP_INSTALL_ARGS")
_EPOCH_S = 315_532_800  # 1980, the oldest time that every format can hold
_MAX_ID = 2**31 - 2


@dataclass(frozen=True, slots=True)
class OciImage:
    """An image in the file `path`. `digest` names its content, for all platforms together."""

    path: Path
    reference: str
    digest: str
    bundle_digest: str
    platforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Request:
    """What all platforms of one image have in common."""

    bundle: Path
    context: Path
    descriptor: BundleDescriptor
    bundle_digest: str
    wheels: Path | None
    owner: tuple[int, int]
    options: list[str]
    output: Output

    @property
    def created(self) -> datetime:
        return _source_date() or self.descriptor.created_at


def build_oci_image(
    bundle: Path,
    target: Path,
    *,
    bases: tuple[Path, ...],
    tag: str | None = None,
    platforms: tuple[str, ...] = (),
    build_args: Mapping[str, str] | None = None,
    wheels: Path | None = None,
    output: Output = lambda line: None,
) -> OciImage:
    """Write an image of the bundle in `bundle` to the file `target`.

    Args:
        bases: OCI layouts, OCI archives or docker archives with the base image of every platform.
        platforms: such as `linux/arm64`; the base's own, if it has only one, otherwise this machine's.
        build_args: `UID`, `GID`, `EXTRA_PIP_INSTALL_ARGS`, as for the Dockerfile.
        wheels: directory of wheels to install from, without any index.
        output: gets a line for every step, and those of the tool that installs.

    Raises:
        InvalidArgument: the base, a platform or an argument cannot be used, or the bundle needs a step
            that has to run inside the image.
        ImageBuildFailed: the packages cannot be installed.
        BundleCorrupted, UntrustedBundle: nothing may be built from this bundle.
    """
    owner, options = _arguments(build_args or {})
    wanted = tuple(parse_platform(text) for text in platforms)
    if not bases:
        raise InvalidArgument("The oci builder needs a base image: a tar archive or an OCI image layout")
    if target.is_dir():
        raise InvalidArgument(f"'{target}' is a directory; name the file to write, such as image.tar")
    images = choose_images(bases, wanted, this_platform())
    with build_context(bundle) as (context, descriptor, digest), tempfile.TemporaryDirectory() as work:
        _refuse_steps(context, descriptor)
        reference = image_reference(tag, descriptor.name, descriptor.version)
        request = _Request(
            bundle, context, descriptor, digest, wheels or verified_wheels(bundle), owner, options, output
        )
        archive = ImageArchive()
        for number, image in enumerate(images):
            place = Path(work) / str(number)
            place.mkdir()
            _add_platform(request, image, archive, place)
        output(f"Writing {target}")
        written = archive.write(target, reference)
    return OciImage(target, reference, written, digest, tuple(str(image.platform) for image in images))


def _add_platform(request: _Request, image: BaseImage, archive: ImageArchive, work: Path) -> None:
    request.output(f"Reading the base image for {image.platform}")
    root = read_root_files(image)
    minor = ".".join(request.descriptor.python_version.split(".")[:2])
    target = find_target(image.platform, image.config, root, minor)
    if minor and target.minor != minor:
        request.output(f"WARNING: the bundle was saved with Python {minor}, the base has {target.minor}")
    for path in (VENV, BUNDLE):
        if root.resolve(path) is not None:
            raise InvalidArgument(f"The base image has something at /{path} already; take another base")
    base_layers = [_portable(layer, work / f"base-{n}") for n, layer in enumerate(image.layers)]
    layers = [_package_layer(request, root, target, work), _bundle_layer(request, root, work)]
    steps = ["packages of requirements.txt", f"bundle {request.descriptor.tag}"]
    diff_ids = [*(layer.diff_id for layer in image.layers), *(layer.diff_id for layer in layers)]
    created = request.created.strftime("%Y-%m-%dT%H:%M:%SZ")
    labels = {
        "org.opencontainers.image.title": request.descriptor.name,
        "org.opencontainers.image.version": request.descriptor.version,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.revision": request.bundle_digest,
        BASE_DIGEST: image.digest,
    }
    steps = [f"bentoml containerize: {step}" for step in steps]
    config = image_config(image, diff_ids, labels, steps, created)
    archive.add_image(config, [*base_layers, *layers], labels)


def _portable(layer: BaseLayer, file: Path) -> BaseLayer | WrittenLayer:
    """A layer as it is, or compressed if it comes out of a docker archive."""
    if layer.descriptor is not None:
        return layer
    with unpacked(layer) as stream:
        return compress_layer(stream, file, layer.diff_id)


def _package_layer(request: _Request, root: RootFiles, target: Target, work: Path) -> WrittenLayer:
    request.output(f"Installing packages for Python {target.minor}")
    with environment_source(request.context) as source:
        environment, own_files = install_packages(
            source, target, work / "environment", request.wheels, request.options, request.output
        )
        nodes = environment_nodes(environment, own_files, target, source.wheel)
    nodes.update(compile_nodes(nodes, target, work / "bytecode"))
    home = directory(HOME, request.owner)
    everything = [*nodes.values(), *user_nodes(root, *request.owner), home]
    date = _source_date()
    modified_s = int(date.timestamp()) if date else _EPOCH_S  # the same layer for the next model
    request.output(f"Packing {len(nodes)} files of packages")
    return write_layer(with_parents(everything, root, [home]), work / "packages.tar.gz", modified_s)


def _bundle_layer(request: _Request, root: RootFiles, work: Path) -> WrittenLayer:
    place = directory(BUNDLE, request.owner)
    nodes = [place]
    for file in sorted(request.context.rglob("*")):
        if file.is_file():
            path = f"{BUNDLE}/{file.relative_to(request.context).as_posix()}"
            mode = 0o755 if os.access(file, os.X_OK) else 0o644
            nodes.append(Node(path, mode, request.owner, file))
    home = directory(HOME, request.owner)
    packed = [node for node in with_parents(nodes, root, [home, place]) if node.path.startswith(BUNDLE)]
    return write_layer(packed, work / "bundle.tar.gz", int(request.created.timestamp()))


def _refuse_steps(context: Path, descriptor: BundleDescriptor) -> None:
    """What the Dockerfile would run, and nothing but an engine can."""
    reason = ""
    if (context / "setup.sh").is_file():
        reason = "has a setup.sh, which has to run inside the image"
    elif lists_conda_packages(descriptor.env.get("conda_env") or {}):
        reason = "lists conda packages, which conda has to install inside the image"
    if reason:
        raise InvalidArgument(f"{descriptor.tag} {reason}; use --builder docker, podman or buildah")


def _arguments(build_args: Mapping[str, str]) -> tuple[tuple[int, int], list[str]]:
    for name in build_args:
        if name not in _ARGUMENTS:
            raise InvalidArgument(
                f"The oci builder has no build argument {name[:64]!r}; there are {', '.join(_ARGUMENTS)}"
            )
    numbers = []
    for name in ("UID", "GID"):
        text = build_args.get(name, str(DEFAULT_UID))
        if not (text.isascii() and text.isdigit() and 0 < int(text[:12]) <= _MAX_ID):
            raise InvalidArgument(f"Build argument {name} is {text[:64]!r}; it must be a number above 0")
        numbers.append(int(text))
    try:
        options = shlex.split(build_args.get("EXTRA_PIP_INSTALL_ARGS", ""))
    except ValueError as err:
        raise InvalidArgument(f"EXTRA_PIP_INSTALL_ARGS cannot be read: {err}") from err
    return (numbers[0], numbers[1]), options


def _source_date() -> datetime | None:
    """`SOURCE_DATE_EPOCH`, which reproducible builds set."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    try:
        return datetime.fromtimestamp(int(text), timezone.utc)
    except (ValueError, OverflowError, OSError) as err:
        raise InvalidArgument(
            f"SOURCE_DATE_EPOCH is {text[:64]!r}; it must be seconds since 1970 as a whole number"
        ) from err
