"""The repository of a server: the methods of the local one, over the wire."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.manifest import verify_manifest
from bentoml.exceptions import InvalidArgument, NotFound, Unauthenticated
from bentoml.repository.base import BundleRecord
from bentoml.repository.selector import parse_selector
from bentoml.rpc.bundles import record_of, selector_message
from bentoml.rpc.channel import RpcClient, Unsupported
from bentoml.tags import (
    LATEST,
    Tag,
    split_reference,
    validate_labels,
    validate_lineage,
    validate_service_name,
)

from .download import download
from .upload import upload

if TYPE_CHECKING:
    from bentoml.service import BentoService

_PAGE = 500
_ORDERS = ("created_at", "name")


class RemoteRepository:
    """Bundles of one server.

    Args:
        client: the connection.
    """

    def __init__(self, client: RpcClient) -> None:
        self.client = client
        self._is_old: bool | None = None

    @property
    def is_old(self) -> bool:
        """Whether the server is of the 0.13 line, which has none of the newer calls.

        No `cached_property`: before Python 3.12 it has one lock for all objects of the class, and one slow
        server would keep the clients of all others waiting.
        """
        if self._is_old is None:
            self._is_old = _is_old(self.client)
        return self._is_old

    def save(
        self,
        service: BentoService,
        version: str | None = None,
        labels: Mapping[str, str] | None = None,
        lineage: Mapping[str, str] | None = None,
    ) -> str:
        """Write `service` as a bundle and send it; returns the location."""
        from bentoml.bundle.save import write_bundle  # noqa: PLC0415 - loads what only saving needs

        checked = validate_labels(labels)
        if version is not None:
            service.set_version(version)
        with tempfile.TemporaryDirectory(prefix="bentoml-save-") as directory:
            write_bundle(service, Path(directory))
            return self.add_directory(Path(directory), checked, lineage)

    def add_directory(
        self, path: Path, labels: Mapping[str, str] | None = None, lineage: Mapping[str, str] | None = None
    ) -> str:
        """Send a copy of the bundle in `path`; returns the location.

        Raises:
            AlreadyExists: the name and version are taken.
            BundleCorrupted: the bundle differs from its manifest.
        """
        descriptor = read_descriptor(path)
        tag = Tag(descriptor.name, descriptor.version)
        checked, origin = validate_labels(labels), validate_lineage(lineage)
        if self.is_old:
            from . import old_server  # noqa: PLC0415 - few servers are, and it loads an HTTP client

            verify_manifest(path)
            return old_server.upload(self.client, tag, path, checked)
        return upload(self.client, tag, path, checked, origin).uri

    def get(self, name: str, version: str = LATEST) -> BundleRecord:
        """One bundle by version, `latest` or `@alias`. Raises `NotFound`."""
        return record_of(self._bento(name, version))

    def list(
        self,
        name: str | None = None,
        labels: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_by: str = "created_at",
        ascending: bool = False,
    ) -> list[BundleRecord]:
        """Records matching a name and a label query; all of them if `limit` is None."""
        if name is not None:
            validate_service_name(name)
        if order_by not in _ORDERS:
            raise InvalidArgument(f"order_by is '{order_by}'; it must be one of {', '.join(_ORDERS)}.")
        query: dict[str, Any] = {
            "bento_name": name,
            "order_by": _ORDERS.index(order_by),
            "ascending_order": ascending,
            "label_selectors": selector_message(parse_selector(labels)),
        }
        found: list[BundleRecord] = []
        while limit is None or len(found) < limit:
            wanted = _PAGE if limit is None else min(_PAGE, limit - len(found))
            answer = self.client.call(
                "ListBento", repeatable=True, offset=offset + len(found), limit=wanted, **query
            )
            found += [record_of(bento) for bento in answer["bentos"]]
            if len(answer["bentos"]) < wanted:
                break
        return found

    def delete(self, name: str, version: str) -> None:
        """Delete one bundle; never tried twice. Raises `NotFound`."""
        tag = Tag(name, version)
        if tag.is_latest:
            raise InvalidArgument(f"Cannot delete '{tag}': name the version.")
        if self.is_old:
            self.client.call("DangerouslyDeleteBento", bento_name=name, bento_version=version)
        else:
            self.client.call("DeleteBento", name=name, version=version)

    def download(self, record: BundleRecord, target: Path) -> Mapping[str, str]:
        """Fetch a bundle's files into `target`, which must not exist.

        Returns:
            SHA-256 of those files that were hashed on the way.
        """
        if not self.is_old:
            return download(self.client, record, target)
        from . import old_server  # noqa: PLC0415 - as above

        old_server.download(self.client, record, self._bento(record.name, record.version), target)
        return {}

    def resolve(self, bento: str) -> Path:
        """A local directory with the bundle `Name:Version` (or a directory, which wins).

        What is fetched stays until this process ends.
        """
        if Path(bento).is_dir():
            return Path(bento)
        record = self.get(*split_reference(bento))
        parent = Path(tempfile.mkdtemp(prefix="bentoml-remote-"))
        atexit.register(shutil.rmtree, parent, ignore_errors=True)
        self.download(record, parent / record.name)
        return parent / record.name

    def hint_for_name(self, name: str) -> str:
        """For a name that no bundle has: who may have been meant, as a sentence; else empty."""
        if self.is_old:
            return ""
        with contextlib.suppress(NotFound, Unauthenticated):
            answer = self.client.call("SearchBentos", repeatable=True, text=name, limit=1)
            if answer["bentos"]:
                return f"Did you mean '{answer['bentos'][0]['name']}'?"
        return ""

    def containerize(
        self,
        record: BundleRecord,
        tag: str,
        build_args: Mapping[str, str],
        push: bool,
        builder: str | None = None,
        platforms: Sequence[str] = (),
    ) -> str:
        """Let the server build an image, for as long as that takes; returns the image's tag.

        Raises:
            InvalidArgument: a server of 0.13 cannot choose an engine or a platform.
        """
        if (builder or platforms) and self.is_old:
            raise InvalidArgument(
                f"The server at '{self.client.url}' is of the 0.13 line, which builds with Docker for its "
                "own platform. Leave out --builder and --platform."
            )
        answer = self.client.call(
            "ContainerizeBento",
            timeout_s=None,
            bento_name=record.name,
            bento_version=record.version,
            tag=tag,
            build_args=dict(build_args),
            push=push,
            builder=builder,
            platforms=list(platforms),
        )
        return str(answer["tag"])

    def _bento(self, name: str, version: str) -> dict[str, Any]:
        validate_service_name(name)
        try:
            answer = self.client.call("GetBento", repeatable=True, bento_name=name, bento_version=version)
        except NotFound as err:
            raise NotFound(f"BentoService {name}:{version} not found - NOT_FOUND:{err}") from err
        bento: dict[str, Any] = answer["bento"]
        return bento


def _is_old(client: RpcClient) -> bool:
    try:
        client.call("WhoAmI", repeatable=True)  # 0.13 cannot even answer which version it is
    except Unsupported:
        return True
    return False
