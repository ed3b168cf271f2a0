"""What a bundle is made of as a CycloneDX document: packages, models with their digests, this library.

The document follows from the bundle alone, so the same bundle gives the same bytes.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from bentoml.exceptions import MissingDependencyException

from .inspection import InspectedArtifact, Inspection, inspect_bundle, requirements_of
from .layout import BUNDLED_DEPENDENCIES, LOCK_FILE
from .requirements_file import logical_lines

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

_NAMESPACE = uuid.UUID("6f1d2f3e-6f0b-5a0e-9a43-3f6f6a3b2c55")


def sbom_json(path: Path) -> str:
    """The bundle in `path` as CycloneDX 1.6 in JSON.

    Packages are those of the bundle's lock where it has one, else its requirements; a package that is not
    pinned is listed without a version.

    Raises:
        MissingDependencyException: `cyclonedx-python-lib` is not installed.
        BundleCorrupted: a file differs from the manifest.
    """
    try:
        from cyclonedx.model.bom import Bom  # noqa: PLC0415 - optional
        from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415
    except ImportError as err:
        raise MissingDependencyException(
            "A list of contents needs the package 'cyclonedx-python-lib', which is not installed. Install it "
            "with: pip install cyclonedx-python-lib"
        ) from err
    found = inspect_bundle(path)
    _require_intact(found)
    root = _root(found)
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, _identity(found)))
    bom.metadata.component = root
    bom.metadata.timestamp = found.descriptor.created_at
    parts = [*_packages(found), *_library(found), *(_model(artifact) for artifact in found.artifacts)]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(root, parts)
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _require_intact(found: Inspection) -> None:
    from bentoml.exceptions import BundleCorrupted  # noqa: PLC0415

    if not found.is_intact:
        raise BundleCorrupted(found.integrity)


def _identity(found: Inspection) -> str:
    return (
        found.manifest.digest if found.manifest else f"{found.descriptor.tag}@{found.descriptor.created_at}"
    )


def _root(found: Inspection) -> Component:
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415

    described = found.descriptor
    return Component(
        type=ComponentType.APPLICATION,
        name=described.name,
        version=described.version,
        bom_ref=described.tag,
        hashes=_hashes(found.manifest.digest) if found.manifest else (),
    )


def _packages(found: Inspection) -> list[Component]:
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    parts: dict[str, Component] = {}
    for requirement in _requirements(found):
        name = canonicalize_name(requirement.name)
        if name == "bentoml":
            continue
        pins = [one.version for one in requirement.specifier if one.operator in ("==", "===")]
        version = pins[0] if len(pins) == 1 and "*" not in pins[0] else None
        url = PackageURL("pypi", None, name, version)
        parts[name] = Component(
            type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=url.to_string()
        )
    return list(parts.values())


def _requirements(found: Inspection) -> list[Requirement]:
    lock = found.path / LOCK_FILE
    stated = logical_lines(lock.read_text("utf-8")) if lock.is_file() else requirements_of(found.descriptor)
    parsed = []
    for line in stated:
        text = line.replace("\\\n", " ").partition(" #")[0].partition(" --")[0].strip()
        try:
            parsed.append(Requirement(text))
        except InvalidRequirement:
            continue  # a path or an option of pip
    return parsed


def _library(found: Inspection) -> list[Component]:
    """The wheel of this library inside the bundle, which is no package of any index."""
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415

    files = found.manifest.files if found.manifest else {}
    wheels = [name for name in files if name.startswith(f"{BUNDLED_DEPENDENCIES}/bentoml-")]
    return [
        Component(
            type=ComponentType.LIBRARY,
            name="bentoml",
            version=found.descriptor.bentoml_version,
            bom_ref=f"file:{name}",
            description=f"bundled as {name}",
            hashes=_hashes(files[name].sha256),
        )
        for name in wheels
    ]


def _model(artifact: InspectedArtifact) -> Component:
    from cyclonedx.model import Property  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415

    files = [
        Component(
            type=ComponentType.FILE,
            name=file.path,
            bom_ref=f"artifact:{artifact.descriptor.name}/{file.path}",
            hashes=_hashes(file.sha256) if file.sha256 else (),
        )
        for file in artifact.files
    ]
    facts: dict[str, Any] = {
        "bentoml:artifact-type": artifact.descriptor.artifact_type,
        "bentoml:data-only": str(artifact.is_data).lower(),
    }
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=artifact.descriptor.name,
        bom_ref=f"artifact:{artifact.descriptor.name}",
        components=files,
        properties=[Property(name=name, value=value) for name, value in facts.items()],
    )


def _hashes(sha256: str) -> tuple[Any, ...]:
    from cyclonedx.model import HashAlgorithm, HashType  # noqa: PLC0415

    return (HashType(alg=HashAlgorithm.SHA_256, content=sha256),)
