"""`bentoml-export-signature.json`: who vouches for the wheels in an archive.

A bundle's own signature covers the bundle. Wheels run code too, so where signatures are required the
list of contents has to be signed as well, or every wheel named by digest in the bundle's signed lock.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bentoml.bundle.layout import EXPORT_FILE, EXPORT_SIGNATURE_FILE, LOCK_FILE
from bentoml.bundle.trust.keys import PublicKey, public_key, public_key_of_text
from bentoml.bundle.trust.policy import current_policy
from bentoml.exceptions import BundleCorrupted, InvalidArgument, UntrustedBundle

from .package import Package

FORMAT = 1
_MAX_FILE_BYTES = 64 << 10
_DIGEST = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def signature_text(contents: bytes, private_key: Any) -> str:
    """The signature file for a list of contents."""
    signed_at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {
        "format": FORMAT,
        "key": public_key(private_key).text,
        "signed_at": signed_at,
        "signature": base64.b64encode(private_key.sign(_message(contents, signed_at))).decode(),
    }
    return json.dumps(document, indent=1) + "\n"


def require_trusted_wheels(package: Package) -> None:
    """Raise `UntrustedBundle` where the settings ask for signatures and nobody vouches for the wheels."""
    keys = current_policy().keys
    wheels = package.wheels
    if keys is None or wheels is None or not wheels.files:
        return
    if signer(package.directory) in keys:
        return
    lock = package.bundle / LOCK_FILE
    locked = set(_DIGEST.findall(lock.read_text("utf-8"))) if lock.is_file() else set()
    strange = sorted(name for name, entry in wheels.files.items() if entry.sha256 not in locked)
    if strange:
        raise UntrustedBundle(
            f"Nobody trusted vouches for wheel '{strange[0]}' of {package.tag}: the archive is not signed "
            "by a key of trust.verify_keys, and no lock in the bundle names this wheel. Export it with "
            "--key, or lock the bundle before it is signed. Nothing was imported"
        )


def signer(directory: Path) -> PublicKey | None:
    """The key that signed an unpacked archive's list of contents; None if nobody did.

    Raises:
        BundleCorrupted: the signature cannot be read, or does not belong to this list.
    """
    file = directory / EXPORT_SIGNATURE_FILE
    if not file.is_file():
        return None
    if file.stat().st_size > _MAX_FILE_BYTES:
        raise BundleCorrupted(f"The archive's '{EXPORT_SIGNATURE_FILE}' is too large")
    try:
        document = json.loads(file.read_text("utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r} is not {FORMAT}, the one known here")
        key = public_key_of_text(document["key"])
        signature = base64.b64decode(document["signature"], validate=True)
        message = _message((directory / EXPORT_FILE).read_bytes(), str(document["signed_at"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidArgument) as err:
        raise BundleCorrupted(
            f"The archive's '{EXPORT_SIGNATURE_FILE}' cannot be read ({type(err).__name__}: {err})"
        ) from err
    if not key.verify(signature, message):
        raise BundleCorrupted(f"The archive's '{EXPORT_FILE}' was changed after it had been signed")
    return key


def _message(contents: bytes, signed_at: str) -> bytes:
    digest = hashlib.sha256(contents).hexdigest()
    return f"bentoml export signature {FORMAT}\nsha256 {digest}\nsigned-at {signed_at}".encode()
