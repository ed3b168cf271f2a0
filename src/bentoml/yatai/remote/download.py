"""Fetching a bundle from a server: verified, and going on after a break."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bentoml.bundle.archive import extract_archive
from bentoml.bundle.manifest import verify_manifest
from bentoml.exceptions import BentoMLException, BentoMLRpcError, BundleCorrupted, InvalidArgument
from bentoml.repository.base import BundleRecord
from bentoml.repository.incoming import IncomingBundle
from bentoml.rpc import direct
from bentoml.rpc.channel import ATTEMPTS, RpcClient, Unreachable, Unsupported, pause

from .progress import transfer_bar

logger = logging.getLogger("bentoml.yatai")

Advance = Callable[[int], None]


def download(client: RpcClient, record: BundleRecord, target: Path) -> Mapping[str, str]:
    """Fetch the bundle's files into `target`, which must not exist.

    Returns:
        SHA-256 of the files, made of the bytes that were written to them.

    Raises:
        BundleCorrupted: what arrived is not what the server has, or no sound bundle.
    """
    with _new_directory(target) as space:
        incoming = IncomingBundle(space / "incoming")
        try:
            incoming.resume()
            _receive(client, record, incoming)
            bundle, digests = incoming.finish()
        finally:
            incoming.close()
        manifest = verify_manifest(bundle, digests)
        if record.digest and (manifest is None or manifest.digest != record.digest):
            raise _other_bytes(record)
        _name(bundle, target)
    return digests


def place(archive: Path, space: Path, target: Path) -> None:
    """Unpack an archive, verify the bundle in it and give it its name."""
    with archive.open("rb") as file:
        bundle = extract_archive(file, space)
    verify_manifest(bundle)
    _name(bundle, target)


def _name(bundle: Path, target: Path) -> None:
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


def _receive(client: RpcClient, record: BundleRecord, incoming: IncomingBundle) -> None:
    """Fetch until everything is there; gives up after several attempts without any progress."""
    failures = 0
    with transfer_bar(f"Pulling {record.tag}", record.size_bytes or 0) as advance:
        while True:
            before = incoming.received_bytes
            try:
                _receive_once(client, record, incoming, advance)
                return
            except Unreachable as err:
                incoming.pause()
                failures = 1 if incoming.received_bytes > before else failures + 1
                if failures >= ATTEMPTS:
                    raise BentoMLRpcError(f"Pulling {record.tag} stopped: {err}") from err
                pause(failures)


def _receive_once(
    client: RpcClient, record: BundleRecord, incoming: IncomingBundle, advance: Advance
) -> None:
    """Fetch the rest, by the way that costs least."""
    if record.digest and client.direct_host is not None:
        try:
            _receive_directly(client, client.direct_host, record, incoming, advance)
            return
        except (direct.NoDirectWay, Unsupported) as err:
            logger.debug("%s comes over gRPC: %s", record.tag, err)
            client.direct_host = None
    _receive_stream(client, record, incoming, advance)


def _receive_directly(
    client: RpcClient, host: str, record: BundleRecord, incoming: IncomingBundle, advance: Advance
) -> None:
    answer = client.call("OpenFetch", repeatable=True, name=record.name, version=record.version)
    if (answer["bento"]["details"] or {}).get("digest") != record.digest:
        raise _other_bytes(record)
    if answer["direct"] is None:
        raise direct.NoDirectWay("The server does not offer it.")

    def write(piece: memoryview) -> None:
        incoming.write(piece)
        advance(incoming.received_bytes)

    direct.fetch(host, answer["direct"], incoming.received_bytes, write)


def _receive_stream(
    client: RpcClient, record: BundleRecord, incoming: IncomingBundle, advance: Advance
) -> None:
    reference, offset = {"name": record.name, "version": record.version}, incoming.received_bytes
    wanted = record.digest if offset else ""
    for answer in client.fetch("FetchBento", bento=reference, offset=offset, expected_digest=wanted):
        if answer["data"]:
            incoming.write(answer["data"])
            advance(incoming.received_bytes)
        if answer["sha256"]:
            if not record.digest and answer["sha256"] != incoming.archive_sha256():
                raise _other_bytes(record)
            return
    raise BentoMLException(f"The server ended the stream of {record.tag} before its last message.")


def _other_bytes(record: BundleRecord) -> BundleCorrupted:
    return BundleCorrupted(f"{record.tag} arrived with other bytes than the server has.")
