"""Bundles as objects: `<base>/<Name>/<Version>.tar.gz` on S3 or Google storage, as 0.13 kept them.

The row decides whether a bundle exists. It is written after the object was read back and found whole;
deleting leaves the object where it is until the time for restoring is over. An object without a row
belongs to nobody: `clean_up` removes it after a day.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import random
from typing import IO, Any, TypeVar

from bentoml.bundle.archive import extract_archive
from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.manifest import verify_manifest
from bentoml.bundle.metadata import metadata_dict
from bentoml.bundle.packing import pack_archive
from bentoml.bundle.trust.policy import require_signature
from bentoml.exceptions import (
    BentoMLException,
    InvalidArgument,
    NotFound,
    YataiRepositoryException,
)
from bentoml.repository import durable
from bentoml.repository.base import BundleRecord
from bentoml.repository.index import Addition, Index, already_exists
from bentoml.repository.locks import FileLock
from bentoml.tags import Tag

from .base import InSameTransaction

logger = logging.getLogger("bentoml.yatai")

T = TypeVar("T")
ATTEMPTS = 4
_CHUNK_BYTES = 1 << 20
ORPHANS_STAY = timedelta(days=1)
_OUR_NAME = re.compile(r"/[^/]+-[0-9a-f]{8}\.tar\.gz$")
_WORKSPACE = "object-"
_FAST = 1  # gzip level: models hardly compress, and uploads wait for it


class ObjectStore:
    """The store over an fsspec file system.

    Args:
        index: the rows.
        files: an fsspec file system.
        url: `s3://bucket/path` or `gs://bucket/path`.
        uri_type: S3 or GCS.
        scratch: a local directory for archives on their way.
        expiration_s: how long a signed address is good.
        pause_s: the first pause between two attempts; it doubles.
    """

    def __init__(
        self,
        index: Index,
        files: Any,
        url: str,
        uri_type: str,
        scratch: Path,
        expiration_s: int = 3000,
        pause_s: float = 0.5,
    ) -> None:
        self._index = index
        self._files = files
        self.address = url.rstrip("/")
        self._uri_type = uri_type
        self._scratch = scratch
        self._expiration_s = expiration_s
        self._pause_s = pause_s

    @property
    def staging(self) -> Path | None:
        return None

    def add_received(self, tree: Path, digests: Mapping[str, str], tag: Tag, addition: Addition) -> None:
        if self._index.find(tag) is not None:
            raise already_exists(tag)
        complete = _described(tree, digests, tag, replace(addition, uri_type=self._uri_type))
        with self._workspace() as space:
            packed = space / "bundle.tar.gz"
            with packed.open("wb") as out:
                pack_archive(tree, out, tag.name, level=_FAST)
            uri = f"{self.address}/{tag.name}/{tag.version}-{uuid.uuid4().hex[:8]}.tar.gz"
            try:
                self._retrying(f"Storing {tag}", lambda: self._put(packed, uri))
                self._index.add(tag, uri, complete)
            except BaseException:
                if not self._may_be_listed(uri):
                    self._remove_quietly(uri)
                raise

    def _may_be_listed(self, uri: str) -> bool:
        """A database that was lost while it committed may have the row; then the object has to stay."""
        try:
            return uri in self._index.addresses()
        except Exception as err:
            logger.warning("Whether '%s' is in use cannot be asked, so it stays for now: %s", uri, err)
            return True

    def set_aside(self, tag: Tag, also: InSameTransaction | None = None) -> None:
        record = self._index.find(tag)
        if record is None or not self._index.mark_deleted(tag, record.uri, also):
            raise NotFound(f"BentoService {tag} not found")

    def restore(self, tag: Tag, also: InSameTransaction | None = None) -> None:
        deleted = self._index.find_trash(tag)
        if deleted is None:
            raise NotFound(f"There is no deleted bundle {tag} that could be restored.")
        self._index.restore(deleted, also)

    def purge(self, before: datetime) -> list[Tag]:
        gone = []
        for deleted in self._index.expired(before):
            self._index.forget_trash(deleted)
            self._remove_quietly(deleted.trash)
            gone.append(deleted.tag)
        return gone

    @contextlib.contextmanager
    def directory(self, record: BundleRecord) -> Iterator[Path]:
        with self._workspace() as space:
            packed = space / "bundle.tar.gz"
            self._retrying(f"Fetching {record.tag}", lambda: self._get(record.uri, packed))
            with packed.open("rb") as stream:
                yield extract_archive(stream, space)

    def locate(self, record: BundleRecord) -> BundleRecord:
        return record

    def signed_url(self, record: BundleRecord) -> str:
        try:
            return str(self._files.sign(record.uri, expiration=self._expiration_s))
        except Exception as err:
            logger.warning("No signed address for %s: %s", record.tag, err)
            return ""

    def clean_up(self) -> None:
        self._remove_workspaces()
        for uri in self._orphans():
            logger.info("Removing '%s', which no bundle uses", uri)
            self._remove_quietly(uri)

    def _orphans(self) -> list[str]:
        """Objects that a crash left between storing them and listing their bundle.

        Younger ones may belong to a bundle that another server is adding; names that this library does
        not make belong to somebody else.
        """
        youngest = datetime.now(timezone.utc) - ORPHANS_STAY
        scheme = self.address.partition("://")[0]
        try:
            found = self._files.find(self.address, detail=True)
        except FileNotFoundError:
            return []  # nothing was ever stored
        except Exception as err:
            logger.warning("The objects at '%s' cannot be listed: %s", self.address, err)
            return []
        old = [
            f"{scheme}://{path}"
            for path, info in found.items()
            if _OUR_NAME.search(path) and _is_older(info, youngest)
        ]
        known = self._index.addresses() if old else set()
        return [uri for uri in old if uri not in known]

    def _remove_workspaces(self) -> None:
        for space in self._scratch.glob(f"{_WORKSPACE}*"):
            lock = FileLock(_lock_of(space))
            if not space.is_dir() or not lock.try_acquire():
                continue
            try:
                shutil.rmtree(space, ignore_errors=True)
            finally:
                lock.release()

    @contextlib.contextmanager
    def _workspace(self) -> Iterator[Path]:
        """A private directory for archives on their way, locked as long as its process lives."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        space = self._scratch / f"{_WORKSPACE}{uuid.uuid4().hex}"
        with FileLock(_lock_of(space)):
            space.mkdir(mode=0o700)
            try:
                yield space
            finally:
                shutil.rmtree(space, ignore_errors=True)

    def _put(self, packed: Path, uri: str) -> None:
        """Store a file, and read it back: it counts only when the digests agree."""
        self._files.put_file(str(packed), uri)
        with packed.open("rb") as local, self._files.open(uri, "rb") as stored:
            if _sha256(local) != _sha256(stored):
                raise OSError(f"'{uri}' reads back differently from what was written")

    def _get(self, uri: str, target: Path) -> None:
        try:
            self._files.get_file(uri, str(target))
        except FileNotFoundError as err:
            raise NotFound(f"The object '{uri}' is missing.") from err

    def _remove_quietly(self, uri: str) -> None:
        try:
            if self._files.exists(uri):
                self._files.rm_file(uri)
        except Exception as err:
            logger.warning("'%s' could not be removed: %s", uri, err)

    def _retrying(self, what: str, work: Callable[[], T]) -> T:
        """Run work that may be repeated; give up after `ATTEMPTS` with pauses that double."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return work()
            except BentoMLException:
                raise
            except Exception as err:
                if attempt == ATTEMPTS or isinstance(err, PermissionError):
                    raise YataiRepositoryException(
                        f"{what} at '{self.address}' failed after {attempt} attempts: {err}"
                    ) from err
                logger.warning("%s failed (attempt %d of %d): %s", what, attempt, ATTEMPTS, err)
                time.sleep(self._pause_s * 2 ** (attempt - 1) * (0.5 + random()))
        raise AssertionError("unreachable")


def open_object_store(
    index: Index,
    url: str,
    scratch: Path,
    *,
    endpoint_url: str | None,
    signature_version: str,
    expiration_s: int,
) -> ObjectStore:
    """The store at an s3:// or gs:// address.

    Raises:
        InvalidArgument: another kind of address.
        MissingDependencyException: the package for it is not installed.
    """
    from bentoml.bundle.remote import open_file_system  # noqa: PLC0415 - fsspec is optional

    scheme = url.partition("://")[0]
    if scheme == "s3":
        client: dict[str, Any] = {"endpoint_url": endpoint_url} if endpoint_url else {}
        files = open_file_system(
            url,
            client_kwargs=client,
            config_kwargs={"signature_version": signature_version, "retries": {"total_max_attempts": 1}},
            use_listings_cache=False,
        )
        files.retries = 1  # retries of three layers would multiply: one operation here made 40 requests
        return ObjectStore(index, files, url, "S3", scratch, expiration_s)
    if scheme == "gs":
        options = {"endpoint_url": endpoint_url} if endpoint_url else {}
        files = open_file_system(url, use_listings_cache=False, **options)
        return ObjectStore(index, files, url, "GCS", scratch, expiration_s)
    raise InvalidArgument(
        f"'{url}' is no address of an object store; write s3://bucket/path or gs://bucket/path."
    )


def _described(bundle: Path, digests: Mapping[str, str], tag: Tag, addition: Addition) -> Addition:
    """The addition with what the bundle says about itself. Raises `BundleCorrupted`."""
    manifest = verify_manifest(bundle, digests)
    require_signature(bundle)
    descriptor = read_descriptor(bundle)
    if (descriptor.name, descriptor.version) != (tag.name, tag.version):
        raise InvalidArgument(f"The bundle calls itself {descriptor.tag}, not {tag}.")
    return replace(
        addition,
        metadata=metadata_dict(descriptor, camel=False),
        size_bytes=durable.tree_size_bytes(bundle),
        digest=manifest.digest if manifest is not None else None,
    )


def _is_older(info: Mapping[str, Any], moment: datetime) -> bool:
    """By the time that the store says; an object of unknown age is young."""
    value = info.get("LastModified") or info.get("updated") or info.get("mtime")
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if not isinstance(value, datetime):
        return False
    return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)) < moment


def _lock_of(space: Path) -> Path:
    return space.with_name(f"{space.name}.lock")


def _sha256(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
