"""One bundle of a local index, read without SQLAlchemy, whose import takes longer than a small push.

It answers where nothing can be misread, and else says nothing: then the repository itself is asked.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

from bentoml.tags import Tag

from .base import BundleRecord
from .revisions import HEAD

_FOUND = """
SELECT id, lineage FROM bentos WHERE name = ? AND version = ? AND deleted = 0 AND uri_type = 'LOCAL'
AND json_extract(upload_status, '$.status') = 'DONE'
"""
_LABELS = "SELECT key, value FROM labels WHERE resource_type = 'bento' AND resource_id = ? ORDER BY id"


def peek(home: Path, tag: Tag) -> BundleRecord | None:
    """Address, labels and lineage of a bundle in the repository of a home; None if it takes more to know.

    Args:
        tag: with a version; `latest` is for the repository.
    """
    path = home / "repository" / tag.name / tag.version
    if tag.is_latest or not path.is_dir() or path.parent.is_symlink():
        return None
    try:
        database = f"{(home / 'storage.db').absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True)) as connection:
            if connection.execute("SELECT version_num FROM alembic_version").fetchall() != [(HEAD,)]:
                return None
            rows = connection.execute(_FOUND, (tag.name, tag.version)).fetchall()
            if len(rows) != 1:
                return None
            labels = dict(connection.execute(_LABELS, (rows[0][0],)).fetchall())
        lineage = json.loads(rows[0][1] or "null") or {}
    except (sqlite3.Error, ValueError):
        return None
    return BundleRecord(tag.name, tag.version, str(path), None, labels, lineage=lineage)
