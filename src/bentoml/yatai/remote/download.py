"""Fetching a bundle from a server: verified, and going on after a break."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

from bentoml.bundle.archive import extract_archive
from bentoml.bundle.manifest import verify_manifest
from bentoml.exceptions import BentoMLException, BentoMLRpcError, BundleCorrupted, InvalidArgument
from bentoml.repository.base import BundleRecord
from bentoml.rpc.channel import ATTEMPTS, RpcClient, Unreachable, pause

from .progress import transfer_bar


def download(client: RpcClient, record: BundleRecord, target: Path) -> None:
    """Fetch the bundle's files into `target`, which must not exist.

    Raises:
        BundleCorrupted: what arrived is not what the server has, or no sound bundle.
    """
    with _new_directory(target) as space:
        archive = space / "archive.tar"
        with archive.open("xb") as file:
            _receive(client, record, file)
        place(archive, space, target)


def place(archive: Path, space: Path, target: Path) -> None:
    """Unpack an archive, verify the bundle in it and give it its name."""
    with archive.open("rb") as file:
        bundle = extract_archive(file, space)
    verify_manifest(bundle)
    bundle.chmod(0o755)
    bundle.rename(target)


class _new_directory:
    """A private directory beside `target`, gone at the end."""

    def __init__(self, target: Path) -> None:
        if target.exists():
            raise InvalidArgument(f"'{target}' exists already; name a directory that does not.")
        if not target.parent.is_dir():
            raise InvalidArgument(f"'{target.parent}' is no directory.")
        self._parent = target.parent

    def __enter__(self) -> Path:
        self._path = Path(tempfile.mkdtemp(prefix=".bentoml-pull-", dir=self._parent))
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


new_directory = _new_directory


def _receive(client: RpcClient, record: BundleRecord, file: IO[bytes]) -> None:
    """Fetch until everything is there; gives up after several attempts without any progress."""
    failures = 0
    digest = hashlib.sha256()
    with transfer_bar(f"Pulling {record.tag}", record.size_bytes or 0) as advance:
        while True:
            before = file.tell()
            try:
                expected = _receive_once(client, record, file, digest, advance)
                break
            except Unreachable as err:
                failures = 1 if file.tell() > before else failures + 1
                if failures >= ATTEMPTS:
                    raise BentoMLRpcError(f"Pulling {record.tag} stopped: {err}") from err
                pause(failures)
    if expected != digest.hexdigest():
        raise BundleCorrupted(f"{record.tag} arrived with other bytes than the server sent.")


def _receive_once(client: RpcClient, record: BundleRecord, file: IO[bytes], digest: Any, advance: Any) -> str:
    reference = {"name": record.name, "version": record.version}
    wanted = record.digest if file.tell() else ""
    for answer in client.fetch("FetchBento", bento=reference, offset=file.tell(), expected_digest=wanted):
        if answer["data"]:
            digest.update(answer["data"])
            file.write(answer["data"])
            advance(file.tell())
        if answer["sha256"]:
            return str(answer["sha256"])
    raise BentoMLException(f"The server ended the stream of {record.tag} before its last message.")
