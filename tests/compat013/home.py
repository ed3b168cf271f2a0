"""The home directory that the real 0.13.1 wrote, put where a test wants it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIXTURE_HOME = HERE / "fixtures" / "home013"
# The home the rows of the committed storage.db name; nobody's real one.
RECORDED_HOME = "/home/ada/bentoml"


def bundle_path(tag: str, home: Path = FIXTURE_HOME) -> Path:
    """The directory of `Name:version` in a home's repository."""
    name, _, version = tag.partition(":")
    return home / "repository" / name / version


def move_rows(database: Path, old_home: str, new_home: str) -> None:
    """Let the rows of a 0.13 `storage.db` point into another home: 0.13 stores absolute paths."""
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("UPDATE bentos SET uri = replace(uri, ?, ?)", (old_home, new_home))
    connection.execute("VACUUM")
    connection.close()


def install_home(target: Path) -> Path:
    """Copy the fixture to `target` (which must not exist) as if 0.13 had worked there."""
    shutil.copytree(FIXTURE_HOME, target)
    for repository in (target / "repository").glob("*/*"):
        (repository / repository.parent.name / "zipimports").mkdir(exist_ok=True)  # git keeps no empty folder
    (target / "FormService" / "FormService" / "zipimports").mkdir(exist_ok=True)
    move_rows(target / "storage.db", RECORDED_HOME, str(target))
    return target
