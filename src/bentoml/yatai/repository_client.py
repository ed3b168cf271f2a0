"""The `repository` half of the client: 0.13's methods, on the local repository or on a server's."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, cast

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.repository.base import DEFAULT_LIST_LIMIT, BundleRecord
from bentoml.settings.paths import home, nothing_is_set
from bentoml.tags import Tag, split_reference

from .records import Bento, as_bento

if TYPE_CHECKING:
    from bentoml.repository.local import LocalRepository
    from bentoml.service import BentoService
    from bentoml.yatai.remote.repository import RemoteRepository

logger = logging.getLogger("bentoml.yatai")

_Records = list[BundleRecord]  # below, `list` is the method of that name


class RepositoryClient:
    """Saved bundles: find, load, add, copy and delete them."""

    def __init__(self, repository: LocalRepository | RemoteRepository) -> None:
        self._repository = repository

    def upload(
        self,
        bento_service: BentoService,
        version: str | None = None,
        labels: Mapping[str, str] | None = None,
        lineage: Mapping[str, str] | None = None,
    ) -> str:
        """Save a service; returns the location. Raises `AlreadyExists`."""
        return str(self._repository.save(bento_service, version=version, labels=labels, lineage=lineage))

    def upload_from_dir(
        self,
        saved_bento_path: str | os.PathLike[str],
        labels: Mapping[str, str] | None = None,
        lineage: Mapping[str, str] | None = None,
    ) -> str:
        """Add a copy of a bundle directory; returns the location. Raises `AlreadyExists`."""
        return str(self._repository.add_directory(Path(saved_bento_path), labels, lineage))

    def push(self, bento: str, with_labels: bool = True) -> str:
        """Send a bundle of the local repository to this client's; returns the location there.

        Raises:
            NotFound: the local repository has no such bundle.
            AlreadyExists: this one has it already.
        """
        self._require_server()
        record = peek_local(bento)
        if record is None:
            local = self._local()
            record = local.record(bento)
            record = replace(record, uri=str(local.resolve(record.tag)))
        return self.upload_from_dir(record.uri, record.labels if with_labels else None, record.lineage)

    def pull(self, bento: str) -> str:
        """Fetch a bundle of this client's repository into the local one; returns the location there.

        Raises:
            NotFound: there is no such bundle.
            AlreadyExists: the local repository has it already.
        """
        local = cast("LocalRepository", self._local()._repository)
        record = self.record(bento)
        with local.workspace() as space:
            target = space / record.name
            digests = cast("RemoteRepository", self._repository).download(record, target)
            return str(local.adopt(target, record.labels, record.lineage, digests))

    def get(self, bento: str) -> Bento:
        """One bundle by `name:version`. Raises `NotFound`, `InvalidArgument`."""
        return as_bento(self.record(bento))

    def list(
        self,
        bento_name: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
        order_by: str | None = None,
        ascending_order: bool | None = None,
        labels: str | None = None,
    ) -> list[Bento]:
        """Bundles matching a name and a label query, newest first; at most 40 unless `limit` is given."""
        found = self.records(bento_name, offset, limit, order_by, ascending_order, labels)
        return [as_bento(record) for record in found]

    def load(self, bento: str | os.PathLike[str]) -> BentoService:
        """Load a service by `name:version` (or `name:latest`), or from a bundle directory."""
        from bentoml.bundle.load import load_from_dir  # noqa: PLC0415 - executes bundles; listing must not

        service: BentoService = load_from_dir(self.resolve(os.fspath(bento)))
        return service

    def delete(
        self,
        bento_tag: str | None = None,
        labels: str | None = None,
        bento_name: str | None = None,
        bento_version: str | None = None,
        prune: bool = False,
        require_confirm: bool = False,
    ) -> None:
        """Delete one bundle, the bundles of a name, those matching a label query, or (`prune`) all.

        Failures of single bundles are logged and the others still deleted.

        Raises:
            InvalidArgument: nothing is named, or too much.
            NotFound: the one bundle that was named does not exist.
        """
        if bento_tag is not None and (bento_name is not None or bento_version is not None):
            raise InvalidArgument("Too much arguments: give bento_tag, or bento_name and bento_version.")
        if bento_version is not None:
            if bento_name is None:
                raise InvalidArgument(f"bento_version '{bento_version}' needs a bento_name.")
            bento_tag = f"{bento_name}:{bento_version}"
        if prune:
            self.delete_matching(require_confirm=require_confirm)
        elif bento_tag is not None:
            self.delete_tag(bento_tag, require_confirm=require_confirm)
        elif bento_name is not None or labels is not None:
            self.delete_matching(bento_name, labels=labels, require_confirm=require_confirm)
        else:
            raise InvalidArgument("Name what to delete: a tag, a name, labels, or prune=True for everything.")

    def download_to_directory(self, bento: Bento | BundleRecord, target_dir: str | os.PathLike[str]) -> None:
        """Copy a bundle's files to `target_dir`, which must not exist."""
        from bentoml.bundle.load import safe_retrieve  # noqa: PLC0415

        if is_local(self._repository):
            safe_retrieve(self.resolve(bento.tag), Path(target_dir))
        else:
            record = bento if isinstance(bento, BundleRecord) else bento.record
            cast("RemoteRepository", self._repository).download(record, Path(target_dir))

    def retrieve(self, bento: str, target_dir: str | os.PathLike[str]) -> None:
        """Copy the bundle `name:version` to `target_dir`, which must not exist."""
        self.download_to_directory(self.record(bento), target_dir)

    def containerize(
        self,
        bento: str,
        tag: str | None = None,
        build_args: Mapping[str, str] | None = None,
        push: bool = False,
        *,
        builder: str | None = None,
        platforms: Sequence[str] = (),
    ) -> str:
        """Build a container image of `name:version`; returns the image's `name:tag`.

        A server's repository lets the server build, with the engine there.

        Args:
            tag: name of the image, or `name:tag`; the bundle's own name and version otherwise.
            build_args: for the Dockerfile's ARGs.
            push: to the registry that the name begins with.
            builder: docker, podman or buildah; the first that is installed if None.
            platforms: such as linux/arm64; those of the machine that builds if there are none.

        Raises:
            ImageBuildFailed: a step failed; names it.
            NotFound, InvalidArgument, MissingDependencyException: see `bentoml.containers.build`.
        """
        from bentoml.containers.build import containerize  # noqa: PLC0415 - few builds images

        record = self.record(bento)
        if is_local(self._repository):
            path = self.resolve(record.tag)
            return containerize(
                path, tag=tag, builder=builder, build_args=build_args, platforms=tuple(platforms), push=push
            ).reference
        remote = cast("RemoteRepository", self._repository)
        return remote.containerize(record, tag or "", build_args or {}, push, builder, platforms)

    def record(self, bento: str) -> BundleRecord:
        """As `get`, without the attribute view."""
        return self._repository.get(*split_reference(bento))

    def records(
        self,
        bento_name: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
        order_by: str | None = None,
        ascending_order: bool | None = None,
        labels: str | None = None,
    ) -> _Records:
        """As `list`, without the attribute view."""
        return self._repository.list(
            bento_name,
            labels,
            offset=offset or 0,
            limit=limit or DEFAULT_LIST_LIMIT,
            order_by=order_by or "created_at",
            ascending=bool(ascending_order),
        )

    def resolve(self, bento: str) -> Path:
        """The directory of a bundle given as a directory or `name:version`; see `LocalRepository`."""
        return self._repository.resolve(bento)

    def warn_if_unknown(self, name: str | None) -> None:
        """Say that no bundle has this name, and which one may have been meant."""
        if name is not None and not self._repository.list(name, limit=1):
            hint = self._repository.hint_for_name(name)
            logger.warning("%s", f"There is no saved bundle named '{name}'. {hint}".rstrip())

    def delete_tag(self, bento: str, *, require_confirm: bool) -> int:
        """Delete one bundle; returns 1 if that failed. Raises `NotFound` if there is none."""
        logger.info("Deleting saved Bento bundle %s", bento)
        return self._delete(self.record(bento), require_confirm)

    def delete_matching(
        self, name: str | None = None, *, labels: str | None = None, require_confirm: bool
    ) -> int:
        """Delete all bundles of a name and a label query; returns how many could not be deleted."""
        if name is None and labels is None:
            logger.info("Deleting all BentoML saved bundles.")
        else:
            with_name = f" with name: {name}" if name is not None else ""
            with_labels = f" with labels match to {labels}" if labels is not None else ""
            logger.info("Deleting saved Bento bundles%s%s", with_name, with_labels)
        found = self._repository.list(name, labels)
        if not found:
            self.warn_if_unknown(name)
        return sum(self._delete(record, require_confirm) for record in found)

    def _local(self) -> RepositoryClient:
        """The local repository, which is the other end of push and pull."""
        from .client import local_client  # noqa: PLC0415 - the client is made of this class

        self._require_server()
        return local_client()

    def _require_server(self) -> None:
        if is_local(self._repository):
            raise InvalidArgument(
                "push and pull need a server: give --yatai-url (yatai_url=) or set yatai.remote.url."
            )

    def _delete(self, record: BundleRecord, require_confirm: bool) -> int:
        if require_confirm:
            import click  # noqa: PLC0415 - only to ask

            if not click.confirm(f"Permanently delete {record.tag}?"):
                return 0
        try:
            self._repository.delete(record.name, record.version)
        except BentoMLException as err:
            logger.error("Failed to delete %s - %s", record.tag, err)
            return 1
        logger.info("Deleted %s", record.tag)
        return 0


def peek_local(bento: str) -> BundleRecord | None:
    """What can be said of a bundle of the local repository without opening it."""
    from bentoml.repository.peek import peek  # noqa: PLC0415

    name, version = split_reference(bento)
    if not nothing_is_set():
        from bentoml.settings import load_settings  # noqa: PLC0415 - slow to import

        yatai = load_settings().yatai
        places = (yatai.database_url, yatai.repository_directory, yatai.repository_base_url)
        if yatai.repository_type != "file_system" or any(places):
            return None
    return None if version.startswith("@") else peek(home(), Tag(name, version))


def is_local(repository: LocalRepository | RemoteRepository) -> TypeGuard[LocalRepository]:
    """Whether the bundles are in a directory of this machine."""
    local = sys.modules.get("bentoml.repository.local")  # it loads SQLAlchemy, and may not be needed
    return local is not None and isinstance(repository, local.LocalRepository)
