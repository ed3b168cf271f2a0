"""`get_yatai_client`: the entry to saved bundles from Python."""

from __future__ import annotations

from dataclasses import dataclass

from bentoml.exceptions import MissingDependencyException
from bentoml.settings import Settings, load_settings

from .repository_client import RepositoryClient


@dataclass(frozen=True, slots=True)
class YataiClient:
    """Access to one repository of saved bundles: the local one, or that of a server."""

    repository: RepositoryClient


def get_yatai_client(yatai_url: str | None = None) -> YataiClient:
    """A client of the server at `yatai_url`, of the one in the settings, or of the local repository.

    Args:
        yatai_url: address of a management server, instead of `yatai.remote.url`.

    Raises:
        InvalidArgument: the address is none.
        MissingDependencyException: the packages of the extra `yatai` are not installed.
    """
    settings = load_settings()
    remote = yatai_url or settings.yatai.remote_url
    return YataiClient(_remote(remote, settings) if remote else local_client(settings))


def local_client(settings: Settings | None = None) -> RepositoryClient:
    """The local repository, also when the settings name a server."""
    from bentoml.repository.open import open_repository  # noqa: PLC0415 - loads SQLAlchemy

    return RepositoryClient(open_repository(settings or load_settings()))


def _remote(url: str, settings: Settings) -> RepositoryClient:
    try:
        from bentoml.rpc.channel import RpcClient  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as err:
        raise MissingDependencyException(
            f"A Yatai server is reached with the package '{err.name}', which is not installed. "
            "Install it with: pip install 'bentoml[yatai]'"
        ) from err
    from .remote.repository import RemoteRepository  # noqa: PLC0415 - needs the extra

    return RepositoryClient(RemoteRepository(RpcClient(url, settings.yatai)))
