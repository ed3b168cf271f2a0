"""What lies in an exported archive, and its list of contents.

bentoml-export.json             first: the bundle's tag and digest, its labels, every wheel's digest
bentoml-export-signature.json   who vouches for exactly that list, if somebody does
bundle/                         the saved bundle with its own manifest of digests
wheels/                         what its environment needs, if that was asked for
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bentoml import __version__
from bentoml.bundle.archive import bundle_root, first_entry
from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.layout import EXPORT_FILE, EXPORT_SIGNATURE_FILE, EXPORTED_BUNDLE, EXPORTED_WHEELS
from bentoml.bundle.manifest import verify_manifest
from bentoml.environments.wheel_set import WheelSet, wheel_set_from_dict
from bentoml.exceptions import BentoMLException, BundleCorrupted, InvalidArgument
from bentoml.tags import Tag, validate_labels

FORMAT = 1
_MAX_LIST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class ExportList:
    """The list of contents. `digest` is that of the bundle's manifest, "" for a bundle of 0.13."""

    tag: Tag
    digest: str
    labels: dict[str, str] = field(default_factory=dict)
    wheels: WheelSet | None = None

    def to_json(self) -> str:
        document = {
            "format": FORMAT,
            "name": self.tag.name,
            "version": self.tag.version,
            "digest": self.digest,
            "exported_by": f"bentoml {__version__}",
            "labels": self.labels,
            "wheels": self.wheels.to_dict() if self.wheels is not None else None,
        }
        return json.dumps(document, indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Package:
    """An unpacked and verified archive; `contents` is None for one that holds a bundle alone."""

    tag: Tag
    bundle: Path
    contents: ExportList | None
    directory: Path

    @property
    def wheels(self) -> WheelSet | None:
        return self.contents.wheels if self.contents is not None else None


def open_package(directory: Path) -> Package:
    """Check everything in an unpacked archive against its digests; executes nothing.

    Raises:
        BundleCorrupted: something is changed, missing or too much.
    """
    if not (directory / EXPORT_FILE).is_file():
        bundle = bundle_root(directory)
        verify_manifest(bundle)
        return Package(_tag_of(bundle), bundle, None, directory)
    contents = parse_list((directory / EXPORT_FILE).read_bytes())
    _check_top(directory, contents)
    bundle = directory / EXPORTED_BUNDLE
    if not bundle.is_dir():
        raise BundleCorrupted(f"The archive holds no '{EXPORTED_BUNDLE}' folder")
    manifest = verify_manifest(bundle)
    if (manifest.digest if manifest is not None else "") != contents.digest:
        raise BundleCorrupted(f"The bundle in the archive is not the one that its '{EXPORT_FILE}' lists")
    if _tag_of(bundle) != contents.tag:
        raise BundleCorrupted(f"The bundle in the archive is {_tag_of(bundle)}, not {contents.tag}")
    if contents.wheels is not None:
        contents.wheels.verify(directory / EXPORTED_WHEELS)
    return Package(contents.tag, bundle, contents, directory)


def parse_list(data: bytes) -> ExportList:
    """Read `bentoml-export.json`, of unknown origin. Raises `BundleCorrupted`."""
    if len(data) > _MAX_LIST_BYTES:
        raise BundleCorrupted(f"The archive's '{EXPORT_FILE}' is too large")
    try:
        document: Any = json.loads(data)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r} is not {FORMAT}, the one known here")
        wheels = document["wheels"]
        return ExportList(
            Tag(document["name"], document["version"]),
            str(document["digest"]),
            dict(validate_labels(document["labels"])),
            wheel_set_from_dict(wheels) if wheels is not None else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidArgument) as err:
        raise BundleCorrupted(
            f"The archive's '{EXPORT_FILE}' cannot be read ({type(err).__name__}: {str(err)[:300]})"
        ) from err


def peek_list(file: Path) -> ExportList | None:
    """The list at the beginning of an archive, before anything is unpacked; None if it has none there."""
    with file.open("rb") as stream:
        try:
            content = first_entry(stream, EXPORT_FILE, _MAX_LIST_BYTES)
            return parse_list(content) if content is not None else None
        except BentoMLException:
            return None  # unpacking says what is wrong


def _check_top(directory: Path, contents: ExportList) -> None:
    known = {EXPORT_FILE, EXPORT_SIGNATURE_FILE, EXPORTED_BUNDLE}
    if contents.wheels is not None:
        known.add(EXPORTED_WHEELS)
        (directory / EXPORTED_WHEELS).mkdir(exist_ok=True)  # a bundle may need no wheel at all
    strange = sorted(entry.name for entry in directory.iterdir() if entry.name not in known)
    if strange:
        raise BundleCorrupted(
            f"The archive holds '{strange[0][:128]}', which its '{EXPORT_FILE}' does not list"
        )


def _tag_of(bundle: Path) -> Tag:
    descriptor = read_descriptor(bundle)
    return Tag(descriptor.name, descriptor.version)
