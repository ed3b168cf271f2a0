"""Find the repository that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bentoml.exceptions import BentoMLConfigException
from bentoml.settings.paths import nothing_is_set

from .local import LocalRepository

if TYPE_CHECKING:
    from bentoml.settings import Settings

_SQLITE = "sqlite:///"


def open_repository(settings: Settings | None = None) -> LocalRepository:
    """The local repository of these settings (read from the environment if None).

    Raises:
        BentoMLConfigException: the settings name a store that is not on this machine.
    """
    if settings is None and nothing_is_set():
        return LocalRepository()
    from bentoml.settings import load_settings  # noqa: PLC0415 - slow to import, see `nothing_is_set`

    yatai = (settings or load_settings()).yatai
    if yatai.repository_type != "file_system":
        raise BentoMLConfigException(
            f"yatai.repository.type is '{yatai.repository_type}'; the local repository is a 'file_system'."
        )
    database = None
    if yatai.database_url is not None:
        if not yatai.database_url.startswith(_SQLITE):
            raise BentoMLConfigException(
                f"yatai.database.url is '{yatai.database_url}'; the local repository needs sqlite:///<path>."
            )
        database = Path(yatai.database_url.removeprefix(_SQLITE)).expanduser()
    directory = yatai.repository_directory
    return LocalRepository(directory=Path(directory).expanduser() if directory else None, database=database)
