"""RPCs that move bytes: uploads in pieces, downloads, and the two streams of 0.13."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from bentoml.bundle.packing import TarStream
from bentoml.exceptions import FailedPrecondition, InvalidArgument, NotFound, OutOfRange
from bentoml.repository.base import BundleRecord
from bentoml.rpc.bundles import bento_message
from bentoml.rpc.pieces import paced
from bentoml.tags import Tag
from bentoml.yatai.access import READ, WRITE, Caller
from bentoml.yatai.direct.tickets import Ticket, Tickets
from bentoml.yatai.registry import Registry
from bentoml.yatai.services.uploads import Progress

Fields = dict[str, Any]
CHUNK_BYTES = 1 << 20


class TransferCalls:
    """Handlers by RPC; a stream of requests comes as an iterator of fields."""

    def __init__(self, registry: Registry, tickets: Tickets) -> None:
        self._bundles = registry.bundles
        self._uploads = registry.uploads
        self._tickets = tickets

    def begin_upload(self, caller: Caller, request: Fields) -> Fields:
        tag = Tag(request["name"], request["version"])
        progress = self._uploads.begin(
            caller,
            tag,
            request["size_bytes"],
            request["sha256"],
            request["labels"],
            request["lineage"],
            request["request_id"],
            request["manifest_digest"],
        )
        return self._offering(caller, progress)

    def get_upload(self, caller: Caller, request: Fields) -> Fields:
        return self._offering(caller, self._uploads.progress(caller, request["upload_id"]))

    def _offering(self, caller: Caller, progress: Progress) -> Fields:
        """The state of an upload, with a direct way for its bytes."""
        return {**_state(progress), "direct": self._tickets.issue(Ticket(caller, progress.upload.id))}

    def send_upload(self, caller: Caller, requests: Iterator[Fields]) -> Fields:
        first = next(requests, None)
        if first is None:
            raise InvalidArgument("The stream ended before it named an upload.")
        upload_id = first["upload_id"]

        def chunks() -> Iterator[bytes]:
            yield first["data"]
            for request in requests:
                if request["upload_id"] not in ("", upload_id):
                    raise InvalidArgument("The stream changed to another upload.")
                yield request["data"]

        return _state(self._uploads.receive(caller, upload_id, first["offset"], chunks()))

    def finish_upload(self, caller: Caller, request: Fields) -> Fields:
        return {"bento": bento_message(self._uploads.finish(caller, request["upload_id"]))}

    def abort_upload(self, caller: Caller, request: Fields) -> Fields:
        self._uploads.abort(caller, request["upload_id"])
        return {}

    def upload_bento(self, caller: Caller, requests: Iterator[Fields]) -> Fields:
        """0.13's upload: one stream, the tag in every message."""
        caller.require(WRITE)
        first = next(requests, None)
        if first is None:
            raise InvalidArgument("The stream ended before it named a bundle.")
        tag = Tag(first["bento_name"], first["bento_version"])

        def chunks() -> Iterator[bytes]:
            yield first["bento_bundle"]
            for request in requests:
                if (request["bento_name"], request["bento_version"]) != (tag.name, tag.version):
                    raise InvalidArgument(f"The stream changed from {tag} to another bundle.")
                yield request["bento_bundle"]

        self._uploads.receive_whole(caller, tag, chunks())
        return {"status": {}}

    def download_bento(self, caller: Caller, request: Fields) -> Iterator[Fields]:
        """0.13's download: an uncompressed tar in small pieces."""
        caller.require(READ)
        record = self._bundles.find(request["bento_name"], request["bento_version"])
        with self._bundles.directory(record) as path:
            for piece in paced(TarStream(path).iter_chunks(chunk_bytes=CHUNK_BYTES)):
                yield {"status": {}, "bento_bundle": bytes(piece)}

    def open_fetch(self, caller: Caller, request: Fields) -> Fields:
        """A direct way for the bytes of a bundle."""
        caller.require(READ)
        record = self._bundles.find(request["name"], request["version"])
        return {
            "bento": bento_message(record),
            "direct": self._tickets.issue(Ticket(caller, record=record)),
        }

    def fetch_bento(self, caller: Caller, request: Fields) -> Iterator[Fields]:
        """A download that can go on after a break; the last message has the digest of all bytes."""
        caller.require(READ)
        reference = request["bento"] or {"name": "", "version": ""}
        record = self._bundles.find(reference["name"], reference["version"])
        wanted = request["expected_digest"]
        if wanted and wanted != record.digest:
            raise FailedPrecondition(f"{record.tag} is another bundle than the one that was begun.")
        with self._bundles.directory(record) as path:
            yield from _pieces(record, TarStream(path), request["offset"])


def _pieces(record: BundleRecord, tar: TarStream, offset: int) -> Iterator[Fields]:
    if not 0 <= offset <= tar.size_bytes:
        raise OutOfRange(f"The archive has {tar.size_bytes} bytes; it cannot go on at {offset}.")
    yield {"bento": bento_message(record), "size_bytes": tar.size_bytes}
    digest = hashlib.sha256()

    def rest() -> Iterator[bytes]:
        position = 0
        for chunk in tar.iter_chunks(chunk_bytes=CHUNK_BYTES):
            digest.update(chunk)
            if position + len(chunk) > offset:
                yield chunk[max(0, offset - position) :]
            position += len(chunk)

    try:
        for piece in paced(rest()):
            yield {"data": piece}
    except FileNotFoundError as err:
        raise NotFound(f"{record.tag} was deleted while it was read.") from err
    yield {"sha256": digest.hexdigest()}


def _state(progress: Progress) -> Fields:
    upload = progress.upload
    return {
        "upload_id": upload.id,
        "received_bytes": progress.received_bytes,
        "size_bytes": upload.size_bytes,
        "state": upload.state,
        "error": upload.error,
    }
