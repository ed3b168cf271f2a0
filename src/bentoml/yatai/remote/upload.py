"""Sending a bundle to a server: in pieces, going on after a break, also of this process.

`<home>/yatai/pushes/<key>.id` keeps the id of an upload until it is done. Its lock is held while a
process works on it, so a second process that pushes the same bundle begins an upload of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bentoml.bundle.manifest import read_manifest, verify_manifest
from bentoml.bundle.packing import TarStream
from bentoml.exceptions import BentoMLException, BentoMLRpcError, BundleCorrupted, LockUnavailable
from bentoml.observability.progress import Advance
from bentoml.repository.base import BundleRecord
from bentoml.repository.locks import FileLock
from bentoml.rpc import direct
from bentoml.rpc.bundles import record_of
from bentoml.rpc.channel import ATTEMPTS, RpcClient, Unreachable, pause, retrying
from bentoml.rpc.pieces import paced
from bentoml.rpc.status import ABORTED
from bentoml.settings import home
from bentoml.tags import Tag

from .progress import transfer_bar

logger = logging.getLogger("bentoml.yatai")

CHUNK_BYTES = 1 << 20
SMALL_BYTES = 1 << 18
_JOINED = 64


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A bundle as the bytes that go over the wire.

    Attributes:
        manifest_digest: what the server compares the files with, so that they are read only once here.
        sha256: of all bytes, for a bundle of 0.13, which has no manifest.
    """

    tag: Tag
    tar: TarStream
    manifest_digest: str
    sha256: str

    @classmethod
    def of(cls, tag: Tag, bundle: Path) -> Outgoing:
        """Raises `BundleCorrupted` for a bundle whose manifest is missing or edited."""
        tar, manifest = TarStream(bundle), read_manifest(bundle)
        if manifest is not None:
            return cls(tag, tar, manifest.digest, "")
        verify_manifest(bundle)
        digest = hashlib.sha256()
        for chunk in tar.iter_chunks():
            digest.update(chunk)
        return cls(tag, tar, "", digest.hexdigest())


def upload(
    client: RpcClient, tag: Tag, bundle: Path, labels: Mapping[str, str], lineage: Mapping[str, str]
) -> BundleRecord:
    """Send the bundle in a directory; returns the record that the server made of it.

    Raises:
        AlreadyExists: the server has that tag.
        BentoMLRpcError: the server could not be reached for a while; the next call goes on from there.
    """
    outgoing = Outgoing.of(tag, bundle)
    with _request_id(client.url, outgoing) as request_id:
        state = client.call(
            "BeginUpload",
            repeatable=True,
            name=tag.name,
            version=tag.version,
            size_bytes=outgoing.tar.size_bytes,
            sha256=outgoing.sha256,
            manifest_digest=outgoing.manifest_digest,
            labels=dict(labels),
            lineage=dict(lineage),
            request_id=request_id,
        )
        with transfer_bar(f"Pushing {tag}", outgoing.tar.size_bytes) as advance:
            _send_rest(client, outgoing, state, advance)
        finish = {"upload_id": state["upload_id"], "timeout_s": None}
        answer = retrying(lambda: client.call("FinishUpload", **finish))
    return record_of(answer["bento"])


def _send_rest(client: RpcClient, outgoing: Outgoing, state: dict[str, Any], advance: Advance) -> None:
    """Send until the server has everything; gives up after several attempts without any progress."""
    failures = 0
    upload_id, received = state["upload_id"], state["received_bytes"]
    while received < outgoing.tar.size_bytes:
        try:
            state = _send(client, outgoing, state, received, advance)
        except BentoMLException as err:
            if not _may_go_on(err):
                raise
            failures += 1
            if failures >= ATTEMPTS:
                raise BentoMLRpcError(
                    f"Pushing {outgoing.tag} stopped at {received} of {outgoing.tar.size_bytes} bytes: {err} "
                    "Push it again to go on from there."
                ) from err
            pause(failures)
            state = client.call("GetUpload", repeatable=True, upload_id=upload_id)
            if state["state"] == "FAILED":
                if isinstance(err, Unreachable):
                    raise BundleCorrupted(state["error"]) from err
                raise
        if state["received_bytes"] > received:
            failures = 0
        received = state["received_bytes"]


def _send(
    client: RpcClient, outgoing: Outgoing, state: dict[str, Any], offset: int, advance: Advance
) -> dict[str, Any]:
    """Send from `offset` to the end, by the way that costs least; returns the state that was reached."""
    host, address = client.direct_host, state.get("direct")
    if host is not None and address is not None:
        try:
            direct.put(host, address, outgoing.tar, offset, _from(offset, advance))
        except direct.NoDirectWay as err:
            logger.debug("%s goes over gRPC: %s", outgoing.tag, err)
            client.direct_host = None
        else:
            return {**state, "received_bytes": outgoing.tar.size_bytes}
    return client.send("SendUpload", _messages(outgoing, state["upload_id"], offset, advance))


def _from(done: int, advance: Advance) -> Advance:
    """Counts more bytes on top of those that are through."""

    def more(count: int) -> None:
        nonlocal done
        done += count
        advance(done)

    return more


def _messages(outgoing: Outgoing, upload_id: str, offset: int, advance: Advance) -> Iterator[dict[str, Any]]:
    yield {"upload_id": upload_id, "offset": offset}
    done = offset
    for chunk in paced(joined(outgoing.tar.iter_chunks(offset, CHUNK_BYTES), SMALL_BYTES)):
        yield {"data": chunk}
        done += len(chunk)
        advance(done)


def joined(chunks: Iterable[bytes], enough_bytes: int) -> Iterator[bytes]:
    """The same bytes with small chunks put together, and large ones as they are."""
    waiting: list[bytes] = []
    for chunk in chunks:
        if len(chunk) < enough_bytes:
            waiting.append(chunk)
            if len(waiting) == _JOINED or sum(map(len, waiting)) >= enough_bytes:
                yield b"".join(waiting)
                waiting = []
            continue
        if waiting:
            yield b"".join(waiting)
            waiting = []
        yield chunk
    if waiting:
        yield b"".join(waiting)


def _may_go_on(error: BentoMLException) -> bool:
    """The connection broke, or the server still thinks that the broken one is alive."""
    return isinstance(error, Unreachable | LockUnavailable) or error.grpc_code in (ABORTED, 4, 8, 9)


@contextlib.contextmanager
def _request_id(url: str, outgoing: Outgoing) -> Iterator[str]:
    """The id of this upload: the one of a process that was interrupted, or a new one."""
    key = hashlib.sha256(
        f"{url}\0{outgoing.tag}\0{outgoing.manifest_digest}{outgoing.sha256}".encode()
    ).hexdigest()[:32]
    file = home() / "yatai" / "pushes" / f"{key}.id"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file.with_suffix(".lock"))
        is_mine = lock.try_acquire()
    except OSError:  # a home that cannot be written: the upload cannot be resumed later
        yield uuid.uuid4().hex
        return
    if not is_mine:
        yield uuid.uuid4().hex
        return
    try:
        yield _kept_id(file)
    except Unreachable:
        raise
    except BentoMLRpcError:
        raise
    except BentoMLException:
        file.unlink(missing_ok=True)  # refused: beginning again would be refused again
        raise
    else:
        file.unlink(missing_ok=True)
    finally:
        lock.release()


def _kept_id(file: Path) -> str:
    with contextlib.suppress(OSError):
        known = file.read_text("ascii").strip()
        if len(known) == 32:
            return known
    made = uuid.uuid4().hex
    with contextlib.suppress(OSError):
        file.write_text(made, "ascii")
    return made
