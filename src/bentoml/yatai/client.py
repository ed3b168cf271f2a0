"""`get_yatai_client`: the entry to saved bundles from Python."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from bentoml.exceptions import MissingDependencyException
from bentoml.settings.paths import nothing_is_set

from .repository_client import RepositoryClient

if TYPE_CHECKING:
    from bentoml.settings import Settings
    from bentoml.settings.model import YataiSettings

    from .deployment_client import DeploymentClient


class YataiClient:
    """Access to one repository of saved bundles and its deployments: the local one, or a server's.

    Args:
        remote_url: address of the server; None is this machine.
    """

    def __init__(self, repository: RepositoryClient, remote_url: str | None = None) -> None:
        self.repository = repository
        self._remote_url = remote_url

    @cached_property
    def deployment(self) -> DeploymentClient:
        """What runs. Raises `MissingDependencyException` without the extra `yatai`."""
        from bentoml.settings import load_settings  # noqa: PLC0415 - slow to import

        try:
            from .calls import LocalCalls, open_calls  # noqa: PLC0415 - needs the extra
            from .deployment_client import DeploymentClient  # noqa: PLC0415
        except ModuleNotFoundError as err:
            raise _missing(err) from err
        settings, url = load_settings(), self._remote_url
        return DeploymentClient(lambda: open_calls(url, settings) if url else LocalCalls(settings))


def get_yatai_client(yatai_url: str | None = None) -> YataiClient:
    """A client of the server at `yatai_url`, of the one in the settings, or of the local repository.

    Args:
        yatai_url: address of a management server, instead of `yatai.remote.url`.

    Raises:
        InvalidArgument: the address is none.
        MissingDependencyException: the packages of the extra `yatai` are not installed.
    """
    if nothing_is_set():
        return YataiClient(_remote(yatai_url) if yatai_url else local_client(), yatai_url)
    from bentoml.settings import load_settings  # noqa: PLC0415 - slow to import, see `nothing_is_set`

    settings = load_settings()
    remote = yatai_url or settings.yatai.remote_url
    return YataiClient(_remote(remote, settings.yatai) if remote else local_client(settings), remote)


def local_client(settings: Settings | None = None) -> RepositoryClient:
    """The local repository, also when the settings name a server."""
    from bentoml.repository.open import open_repository  # noqa: PLC0415 - loads SQLAlchemy

    return RepositoryClient(open_repository(settings))


def _remote(url: str, yatai: YataiSettings | None = None) -> RepositoryClient:
    try:
        from bentoml.rpc.channel import RpcClient  # noqa: PLC0415 - needs the extra
        from bentoml.rpc.options import ClientOptions  # noqa: PLC0415
    except ModuleNotFoundError as err:
        raise _missing(err) from err
    from .remote.repository import RemoteRepository  # noqa: PLC0415 - needs the extra

    return RepositoryClient(RemoteRepository(RpcClient(url, yatai or ClientOptions())))


def _missing(err: ModuleNotFoundError) -> MissingDependencyException:
    return MissingDependencyException(
        f"A Yatai server is reached with the package '{err.name}', which is not installed. "
        "Install it with: pip install 'bentoml[yatai]'"
    )
