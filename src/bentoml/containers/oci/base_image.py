"""The images in a base: found, checked, with their layers ready to be read.

Understood are OCI image layouts (a directory, or `oci-archive` tar) and docker archives, as
`skopeo copy`, `docker save`, `podman save` and `buildah push` write them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bentoml.exceptions import InvalidArgument

from .descriptors import Descriptor, check_digest, digest_of, parse_descriptor, parse_json
from .files import ImageFiles, open_files, read_small
from .media import INDEX, MANIFEST, is_layer, oci_type
from .platforms import Platform, platform_of

_MAX_DEPTH = 4
_MAX_LAYERS = 500


@dataclass(frozen=True, slots=True)
class BaseLayer:
    """One layer. `descriptor` is None in a docker archive, where layers are named, not digested."""

    files: ImageFiles
    name: str
    diff_id: str
    descriptor: Descriptor | None = None


@dataclass(frozen=True, slots=True)
class BaseImage:
    """`digest` is that of its manifest, or of its configuration where it has no manifest."""

    path: Path
    platform: Platform
    config: dict[str, Any]
    layers: tuple[BaseLayer, ...]
    digest: str


def read_base(path: Path) -> list[BaseImage]:
    """All images in a base, one for each platform in the usual case.

    Raises:
        InvalidArgument: there is none, or what is there contradicts its digests.
    """
    files = open_files(path)
    if files.has("index.json"):
        index = parse_json(read_small(files, "index.json"), f"'index.json' of the base image '{path}'")
        found = _images_of_index(files, index, 0)
    elif files.has("manifest.json"):
        found = _images_of_docker(files)
    else:
        raise InvalidArgument(
            f"'{path}' is no base image: it has neither index.json (OCI layout) nor manifest.json (docker "
            "archive). `skopeo copy docker://python:3.11-slim oci-archive:python.tar` makes one"
        )
    if not found:
        raise InvalidArgument(f"The base image '{path}' holds no image for Linux")
    return found


def choose_images(
    bases: tuple[Path, ...], wanted: tuple[Platform, ...], default: Platform
) -> list[BaseImage]:
    """One image for each platform, sorted; without `wanted` the only one there is, or that of `default`.

    Raises:
        InvalidArgument: a platform is missing, or it is there twice.
    """
    images = [image for path in bases for image in read_base(path)]
    if not wanted:
        wanted = (images[0].platform,) if len(images) == 1 else (default,)
    chosen = []
    for platform in sorted(set(wanted)):
        fitting = [image for image in images if image.platform == platform]
        if len({image.digest for image in fitting}) != 1:
            there = ", ".join(sorted({str(image.platform) for image in images}))
            problem = "more than one image" if fitting else "no image"
            files = " and ".join(f"'{path}'" for path in bases)
            raise InvalidArgument(f"{files}: {problem} for {platform}; there is {there}")
        chosen.append(fitting[0])
    return chosen


def _images_of_index(files: ImageFiles, index: dict[str, Any], depth: int) -> list[BaseImage]:
    entries = index.get("manifests")
    if not isinstance(entries, list) or depth > _MAX_DEPTH:
        raise InvalidArgument(f"The index of the base image '{files.path}' lists no manifests")
    found = []
    for entry in entries:
        descriptor = parse_descriptor(entry, f"A manifest of the base image '{files.path}'")
        platform = descriptor.extra.get("platform") or {}
        if platform.get("os", "linux") != "linux":
            continue  # attestations are listed as `unknown`
        kind = oci_type(descriptor.media_type)
        if kind not in (INDEX, MANIFEST):
            continue
        if not files.has(descriptor.blob):
            continue  # `skopeo copy` keeps the index of all platforms and the blobs of one
        value = _checked_json(files, descriptor)
        if kind == INDEX:
            found += _images_of_index(files, value, depth + 1)
        else:
            found.append(_image_of_manifest(files, value, descriptor.digest))
    return found


def _image_of_manifest(files: ImageFiles, manifest: dict[str, Any], digest: str) -> BaseImage:
    where = f"the base image '{files.path}'"
    config = _checked_json(files, parse_descriptor(manifest.get("config"), f"The configuration of {where}"))
    rows = manifest.get("layers")
    if not isinstance(rows, list) or len(rows) > _MAX_LAYERS:
        raise InvalidArgument(f"The manifest of {where} lists no layers, or more than {_MAX_LAYERS}")
    descriptors = [parse_descriptor(row, f"Layer {n} of {where}") for n, row in enumerate(rows, 1)]
    diff_ids = _diff_ids(config, len(descriptors), where)
    for descriptor in descriptors:
        if not is_layer(descriptor.media_type):
            raise InvalidArgument(f"{where} has a layer of the unknown type {descriptor.media_type[:80]!r}")
    layers = tuple(
        BaseLayer(files, one.blob, diff_id, Descriptor(oci_type(one.media_type), one.digest, one.size))
        for one, diff_id in zip(descriptors, diff_ids, strict=True)
    )
    return BaseImage(files.path, platform_of(config), config, layers, digest)


def _images_of_docker(files: ImageFiles) -> list[BaseImage]:
    where = f"the base image '{files.path}'"
    try:
        rows = json.loads(read_small(files, "manifest.json"))
        wanted = [(str(row["Config"]), [str(name) for name in row["Layers"]]) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise InvalidArgument(f"'manifest.json' of {where} is none of a docker archive: {err!r}") from err
    images = []
    for config_name, layer_names in wanted:
        data = read_small(files, config_name)
        config = parse_json(data, f"The configuration of {where}")
        diff_ids = _diff_ids(config, len(layer_names), where)
        layers = (
            BaseLayer(files, name, diff_id) for name, diff_id in zip(layer_names, diff_ids, strict=True)
        )
        images.append(BaseImage(files.path, platform_of(config), config, tuple(layers), digest_of(data)))
    return images


def _diff_ids(config: dict[str, Any], count: int, where: str) -> list[str]:
    root = config.get("rootfs")
    diff_ids = root.get("diff_ids") if isinstance(root, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) != count:
        raise InvalidArgument(f"The configuration of {where} does not list its {count} layers")
    return [check_digest(value, f"Layer {number} of {where}") for number, value in enumerate(diff_ids, 1)]


def _checked_json(files: ImageFiles, descriptor: Descriptor) -> dict[str, Any]:
    data = read_small(files, descriptor.blob)
    if len(data) != descriptor.size or digest_of(data) != descriptor.digest:
        raise InvalidArgument(
            f"The base image '{files.path}' is damaged: '{descriptor.blob}' has the digest {digest_of(data)}"
        )
    return parse_json(data, f"'{descriptor.blob}' of the base image '{files.path}'")
