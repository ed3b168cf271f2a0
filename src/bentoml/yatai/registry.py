"""The registry: all use cases over one database and one store, put together from the settings."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bentoml.deploy.registry import Host
from bentoml.exceptions import BentoMLConfigException
from bentoml.repository.database import Database, open_database
from bentoml.repository.index import Index
from bentoml.repository.local import LocalRepository
from bentoml.settings import Settings, home
from bentoml.settings.model import YataiSettings

from .blobs.base import BundleStore
from .blobs.directory import DirectoryStore
from .services.aliases import Aliases
from .services.bundles import Bundles
from .services.deployments import Deployments
from .services.events import Events
from .services.images import Images
from .services.operations import Operations
from .services.retention import Retention
from .services.tokens import Tokens
from .services.uploads import Uploads

SCRATCH = "yatai"


@dataclass(frozen=True, slots=True)
class Registry:
    """The use cases of one server."""

    database: Database
    bundles: Bundles
    aliases: Aliases
    retention: Retention
    uploads: Uploads
    deployments: Deployments
    operations: Operations
    images: Images
    events: Events
    tokens: Tokens


def open_registry(settings: Settings) -> Registry:
    """The registry that the settings name; the database is made or upgraded when it is first used.

    Raises:
        BentoMLConfigException: the settings contradict each other.
        MissingDependencyException: a package for the database or the store is not installed.
    """
    yatai = settings.yatai
    kind, address = _storage(yatai)
    scratch = home() / SCRATCH
    database, store = _open_store(yatai, kind, address, scratch)
    bundles = Bundles(database, store, timedelta(days=yatai.restore_days))
    deployments = Deployments(database)
    host = Host(home() / "deployments", yatai.deployment_ports)
    return Registry(
        database=database,
        bundles=bundles,
        aliases=Aliases(database),
        retention=Retention(database, bundles),
        uploads=Uploads(database, bundles, _uploads_directory(store, scratch)),
        deployments=deployments,
        operations=Operations(deployments, bundles, host, yatai.namespace),
        images=Images(database, bundles, yatai.container_builder),
        events=Events(database),
        tokens=Tokens(database),
    )


def _uploads_directory(store: BundleStore, scratch: Path) -> Path:
    """Where bundles arrive: where they stay, so that no byte of them is copied when they are complete."""
    beside = store.staging
    return scratch / "uploads" if beside is None or _device(beside) == _device(scratch) else beside


def _device(path: Path) -> int:
    """The file system of a directory that may not be there yet, or that may not be looked at.

    Whoever uses a directory without the right to says so; to ask where it lies is no use.
    """
    for known in (path.absolute(), *path.absolute().parents):
        with contextlib.suppress(OSError):
            return known.stat().st_dev
    return -1


def _storage(yatai: YataiSettings) -> tuple[str, str | None]:
    """Kind and address of the store; the old `--repo-base-url` says both in one."""
    base = yatai.repository_base_url
    if base:
        scheme = base.partition("://")[0] if "://" in base else "file_system"
        kinds = {"s3": "s3", "gs": "gcs", "file_system": "file_system", "file": "file_system"}
        if scheme not in kinds:
            raise BentoMLConfigException(
                f"--repo-base-url is '{base}'; it must be a directory, s3://… or gs://…"
            )
        return kinds[scheme], base.removeprefix("file://")
    addresses = {"file_system": yatai.repository_directory, "s3": yatai.s3_url, "gcs": yatai.gcs_url}
    address = addresses[yatai.repository_type]
    if address is None and yatai.repository_type != "file_system":
        option = f"--{yatai.repository_type}-url"
        name = {"s3": "S3", "gcs": "GCS"}[yatai.repository_type]
        raise BentoMLConfigException(f"'{option}' must be specified for {name} repository type")
    return yatai.repository_type, address


def _open_store(
    yatai: YataiSettings, kind: str, address: str | None, scratch: Path
) -> tuple[Database, BundleStore]:
    default = home() / "storage.db"
    if kind == "file_system":
        directory = Path(address).expanduser() if address else None
        probe = LocalRepository(directory=directory)
        database = open_database(yatai.database_url, default, probe.is_new, pooled=True)
        return database, DirectoryStore(LocalRepository(directory=directory, opened=database))
    from .blobs.objects import open_object_store  # noqa: PLC0415 - needs packages that are optional

    assert address is not None
    database = open_database(yatai.database_url, default, pooled=True)
    store = open_object_store(
        Index(database),
        address,
        scratch / "objects",
        endpoint_url=yatai.s3_endpoint_url,
        signature_version=yatai.s3_signature_version,
        expiration_s=yatai.s3_expiration_s if kind == "s3" else yatai.gcs_expiration_s,
    )
    return database, store
