"""Uploads: bytes arrive in pieces, go on after a break, and count only when they are verified.

    <directory>/<upload id>/        what has arrived, unpacked
    <directory>/<upload id>.lock    held while a call works on it

An upload belongs to nobody's process: any server of the database that has the directory continues it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from bentoml.bundle.manifest import read_manifest
from bentoml.exceptions import (
    AlreadyExists,
    BentoMLException,
    BundleCorrupted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Overloaded,
)
from bentoml.repository.base import BundleRecord
from bentoml.repository.database import Database
from bentoml.repository.index import Addition, already_exists
from bentoml.repository.models import utc_now
from bentoml.tags import Tag, validate_labels, validate_lineage
from bentoml.yatai.access import WRITE, Caller
from bentoml.yatai.db import events
from bentoml.yatai.db import uploads as upload_db
from bentoml.yatai.db.uploads import DONE, FAILED, RECEIVING, Upload

from .arriving import Arriving
from .bundles import BUNDLE, Bundles

logger = logging.getLogger("bentoml.yatai")

MAX_BYTES = 64 << 30
KEPT = timedelta(days=2)
_MIN_ID_CHARS = 16
_FULL = (errno.ENOSPC, errno.EDQUOT)
_MANIFEST = "manifest:"  # before the digest of an upload that is known by its manifest


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is."""

    upload: Upload
    received_bytes: int


class Uploads:
    """Use cases about uploads.

    Args:
        directory: where arriving bundles are kept, best on the file system of the store.
    """

    def __init__(self, database: Database, bundles: Bundles, directory: Path) -> None:
        self._database = database
        self._bundles = bundles
        self.directory = directory
        self._arriving = Arriving(directory)

    def begin(
        self,
        caller: Caller,
        tag: Tag,
        size_bytes: int,
        sha256: str,
        labels: Mapping[str, str],
        lineage: Mapping[str, str],
        request_id: str = "",
        manifest_digest: str = "",
    ) -> Progress:
        """Announce an archive.

        Args:
            sha256: of the archive, if the bundle has no manifest.
            request_id: the client's own id of this upload; beginning it again continues it.
            manifest_digest: the digest in the bundle's manifest, which has those of all files.

        Raises:
            AlreadyExists: the tag is taken.
            InvalidArgument: a value is outside what is allowed.
        """
        caller.require(WRITE)
        digest = manifest_digest or sha256
        if tag.is_latest or not 0 < size_bytes <= MAX_BYTES or not _is_sha256(digest):
            raise InvalidArgument(
                f"An upload needs a version, a size of 1 to {MAX_BYTES} bytes and a SHA-256 in hexadecimal."
            )
        upload_id = _id_of(caller, request_id)
        values = {
            "id": upload_id,
            "name": tag.name,
            "version": tag.version,
            "size_bytes": size_bytes,
            "sha256": f"{_MANIFEST}{digest}" if manifest_digest else digest,
            "labels": validate_labels(labels),
            "lineage": validate_lineage(lineage),
            "started_by": caller.name,
        }
        known = self._database.read(lambda connection: upload_db.find(connection, upload_id))
        is_there = self._bundles.find_or_none(tag.name, tag.version) is not None
        # One that is done and whose bundle was deleted since then begins anew: its client got no answer.
        if known is not None and known.state != FAILED and (known.state != DONE or is_there):
            _check_same(known, values)
            return self._progress(known)
        if is_there:
            raise already_exists(tag)
        upload = self._database.write(lambda connection: upload_db.put(connection, values))
        return self._progress(upload)

    def progress(self, caller: Caller, upload_id: str) -> Progress:
        """How far an upload is. Raises `NotFound`."""
        caller.require(WRITE)
        return self._progress(self._find(caller, upload_id))

    def receive(
        self, caller: Caller, upload_id: str, offset: int, chunks: Iterable[bytes | memoryview]
    ) -> Progress:
        """Append bytes; whatever arrived stays if the chunks end early or raise.

        Args:
            chunks: not kept, so that a buffer may be used again for the next one.

        Raises:
            FailedPrecondition: `offset` is not where the archive ends here, or it is complete.
            LockUnavailable: another call is sending the same upload.
        """
        caller.require(WRITE)
        upload = self._find(caller, upload_id)
        _require_receiving(upload)
        with self._arriving.exclusive(upload_id), self._failing_for_good(upload_id, BundleCorrupted):
            incoming = self._arriving.take_up(upload_id)
            if offset != incoming.received_bytes:
                raise FailedPrecondition(
                    f"The upload continues at byte {incoming.received_bytes}, not at {offset}."
                )
            try:
                for chunk in chunks:
                    if incoming.received_bytes + len(chunk) > upload.size_bytes:
                        raise InvalidArgument(
                            f"More bytes than the {upload.size_bytes} that were announced arrived."
                        )
                    incoming.write(chunk)
            except OSError as err:
                self._arriving.forget(upload_id)  # who goes on looks at what the disk has
                self._give_space_back(upload_id, err)
                raise _disk_failed(err) from err
            finally:
                incoming.pause()
        if incoming.received_bytes < upload.size_bytes:  # else the next call writes that it is done
            self._database.write(lambda connection: upload_db.touch(connection, upload_id))
        return self._progress(upload)

    def finish(self, caller: Caller, upload_id: str) -> BundleRecord:
        """Verify the archive and add the bundle; repeating it gives the same answer.

        Raises:
            FailedPrecondition: bytes are missing.
            BundleCorrupted: the bytes are others than announced, or no sound bundle.
            AlreadyExists: the tag was taken meanwhile.
        """
        caller.require(WRITE)
        upload = self._find(caller, upload_id)
        tag = Tag(upload.name, upload.version)
        if upload.state == DONE:
            return self._bundles.find(tag.name, tag.version)
        _require_receiving(upload)
        final = (BundleCorrupted, AlreadyExists, InvalidArgument)
        with self._arriving.exclusive(upload_id), self._failing_for_good(upload_id, *final):
            self._add(caller, upload, tag)
            self._arriving.remove(upload_id)
        return self._bundles.find(tag.name, tag.version)

    def abort(self, caller: Caller, upload_id: str) -> None:
        """Forget an upload."""
        caller.require(WRITE)
        self._find(caller, upload_id)
        with self._arriving.exclusive(upload_id):
            self._settle(upload_id, FAILED, "The client gave up.")

    def receive_whole(self, caller: Caller, tag: Tag, chunks: Iterable[bytes]) -> BundleRecord:
        """An archive in one go, of unknown size, as 0.13 sends it; nothing of it stays if it fails."""
        caller.require(WRITE)
        if self._bundles.find_or_none(tag.name, tag.version) is not None:
            raise already_exists(tag)
        upload_id = uuid.uuid4().hex
        with self._arriving.exclusive(upload_id):
            incoming = self._arriving.take_up(upload_id)
            try:
                for chunk in chunks:
                    if incoming.received_bytes + len(chunk) > MAX_BYTES:
                        raise InvalidArgument(f"An archive has at most {MAX_BYTES} bytes.")
                    incoming.write(chunk)
                incoming.pause()
                self._bundles.store.add_received(*incoming.finish(), tag, self._addition(caller, tag, {}, {}))
            except OSError as err:
                raise _disk_failed(err) from err
            finally:
                self._arriving.remove(upload_id)
        return self._bundles.find(tag.name, tag.version)

    def clean_up(self) -> None:
        """Remove what nobody continued for days, and the files that no upload in progress needs."""
        moment = utc_now() - KEPT
        self._database.write(lambda connection: upload_db.remove_older(connection, moment))
        self._arriving.clean_up(self._is_over)

    def _is_over(self, upload_id: str) -> bool:
        upload = self._database.read(lambda connection: upload_db.find(connection, upload_id))
        return upload is None or upload.state != RECEIVING

    def _add(self, caller: Caller, upload: Upload, tag: Tag) -> None:
        incoming = self._arriving.take_up(upload.id)
        if incoming.received_bytes != upload.size_bytes:
            raise FailedPrecondition(
                f"{incoming.received_bytes} of {upload.size_bytes} bytes have arrived; send the rest first."
            )
        root, digests = incoming.finish()
        if upload.sha256.startswith(_MANIFEST):
            _require_manifest(root, upload.sha256.removeprefix(_MANIFEST))
        elif incoming.archive_sha256() != upload.sha256:
            raise BundleCorrupted("The bytes that arrived are others than announced: their SHA-256 differs.")
        addition = self._addition(caller, tag, upload.labels, upload.lineage)

        def also(connection: Connection) -> None:
            assert addition.also is not None
            addition.also(connection)
            upload_db.settle(connection, upload.id, DONE)

        self._bundles.store.add_received(root, digests, tag, replace(addition, also=also))

    def _addition(
        self, caller: Caller, tag: Tag, labels: Mapping[str, str], lineage: Mapping[str, str]
    ) -> Addition:
        note = events.recording(caller, "bundle.add", BUNDLE, str(tag))
        return Addition({}, labels, lineage, created_by=caller.name, also=note)

    def _find(self, caller: Caller, upload_id: str) -> Upload:
        upload = self._database.read(lambda connection: upload_db.find(connection, upload_id))
        if upload is None or upload.started_by != caller.name:
            raise NotFound(f"There is no upload '{upload_id[:64]}'; begin a new one.")
        return upload

    def _settle(self, upload_id: str, state: str, error: str) -> None:
        self._database.write(lambda connection: upload_db.settle(connection, upload_id, state, error))
        self._arriving.remove(upload_id)

    def _progress(self, upload: Upload) -> Progress:
        if upload.state != RECEIVING:
            return Progress(upload, upload.size_bytes if upload.state == DONE else 0)
        return Progress(upload, self._arriving.received_bytes(upload.id))

    def _give_space_back(self, upload_id: str, error: OSError) -> None:
        if error.errno in _FULL:
            self._arriving.remove(upload_id)
            self._settle(upload_id, FAILED, str(_disk_failed(error)))

    @contextlib.contextmanager
    def _failing_for_good(self, upload_id: str, *errors: type[Exception]) -> Iterator[None]:
        """Errors that sending again cannot mend end the upload."""
        try:
            yield
        except errors as err:
            self._settle(upload_id, FAILED, str(err))
            raise


def _disk_failed(error: OSError) -> BentoMLException:
    """What a client is told; the path is for the log alone."""
    logger.error("Writing an upload failed: %s", error)
    if error.errno in _FULL:
        return Overloaded("There is no space left on the server's disk. Nothing was added.")
    return BentoMLException(f"The server cannot write the upload: {error}")


def _require_manifest(bundle: Path, digest: str) -> None:
    """That the files agree with their manifest is checked when the bundle is added."""
    manifest = read_manifest(bundle)
    if manifest is None or manifest.digest != digest:
        raise BundleCorrupted("The bundle that arrived is another one than announced: its manifest differs.")


def _check_same(known: Upload, values: Mapping[str, object]) -> None:
    same = ("name", "version", "size_bytes", "sha256")
    if any(getattr(known, key) != values[key] for key in same):
        raise InvalidArgument(f"The upload '{known.id}' was begun with another archive.")


def _require_receiving(upload: Upload) -> None:
    if upload.state != RECEIVING:
        reason = f": {upload.error}" if upload.error else ""
        raise FailedPrecondition(f"The upload '{upload.id}' is over ({upload.state}{reason}).")


def _id_of(caller: Caller, request_id: str) -> str:
    """An id for the upload; nobody can guess or take over that of another caller."""
    if not request_id:
        return uuid.uuid4().hex
    if len(request_id) < _MIN_ID_CHARS:
        raise InvalidArgument(f"request_id has fewer than {_MIN_ID_CHARS} characters.")
    return hashlib.sha256(f"{caller.name}\0{request_id}".encode()).hexdigest()[:32]


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(char in "0123456789abcdef" for char in text)
