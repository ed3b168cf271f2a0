"""A saved bundle becomes one file, on request with every wheel that its environment needs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bentoml.bundle.compression import compressing, compression_of, default_suffix
from bentoml.bundle.layout import EXPORT_FILE, EXPORT_SIGNATURE_FILE, EXPORTED_BUNDLE, EXPORTED_WHEELS
from bentoml.bundle.manifest import read_manifest
from bentoml.bundle.packing import add_file, files_of, open_tar
from bentoml.bundle.trust.policy import check_bundle
from bentoml.environments.download import download_wheels
from bentoml.environments.source import environment_source
from bentoml.environments.targets import choose_target
from bentoml.environments.wheel_set import WheelSet
from bentoml.exceptions import AlreadyExists, InvalidArgument
from bentoml.observability.progress import progress_bar
from bentoml.repository.durable import explained, sync_directory, sync_file
from bentoml.repository.open import open_repository
from bentoml.tags import Tag, split_reference

from .package import ExportList
from .signature import signature_text

Member = tuple[str, Path]


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished archive."""

    path: Path
    tag: Tag
    size_bytes: int
    wheels: WheelSet | None


def export_bundle(
    bento: str,
    output: Path | None = None,
    *,
    with_wheels: bool = False,
    platform: str | None = None,
    python: str | None = None,
    find_links: Sequence[Path] = (),
    private_key: Any = None,
    with_labels: bool = True,
    overwrite: bool = False,
) -> Exported:
    """Pack a bundle, given as `Name:Version` or as a directory.

    Args:
        output: the file (`.tar.zst`, `.tar.gz` or `.tar`), or a directory for one named after the bundle.
        with_wheels: fetch and pack every wheel that it needs, so that it can be served without a network.
        platform: what they are for, such as `linux/arm64`, instead of this platform.
        python: and which Python, such as `3.12`, instead of the one that saved the bundle.
        find_links: directories with more wheels, such as those that you built from source.
        private_key: an Ed25519 key that signs the list of contents, see `trust.keys.load_private_key`.
        with_labels: pack the labels that the bundle has in the repository.

    Raises:
        NotFound: there is no such bundle.
        AlreadyExists: the file is there, and not `overwrite`.
        BundleCorrupted: a file of the bundle differs from its digest.
        InvalidArgument: a package has no wheel for the target, or the bundle is one of 0.13.
        BentoMLException: the index does not answer, or the disk is full; no file is left.
    """
    repository = open_repository()
    bundle = repository.resolve(bento)
    descriptor = check_bundle(bundle)
    tag = Tag(descriptor.name, descriptor.version)
    labels = {}
    if with_labels and not Path(bento).is_dir():
        labels = repository.get(*split_reference(bento)).labels
    target = _output(output, tag)
    if target.exists() and not overwrite:
        raise AlreadyExists(f"'{target}' exists already; give another --output, or --overwrite")
    with (
        explained(f"Exporting {tag} to '{target}'"),
        tempfile.TemporaryDirectory(prefix=".bentoml-export-", dir=target.parent) as work,
    ):
        wheels, directory = None, Path(work) / EXPORTED_WHEELS
        if with_wheels:
            directory.mkdir()
            wheels = _fetch(bundle, directory, platform, python, find_links)
        manifest = read_manifest(bundle)
        contents = ExportList(tag, manifest.digest if manifest is not None else "", dict(labels), wheels)
        members = _describe(contents, private_key, Path(work))
        members += [(f"{EXPORTED_BUNDLE}/{f.relative_to(bundle).as_posix()}", f) for f in files_of(bundle)]
        members += (
            [(f"{EXPORTED_WHEELS}/{name}", directory / name) for name in sorted(wheels.files)]
            if wheels
            else []
        )
        archive = Path(work) / "archive"
        _pack(archive, members, target, str(tag))
        _place(archive, target, overwrite)
    return Exported(target, tag, target.stat().st_size, wheels)


def _output(output: Path | None, tag: Tag) -> Path:
    chosen = Path.cwd() if output is None else output
    if chosen.is_dir():
        chosen = chosen / f"{tag.name}-{tag.version}{default_suffix()}"
    compression_of(chosen.name)
    if not chosen.parent.is_dir():
        raise InvalidArgument(f"There is no directory '{chosen.parent}' for the archive")
    return chosen.absolute()


def _fetch(
    bundle: Path, directory: Path, platform: str | None, python: str | None, find_links: Sequence[Path]
) -> WheelSet:
    with environment_source(bundle) as source:
        if source.directory != bundle:
            raise InvalidArgument(
                f"{source.descriptor.tag} was saved by 0.13 and has no list of digests that wheels could be "
                "kept with. Load it and save it again, then export the new bundle"
            )
        target = choose_target(platform, python, source.python_minor)
        return download_wheels(source, target, directory, find_links)


def _describe(contents: ExportList, private_key: Any, work: Path) -> list[Member]:
    """The list of contents and its signature, as files."""
    text = contents.to_json()
    (work / EXPORT_FILE).write_text(text, "utf-8", newline="\n")
    members = [(EXPORT_FILE, work / EXPORT_FILE)]
    if private_key is not None:
        signature = signature_text(text.encode(), private_key)
        (work / EXPORT_SIGNATURE_FILE).write_text(signature, "utf-8", newline="\n")
        members.append((EXPORT_SIGNATURE_FILE, work / EXPORT_SIGNATURE_FILE))
    return members


def _pack(archive: Path, members: list[Member], target: Path, tag: str) -> None:
    total = sum(file.stat().st_size for _, file in members)
    with (
        progress_bar(f"Packing {tag}", total) as advance,
        archive.open("xb") as stream,
        compressing(stream, compression_of(target.name)) as zipped,
        open_tar(zipped) as tar,
    ):
        for name, file in members:
            add_file(tar, file, name, advance)
    sync_file(archive)


def _place(archive: Path, target: Path, overwrite: bool) -> None:
    """Give the finished archive its name; somebody else's new file is not replaced."""
    if overwrite:
        os.replace(archive, target)
    else:
        try:
            os.link(archive, target)
        except FileExistsError:
            raise AlreadyExists(f"'{target}' exists already; give another --output, or --overwrite") from None
        except OSError:  # a file system without hard links
            os.rename(archive, target)
    sync_directory(target.parent)
