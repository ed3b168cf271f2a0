"""`get_yatai_client`: the entry to saved bundles from Python."""

from __future__ import annotations

from dataclasses import dataclass

from bentoml.exceptions import FailedPrecondition
from bentoml.settings import load_settings

from .repository_client import RepositoryClient


@dataclass(frozen=True, slots=True)
class YataiClient:
    """Access to one repository of saved bundles."""

    repository: RepositoryClient


def get_yatai_client(yatai_url: str | None = None) -> YataiClient:
    """A client of the local repository.

    Args:
        yatai_url: address of a management server, instead of `yatai.remote.url`.

    Raises:
        FailedPrecondition: a remote server is asked for; this version has no client for one.
    """
    from bentoml.repository.open import open_repository  # noqa: PLC0415 - loads SQLAlchemy

    settings = load_settings()
    remote = yatai_url or settings.yatai.remote_url
    if remote:
        raise FailedPrecondition(
            f"The Yatai server at '{remote}' cannot be used: this version of bentoml has no client for "
            "remote servers. Without --yatai-url (yatai_url=, yatai.remote.url) the local repository is used."
        )
    return YataiClient(RepositoryClient(open_repository(settings)))
