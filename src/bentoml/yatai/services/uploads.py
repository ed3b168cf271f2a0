"""Uploads: bytes arrive in pieces, go on after a break, and count only when they are verified.

    <directory>/<upload id>.tar     what has arrived

An upload belongs to nobody's process: any server of the database that has the directory continues it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from bentoml.bundle.manifest import file_sha256
from bentoml.exceptions import (
    AlreadyExists,
    BundleCorrupted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from bentoml.repository.base import BundleRecord
from bentoml.repository.database import Database
from bentoml.repository.index import Addition, already_exists
from bentoml.repository.locks import FileLock
from bentoml.repository.models import utc_now
from bentoml.tags import Tag, validate_labels, validate_lineage
from bentoml.yatai.access import WRITE, Caller
from bentoml.yatai.db import events
from bentoml.yatai.db import uploads as upload_db
from bentoml.yatai.db.uploads import DONE, FAILED, RECEIVING, Upload

from .bundles import BUNDLE, Bundles

logger = logging.getLogger("bentoml.yatai")

MAX_BYTES = 64 << 30
KEPT = timedelta(days=2)
_MIN_ID_CHARS = 16


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is."""

    upload: Upload
    received_bytes: int


class Uploads:
    """Use cases about uploads.

    Args:
        directory: where arriving archives are kept.
    """

    def __init__(self, database: Database, bundles: Bundles, directory: Path) -> None:
        self._database = database
        self._bundles = bundles
        self._directory = directory

    def begin(
        self,
        caller: Caller,
        tag: Tag,
        size_bytes: int,
        sha256: str,
        labels: Mapping[str, str],
        lineage: Mapping[str, str],
        request_id: str = "",
    ) -> Progress:
        """Announce an archive.

        Args:
            request_id: the client's own id of this upload; beginning it again continues it.

        Raises:
            AlreadyExists: the tag is taken.
            InvalidArgument: a value is outside what is allowed.
        """
        caller.require(WRITE)
        if tag.is_latest or not 0 < size_bytes <= MAX_BYTES or not _is_sha256(sha256):
            raise InvalidArgument(
                f"An upload needs a version, a size of 1 to {MAX_BYTES} bytes and a SHA-256 in hexadecimal."
            )
        upload_id = _id_of(caller, request_id)
        values = {
            "id": upload_id,
            "name": tag.name,
            "version": tag.version,
            "size_bytes": size_bytes,
            "sha256": sha256,
            "labels": validate_labels(labels),
            "lineage": validate_lineage(lineage),
            "started_by": caller.name,
        }
        known = self._database.read(lambda connection: upload_db.find(connection, upload_id))
        if known is not None and known.state != FAILED:
            _check_same(known, values)
            return self._progress(known)
        if self._bundles.find_or_none(tag.name, tag.version) is not None:
            raise already_exists(tag)
        self._directory.mkdir(parents=True, exist_ok=True)
        upload = self._database.write(lambda connection: upload_db.put(connection, values))
        return self._progress(upload)

    def progress(self, caller: Caller, upload_id: str) -> Progress:
        """How far an upload is. Raises `NotFound`."""
        caller.require(WRITE)
        return self._progress(self._find(caller, upload_id))

    def receive(self, caller: Caller, upload_id: str, offset: int, chunks: Iterable[bytes]) -> Progress:
        """Append bytes; whatever arrived stays if the chunks end early or raise.

        Raises:
            FailedPrecondition: `offset` is not where the archive ends here, or it is complete.
            LockUnavailable: another call is sending the same upload.
        """
        caller.require(WRITE)
        upload = self._find(caller, upload_id)
        _require_receiving(upload)
        with self._exclusive(upload_id), self._path(upload_id).open("ab") as file:
            if offset != file.tell():
                raise FailedPrecondition(f"The upload continues at byte {file.tell()}, not at {offset}.")
            for chunk in chunks:
                if file.tell() + len(chunk) > upload.size_bytes:
                    raise InvalidArgument(
                        f"More bytes than the {upload.size_bytes} that were announced arrived."
                    )
                file.write(chunk)
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
        with self._exclusive(upload_id):
            try:
                self._add(caller, upload, tag)
            except FailedPrecondition:
                raise
            except (BundleCorrupted, AlreadyExists, InvalidArgument) as err:
                self._settle(upload_id, FAILED, str(err))
                raise
        self._path(upload_id).unlink(missing_ok=True)
        return self._bundles.find(tag.name, tag.version)

    def abort(self, caller: Caller, upload_id: str) -> None:
        """Forget an upload."""
        caller.require(WRITE)
        self._find(caller, upload_id)
        with self._exclusive(upload_id):
            self._settle(upload_id, FAILED, "The client gave up.")

    def receive_whole(self, caller: Caller, tag: Tag, chunks: Iterable[bytes]) -> BundleRecord:
        """An archive in one go, of unknown size, as 0.13 sends it; nothing of it stays if it fails."""
        caller.require(WRITE)
        if self._bundles.find_or_none(tag.name, tag.version) is not None:
            raise already_exists(tag)
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._path(uuid.uuid4().hex)
        try:
            with path.open("xb") as file:
                for chunk in chunks:
                    if file.tell() + len(chunk) > MAX_BYTES:
                        raise InvalidArgument(f"An archive has at most {MAX_BYTES} bytes.")
                    file.write(chunk)
            self._bundles.store.add_archive(path, tag, self._addition(caller, tag, {}, {}))
        finally:
            path.unlink(missing_ok=True)
        return self._bundles.find(tag.name, tag.version)

    def clean_up(self) -> None:
        """Remove what nobody continued for days, and files of uploads that nobody knows."""
        moment = utc_now() - KEPT
        self._database.write(lambda connection: upload_db.remove_older(connection, moment))
        if not self._directory.is_dir():
            return
        for path in self._directory.glob("*.tar"):
            if (
                self._is_forgotten(path.stem)
                and utc_now().timestamp() - path.stat().st_mtime > KEPT.total_seconds()
            ):
                path.unlink(missing_ok=True)

    def _is_forgotten(self, upload_id: str) -> bool:
        return self._database.read(lambda connection: upload_db.find(connection, upload_id)) is None

    def _add(self, caller: Caller, upload: Upload, tag: Tag) -> None:
        path = self._path(upload.id)
        size = path.stat().st_size if path.exists() else 0
        if size != upload.size_bytes:
            raise FailedPrecondition(
                f"{size} of {upload.size_bytes} bytes have arrived; send the rest first."
            )
        if file_sha256(path) != upload.sha256:
            raise BundleCorrupted("The bytes that arrived are others than announced: their SHA-256 differs.")
        addition = self._addition(caller, tag, upload.labels, upload.lineage)

        def also(connection: Connection) -> None:
            assert addition.also is not None
            addition.also(connection)
            upload_db.settle(connection, upload.id, DONE)

        self._bundles.store.add_archive(path, tag, replace(addition, also=also))

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
        self._path(upload_id).unlink(missing_ok=True)

    def _progress(self, upload: Upload) -> Progress:
        path = self._path(upload.id)
        received = path.stat().st_size if path.exists() else 0
        return Progress(upload, upload.size_bytes if upload.state == DONE else received)

    def _path(self, upload_id: str) -> Path:
        return self._directory / f"{upload_id}.tar"

    @contextlib.contextmanager
    def _exclusive(self, upload_id: str) -> Iterator[None]:
        """One call at a time works on an upload; a lock of the system, free when its holder dies."""
        lock = FileLock(self._directory / f"{upload_id}.lock", timeout_s=5.0)
        with lock:
            yield


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
