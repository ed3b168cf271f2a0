"""Key files in every form that is accepted, and the ones that are refused with a reason."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from bentoml.bundle.trust.keys import (
    generate_key,
    load_private_key,
    load_public_keys,
    public_key,
    public_key_of_text,
)
from bentoml.exceptions import AlreadyExists, BentoMLConfigException, InvalidArgument

RAW = (serialization.Encoding, serialization.PublicFormat, serialization.PrivateFormat)


def test_a_generated_pair_belongs_together_and_is_private(tmp_path: Path) -> None:
    private, public = generate_key(tmp_path / "deep" / "release")
    assert (private.name, public.name) == ("release.pem", "release.pub")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    key = load_private_key(private)
    (found,) = load_public_keys([str(public)])
    assert found == public_key(key)
    assert found.verify(key.sign(b"text"), b"text")
    assert not found.verify(key.sign(b"text"), b"texT")
    assert public_key_of_text(found.text) == found
    with pytest.raises(AlreadyExists, match="never overwritten"):
        generate_key(tmp_path / "deep" / "release")


def test_an_encrypted_key_needs_its_password(tmp_path: Path) -> None:
    private, _ = generate_key(tmp_path / "secret", "hunter2")
    assert b"ENCRYPTED" in private.read_bytes()
    load_private_key(private, "hunter2")
    with pytest.raises(InvalidArgument, match="needs its password"):
        load_private_key(private)
    with pytest.raises(InvalidArgument, match="password is wrong"):
        load_private_key(private, "hunter3")
    plain, _ = generate_key(tmp_path / "plain")
    with pytest.raises(InvalidArgument, match="not encrypted"):
        load_private_key(plain, "hunter2")


def test_keys_of_openssl_and_ssh(tmp_path: Path) -> None:
    encoding, public_format, private_format = RAW
    key = ed25519.Ed25519PrivateKey.generate()
    ssh = tmp_path / "id_ed25519"
    ssh.write_bytes(key.private_bytes(encoding.PEM, private_format.OpenSSH, serialization.NoEncryption()))
    assert public_key(load_private_key(ssh)) == public_key(key)
    line = key.public_key().public_bytes(encoding.OpenSSH, public_format.OpenSSH)
    (tmp_path / "id_ed25519.pub").write_bytes(b"# team\n" + line + b" me@here\n")
    pem = key.public_key().public_bytes(encoding.PEM, public_format.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    wanted = (public_key(key),)
    assert load_public_keys([str(tmp_path / "id_ed25519.pub")]) == wanted
    assert load_public_keys([str(tmp_path / "key.pem")]) == wanted
    assert load_public_keys([str(tmp_path), public_key(key).text]) == wanted


def test_what_is_no_key_is_refused_and_never_means_that_nothing_is_required(tmp_path: Path) -> None:
    encoding, public_format, private_format = RAW
    other = rsa.generate_private_key(65537, 2048)
    foreign = tmp_path / "rsa.pem"
    foreign.write_bytes(other.private_bytes(encoding.PEM, private_format.PKCS8, serialization.NoEncryption()))
    with pytest.raises(InvalidArgument, match="another kind than Ed25519"):
        load_private_key(foreign)
    (tmp_path / "rsa.pub").write_bytes(
        other.public_key().public_bytes(encoding.PEM, public_format.SubjectPublicKeyInfo)
    )
    private, _ = generate_key(tmp_path / "ours")
    (tmp_path / "empty.pub").write_text("\n")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "huge").write_bytes(b"x" * 100_000)
    for source, why in {
        str(tmp_path / "rsa.pub"): "another kind",
        str(private): "private key",
        str(tmp_path / "absent"): "cannot be read",
        str(tmp_path / "empty.pub"): "holds no public key",
        str(tmp_path / "nothing"): "holds no file",
        str(tmp_path / "huge"): "too large",
        "ed25519:AAAA": "not a public key",
        "ed25519:!!!": "not a public key",
    }.items():
        with pytest.raises(BentoMLConfigException, match=why):
            load_public_keys([source])
    with pytest.raises(BentoMLConfigException, match="names no key"):
        load_public_keys([])
