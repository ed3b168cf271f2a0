"""`bundle-signature.json`: who vouches for exactly these files.

What is signed is a short text that names the service, its version and two digests: that of the whole
bundle's manifest and that of the inner package's, which is what `pip install <bundle>` leaves. The
file is no part of the manifest, so a bundle can be signed after it was saved, by several keys.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bentoml.bundle.descriptor import BundleDescriptor, read_descriptor
from bentoml.bundle.layout import SIGNATURE_FILE
from bentoml.bundle.manifest import FileEntry, Manifest, verify_manifest
from bentoml.exceptions import BundleCorrupted, InvalidArgument

from .keys import PublicKey, public_key, public_key_of_text

FORMAT = 1
_MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Signature:
    """One key's statement about one bundle. `manifest` and `package` are digests of manifests."""

    key: str
    name: str
    version: str
    manifest: str
    package: str
    signed_at: str
    signature: str

    def message(self) -> bytes:
        """The bytes that are signed."""
        lines = (
            f"bentoml bundle signature {FORMAT}",
            f"name {self.name}",
            f"version {self.version}",
            f"manifest {self.manifest}",
            f"package {self.package}",
            f"signed-at {self.signed_at}",
        )
        return "\n".join(lines).encode()

    @property
    def public_key(self) -> PublicKey:
        return public_key_of_text(self.key)

    def covers(self, manifest: Manifest, descriptor: BundleDescriptor) -> bool:
        """Whether the statement is about this content, under this name."""
        named = (self.name, self.version) == (descriptor.name, descriptor.version)
        return named and manifest.digest in (self.manifest, self.package)

    def is_genuine(self) -> bool:
        """Whether the key that the statement names made it."""
        try:
            return self.public_key.verify(base64.b64decode(self.signature, validate=True), self.message())
        except ValueError:
            return False


def sign_bundle(path: Path, private_key: Any) -> Signature:
    """Check every file of the bundle, then add this key's signature; replaces one of the same key.

    Raises:
        BundleCorrupted: a file differs from the manifest.
        InvalidArgument: the bundle has no manifest (0.13 wrote none).
    """
    manifest = verify_manifest(path)
    descriptor = read_descriptor(path)
    if manifest is None:
        raise InvalidArgument(
            f"{descriptor.tag} was saved by bentoml {descriptor.bentoml_version}, without digests of its "
            "files to sign. Load it and save it again, then sign the new bundle"
        )
    unsigned = Signature(
        key=public_key(private_key).text,
        name=descriptor.name,
        version=descriptor.version,
        manifest=manifest.digest,
        package=package_manifest(manifest, descriptor.name).digest,
        signed_at=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        signature="",
    )
    made = base64.b64encode(private_key.sign(unsigned.message())).decode()
    signature = Signature(**{**asdict(unsigned), "signature": made})
    others = [one for one in read_signatures(path) if one.key != signature.key]
    _write(path, [*others, signature])
    return signature


def package_manifest(manifest: Manifest, name: str) -> Manifest:
    """The manifest that the inner package gets when the bundle is installed with pip."""
    prefix = name + "/"
    inner = {
        path.removeprefix(prefix): FileEntry(entry.size, entry.sha256)
        for path, entry in manifest.files.items()
        if path.startswith(prefix)
    }
    return Manifest(inner)


def read_signatures(path: Path) -> list[Signature]:
    """All signatures of a bundle, none of them checked. Raises `BundleCorrupted` if unreadable."""
    file = path / SIGNATURE_FILE
    if file.is_symlink():
        raise BundleCorrupted(f"'{SIGNATURE_FILE}' of the bundle in '{path}' is a link; links are refused")
    if not file.is_file():
        return []
    if file.stat().st_size > _MAX_FILE_BYTES:
        raise BundleCorrupted(f"'{SIGNATURE_FILE}' of the bundle in '{path}' is too large")
    try:
        document = json.loads(file.read_text("utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r} is not {FORMAT}, the one known here")
        return [_signature(row) for row in document["signatures"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidArgument) as err:
        raise BundleCorrupted(
            f"'{SIGNATURE_FILE}' of the bundle in '{path}' cannot be read ({type(err).__name__}: {err})"
        ) from err


def _signature(row: dict[str, Any]) -> Signature:
    fields = {name: row[name] for name in Signature.__slots__}
    if any(not isinstance(value, str) or "\n" in value for value in fields.values()):
        raise ValueError("every field of a signature is one line of text")
    found = Signature(**fields)
    public_key_of_text(found.key)
    return found


def _write(path: Path, signatures: list[Signature]) -> None:
    """Replace the file in one step, on disk when this returns."""
    document = {"format": FORMAT, "signatures": [asdict(one) for one in signatures]}
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".signature-")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(json.dumps(document, indent=1) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path / SIGNATURE_FILE)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
