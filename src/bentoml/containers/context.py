"""The build context: exactly the files of a bundle's manifest, in a directory of their own (P22)."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bentoml.bundle.container_files import ContainerSpec, container_files
from bentoml.bundle.descriptor import BundleDescriptor
from bentoml.bundle.environment import default_base_image
from bentoml.bundle.layout import BUNDLED_DEPENDENCIES, MANIFEST_FILE, SIGNATURE_FILE
from bentoml.bundle.manifest import Manifest, build_manifest, read_manifest
from bentoml.bundle.own_wheel import build_own_wheel, wheel_name
from bentoml.bundle.requirements_file import users_requirements, without_library
from bentoml.bundle.trust.policy import check_bundle


@contextmanager
def build_context(bundle: Path) -> Iterator[tuple[Path, BundleDescriptor, str]]:
    """The directory to build, what the bundle says about itself, and the digest of its content.

    Raises:
        BundleCorrupted, UntrustedBundle: nothing may be built from this bundle.
    """
    descriptor = check_bundle(bundle)
    manifest = read_manifest(bundle)
    with tempfile.TemporaryDirectory(prefix="bentoml-image-") as work:
        context = Path(work)
        known = manifest if manifest is not None else build_manifest(bundle)
        _copy_files(bundle, known, context)
        if manifest is None:
            _renew(context, descriptor)
        yield context, descriptor, known.digest


def _copy_files(bundle: Path, manifest: Manifest, context: Path) -> None:
    extra = [name for name in (MANIFEST_FILE, SIGNATURE_FILE) if (bundle / name).is_file()]
    for name in (*manifest.files, *extra):
        target = context.joinpath(*name.split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(bundle / name, target, follow_symlinks=False)
        except OSError:  # another file system
            shutil.copy2(bundle / name, target, follow_symlinks=False)


def _renew(context: Path, descriptor: BundleDescriptor) -> None:
    """Container files for a bundle of 0.13: the images that its own ones start from are gone."""
    wheel = build_own_wheel()
    sha256 = hashlib.sha256(wheel).hexdigest()
    shutil.rmtree(context / BUNDLED_DEPENDENCIES, ignore_errors=True)
    spec = ContainerSpec(
        name=descriptor.name,
        version=descriptor.version,
        base_image=default_base_image(descriptor.env.get("conda_env")),
        wheel=wheel_name(),
        wheel_sha256=sha256,
        has_setup_script=(context / "setup.sh").is_file(),
    )
    old = context / "requirements.txt"
    library = f"./{BUNDLED_DEPENDENCIES}/{wheel_name()}"
    wanted = without_library(old.read_text("utf-8")) if old.is_file() else ""
    texts = {"requirements.txt": users_requirements(library, wanted, sha256), **container_files(spec)}
    for name, text in texts.items():
        file = context / name
        file.unlink(missing_ok=True)  # a hard link: the bundle keeps its own
        file.write_text(text, "utf-8", newline="")
        file.chmod(0o755 if name.endswith(".sh") else 0o644)
    for name in ("environment.yml", "python_version"):
        (context / name).touch()
    (context / BUNDLED_DEPENDENCIES).mkdir()
    (context / BUNDLED_DEPENDENCIES / wheel_name()).write_bytes(wheel)
