"""Ed25519 keys: making them, reading them from files, naming them.

Files are in the usual forms, so `openssl genpkey -algorithm ed25519` and `ssh-keygen -t ed25519` make
keys for this too. The cryptography is that of the `cryptography` package, imported when it is used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bentoml.exceptions import (
    AlreadyExists,
    BentoMLConfigException,
    InvalidArgument,
    MissingDependencyException,
)

INLINE = "ed25519:"
PRIVATE_SUFFIX = ".pem"
PUBLIC_SUFFIX = ".pub"
_RAW_BYTES = 32
_MAX_KEY_FILE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who signs. `raw` is the 32 bytes of an Ed25519 public key."""

    raw: bytes

    @property
    def id(self) -> str:
        """The SHA-256 of the key, in hex; its first 16 digits are enough to talk about it."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def text(self) -> str:
        """The key itself on one line, as `trust.verify_keys` takes it."""
        return INLINE + base64.b64encode(self.raw).decode()

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is this key's, over exactly these bytes."""
        key = _crypto("hazmat.primitives.asymmetric.ed25519").Ed25519PublicKey.from_public_bytes(self.raw)
        try:
            key.verify(signature, message)
        except _crypto("exceptions").InvalidSignature:
            return False
        return True


def public_key_of_text(text: str) -> PublicKey:
    """The key that `PublicKey.text` wrote. Raises `InvalidArgument`."""
    try:
        raw = base64.b64decode(text.removeprefix(INLINE), validate=True)
    except binascii.Error:
        raw = b""
    if not text.startswith(INLINE) or len(raw) != _RAW_BYTES:
        raise InvalidArgument(f"'{text[:80]}' is not a public key such as ed25519:<44 characters of base64>")
    return PublicKey(raw)


def generate_key(path: Path, password: str | None = None) -> tuple[Path, Path]:
    """Make a pair of keys: `<path>.pem`, readable by its owner only, and `<path>.pub`.

    Args:
        password: encrypts the private key.

    Raises:
        AlreadyExists: one of the files is there; a key is never overwritten.
    """
    serialization = _crypto("hazmat.primitives.serialization")
    key = _crypto("hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey.generate()
    encryption = (
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    private = path.with_name(path.name + PRIVATE_SUFFIX)
    public = path.with_name(path.name + PUBLIC_SUFFIX)
    for file in (private, public):
        if file.exists():
            raise AlreadyExists(f"'{file}' exists already; give another name, a key is never overwritten")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(pem)
    public.write_text(public_key(key).text + "\n", "utf-8")
    return private, public


def load_private_key(path: Path, password: str | None = None) -> Any:
    """An Ed25519 private key from a PEM or OpenSSH file.

    Raises:
        InvalidArgument: the file is missing, is no such key, or needs another password.
    """
    serialization = _crypto("hazmat.primitives.serialization")
    content = _read(path, "private key")
    secret = password.encode() if password else None
    is_ssh = b"BEGIN OPENSSH PRIVATE KEY" in content
    load = serialization.load_ssh_private_key if is_ssh else serialization.load_pem_private_key
    try:
        key = load(content, secret)
    except TypeError as err:
        fix = "needs its password" if password is None else "is not encrypted; give no password"
        raise InvalidArgument(f"The private key in '{path}' {fix}") from err
    except Exception as err:  # ValueError, UnsupportedAlgorithm and others, by the kind of damage
        hint = " or the password is wrong" if password else ""
        raise InvalidArgument(f"'{path}' is not a private key in PEM or OpenSSH form{hint}") from err
    if not isinstance(key, _crypto("hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey):
        raise InvalidArgument(
            f"'{path}' holds a key of another kind than Ed25519. Make one with: bentoml keygen NAME"
        )
    return key


def public_key(private_key: Any) -> PublicKey:
    return PublicKey(private_key.public_key().public_bytes_raw())


def load_public_keys(sources: Iterable[str]) -> tuple[PublicKey, ...]:
    """Keys by what `trust.verify_keys` names: files, directories of `*.pub` files, keys as text.

    Raises:
        BentoMLConfigException: one of them is missing, is no key, or there is none at all.
    """
    keys: list[PublicKey] = []
    for source in sources:
        try:
            keys.extend(_keys_of(source))
        except InvalidArgument as err:
            raise BentoMLConfigException(f"trust.verify_keys: {err}") from err
    if not keys:
        raise BentoMLConfigException(
            "trust.verify_keys names no key, so no bundle could be accepted. Name a public key, or remove "
            "the setting to accept unsigned bundles"
        )
    return tuple(dict.fromkeys(keys))


def _keys_of(source: str) -> list[PublicKey]:
    if source.startswith(INLINE):
        return [public_key_of_text(source)]
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(path.glob("*" + PUBLIC_SUFFIX))
        if not files:
            raise InvalidArgument(f"directory '{path}' holds no file '*{PUBLIC_SUFFIX}'")
        return [key for file in files for key in _keys_of_file(file)]
    return _keys_of_file(path)


def _keys_of_file(path: Path) -> list[PublicKey]:
    content = _read(path, "public key")
    if b"PRIVATE KEY" in content:
        raise InvalidArgument(f"'{path}' is a private key; name the public one, '*{PUBLIC_SUFFIX}'")
    if b"BEGIN PUBLIC KEY" in content:
        return [_parsed(path, content, "load_pem_public_key")]
    lines = [line.strip() for line in content.splitlines()]
    keys = []
    for line in lines:
        if line.startswith(INLINE.encode()):
            keys.append(public_key_of_text(line.decode("ascii", "replace")))
        elif line and not line.startswith(b"#"):
            keys.append(_parsed(path, line, "load_ssh_public_key"))
    if not keys:
        raise InvalidArgument(f"'{path}' holds no public key")
    return keys


def _parsed(path: Path, content: bytes, loader: str) -> PublicKey:
    try:
        key = getattr(_crypto("hazmat.primitives.serialization"), loader)(content)
    except Exception as err:  # as for private keys
        raise InvalidArgument(f"'{path}' holds no public key that can be read") from err
    if not isinstance(key, _crypto("hazmat.primitives.asymmetric.ed25519").Ed25519PublicKey):
        raise InvalidArgument(f"'{path}' holds a key of another kind than Ed25519")
    return PublicKey(key.public_bytes_raw())


def _read(path: Path, what: str) -> bytes:
    try:
        if path.stat().st_size > _MAX_KEY_FILE_BYTES:
            raise InvalidArgument(f"'{path}' is too large to be a {what}")
        return path.read_bytes()
    except OSError as err:
        raise InvalidArgument(f"The {what} '{path}' cannot be read: {err.strerror or err}") from err


def _crypto(module: str) -> Any:
    try:
        return importlib.import_module(f"cryptography.{module}")
    except ModuleNotFoundError as err:
        raise MissingDependencyException(
            "Signatures need the package 'cryptography', which is not installed. Install it with: "
            "pip install cryptography"
        ) from err
