"""Queries on the index. Rows stay inside this file; callers get `BundleRecord`s."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, delete, false, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bentoml.exceptions import AlreadyExists, InvalidArgument
from bentoml.tags import Tag

from .base import DONE, BundleRecord
from .engine import open_engine, run
from .models import bentos, utc_now
from .models import labels as label_table
from .schema import ensure_current
from .selector import Selector

logger = logging.getLogger("bentoml.repository")

T = TypeVar("T")
_BENTO = "bento"
_IDS_PER_QUERY = 500
_ORDERS = {"created_at": bentos.c.id, "name": bentos.c.name}

_live = bentos.c.deleted == false()
_finished = bentos.c.upload_status["status"].as_string() == DONE


class Index:
    """The database of one repository.

    The order of creation is the order of the rows' ids: a wall clock that jumps changes nothing.

    Args:
        path: the SQLite file.
        may_create: asked when the file is absent or empty: is this a new repository?
    """

    def __init__(self, path: Path, may_create: Callable[[], bool]) -> None:
        self.path = path
        self._may_create = may_create
        self._engine = open_engine(path)
        self._is_current = False

    def add(self, tag: Tag, uri: str, metadata: Mapping[str, Any], labels: Mapping[str, str]) -> None:
        """Insert a finished bundle. Raises `AlreadyExists`."""
        self._write(lambda connection: _add(connection, tag, uri, metadata, labels))

    def find(self, tag: Tag) -> BundleRecord | None:
        """The finished bundle of that tag; `latest` is the one added last."""
        wanted = [bentos.c.name == tag.name]
        if not tag.is_latest:
            wanted.append(bentos.c.version == tag.version)
        query = _bundles().where(*wanted).order_by(bentos.c.id.desc()).limit(1)
        return next(iter(self._read(lambda connection: _records(connection, query))), None)

    def select(
        self,
        name: str | None,
        selector: Selector,
        *,
        offset: int,
        limit: int | None,
        order_by: str,
        ascending: bool,
    ) -> list[BundleRecord]:
        """Finished bundles; see `Repository.list`."""
        if order_by not in _ORDERS:
            raise InvalidArgument(f"order_by is '{order_by}'; it must be one of {', '.join(_ORDERS)}.")
        columns = [_ORDERS[order_by], bentos.c.id] if order_by == "name" else [bentos.c.id]
        query = _bundles().order_by(*(column if ascending else column.desc() for column in columns))
        if name is not None:
            query = query.where(bentos.c.name == name)
        if not selector.requirements:
            query = query.offset(offset).limit(-1 if limit is None else limit)
            return self._read(lambda connection: _records(connection, query))
        end = None if limit is None else offset + limit
        return self._read(lambda connection: _select_by_labels(connection, query, selector)[offset:end])

    def mark_deleted(self, tag: Tag) -> bool:
        """Take a bundle out of every listing; False if it was not there."""
        return self._write(lambda connection: _mark_deleted(connection, tag))

    def versions(self, name: str) -> list[str]:
        """Versions of finished bundles of one name, newest first."""
        query = (
            select(bentos.c.version)
            .where(_live, _finished, bentos.c.name == name)
            .order_by(bentos.c.id.desc())
        )
        return self._read(lambda connection: list(connection.scalars(query)))

    def names(self) -> list[str]:
        """Names that have a finished bundle."""
        query = select(bentos.c.name).where(_live, _finished).distinct()
        return self._read(lambda connection: list(connection.scalars(query)))

    def has_sibling_in_other_case(self, tag: Tag) -> bool:
        """Whether a bundle exists whose name and version differ in upper and lower case at most."""
        query = select(bentos.c.id).where(
            _live,
            func.lower(bentos.c.name) == tag.name.lower(),
            func.lower(bentos.c.version) == tag.version.lower(),
        )
        return self._read(lambda connection: connection.scalar(query.limit(1))) is not None

    def _read(self, work: Callable[[Connection], T]) -> T:
        self._prepare()
        return run(self._engine, work)

    def _write(self, work: Callable[[Connection], T]) -> T:
        self._prepare()
        return run(self._engine, work, write=True)

    def _prepare(self) -> None:
        if not self._is_current or not self.path.exists():
            ensure_current(self._engine, self.path, self._may_create)
            self._is_current = True


def _bundles() -> Select[Any]:
    return select(bentos).where(_live, _finished)


def _add(
    connection: Connection, tag: Tag, uri: str, metadata: Mapping[str, Any], labels: Mapping[str, str]
) -> None:
    same = (bentos.c.name == tag.name, bentos.c.version == tag.version, _live)
    connection.execute(update(bentos).where(*same, ~_finished).values(deleted=True))  # 0.13 crashed here
    values = {
        "name": tag.name,
        "version": tag.version,
        "uri": uri,
        "uri_type": "LOCAL",
        "bento_service_metadata": {**metadata, "labels": dict(labels)} if labels else dict(metadata),
        "upload_status": {"status": DONE, "updated_at": utc_now().isoformat() + "Z"},
        "created_at": utc_now(),
        "deleted": False,
    }
    try:
        row_id = connection.execute(insert(bentos).values(values)).inserted_primary_key
    except IntegrityError as err:
        raise already_exists(tag) from err
    assert row_id is not None
    rows = [
        {"resource_type": _BENTO, "resource_id": row_id[0], "key": key, "value": value}
        for key, value in labels.items()
    ]
    if rows:
        connection.execute(insert(label_table), rows)


def already_exists(tag: Tag) -> AlreadyExists:
    return AlreadyExists(
        f"BentoService bundle {tag} already registered in repository. Reset BentoService version with "
        "BentoService#set_version or bypass BentoML's model registry feature with "
        "BentoService#save_to_dir"
    )


def _mark_deleted(connection: Connection, tag: Tag) -> bool:
    same = (bentos.c.name == tag.name, bentos.c.version == tag.version, _live)
    ids = list(connection.scalars(select(bentos.c.id).where(*same)))
    connection.execute(update(bentos).where(bentos.c.id.in_(ids)).values(deleted=True))
    connection.execute(
        delete(label_table).where(label_table.c.resource_type == _BENTO, label_table.c.resource_id.in_(ids))
    )
    return bool(ids)


def _records(connection: Connection, query: Select[Any]) -> list[BundleRecord]:
    rows = connection.execute(query).all()
    labels = _labels(connection, [row.id for row in rows])
    records = (_as_record(row, labels.get(row.id, {})) for row in rows)
    return [record for record in records if record is not None]


def _select_by_labels(connection: Connection, query: Select[Any], selector: Selector) -> list[BundleRecord]:
    ids = list(connection.scalars(query.with_only_columns(bentos.c.id)))
    labels = _labels(connection, ids)
    wanted = {row_id for row_id in ids if selector.matches(labels.get(row_id, {}))}
    rows = (row for row in connection.execute(query) if row.id in wanted)
    records = (_as_record(row, labels.get(row.id, {})) for row in rows)
    return [record for record in records if record is not None]


def _labels(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for start in range(0, len(ids), _IDS_PER_QUERY):
        part = ids[start : start + _IDS_PER_QUERY]
        query = select(label_table.c.resource_id, label_table.c.key, label_table.c.value).where(
            label_table.c.resource_type == _BENTO, label_table.c.resource_id.in_(part)
        )
        for row_id, key, value in connection.execute(query.order_by(label_table.c.id)):
            found.setdefault(row_id, {})[key] = value
    return found


def _as_record(row: Any, labels: dict[str, str]) -> BundleRecord | None:
    """The record of a row, or None (and a warning) when its name is outside the grammar."""
    try:
        Tag(row.name, row.version)
    except InvalidArgument as err:
        logger.warning("Row %s of the repository's index is ignored: %s", row.id, err)
        return None
    metadata = {key: value for key, value in row.bento_service_metadata.items() if key != "labels"}
    return BundleRecord(
        name=row.name,
        version=row.version,
        uri=row.uri,
        uri_type=row.uri_type or "UNSET",
        created_at=_parse_time(metadata.get("created_at")) or row.created_at,
        labels=labels,
        apis=tuple(_upgraded(api) for api in metadata.get("apis") or ()),
        artifacts=tuple(metadata.get("artifacts") or ()),
        metadata=metadata,
    )


def _upgraded(api: Mapping[str, Any]) -> dict[str, Any]:
    """An API of a row written before 0.8 said `handler_type` and had no output type."""
    upgraded = {key.replace("handler_", "input_"): value for key, value in api.items()}
    upgraded.setdefault("output_type", "DefaultOutput")
    return upgraded


def _parse_time(text: object) -> datetime | None:
    """Read "2021-09-26T17:45:55.819000Z" as UTC without a zone."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment
