"""Queries on the index. Rows stay inside this file; callers get `BundleRecord`s."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, delete, false, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from bentoml.exceptions import AlreadyExists, InvalidArgument
from bentoml.tags import Tag

from .base import DONE, BundleRecord
from .database import Database
from .finished import Finished, Unfinished
from .models import aliases, bentos, utc_now
from .models import labels as label_table
from .selector import Requirement, Selector

logger = logging.getLogger("bentoml.repository")

T = TypeVar("T")
_BENTO = "bento"
_IDS_PER_QUERY = 500
_ORDERS = {"created_at": bentos.c.id, "name": bentos.c.name}

_ALL = 2**31 - 1
MOST_IN_SQL = 20  # requirements of a label query; longer ones are evaluated row by row

live = bentos.c.deleted == false()
finished = Finished()
restorable = (bentos.c.deleted == true()) & bentos.c.trash.is_not(None)


@dataclass(frozen=True, slots=True)
class Addition:
    """What the index keeps of a new bundle besides its name and its address."""

    metadata: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    lineage: Mapping[str, str] = field(default_factory=dict)
    uri_type: str = "LOCAL"
    size_bytes: int | None = None
    digest: str | None = None
    created_by: str = ""
    also: Callable[[Connection], None] | None = None  # work of the same transaction


class Index:
    """The queries of one repository.

    The order of creation is the order of the rows' ids: a wall clock that jumps changes nothing.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._read = database.read
        self._write = database.write

    def add(self, tag: Tag, uri: str, addition: Addition) -> None:
        """Insert a finished bundle. Raises `AlreadyExists`."""
        self._write(lambda connection: _add(connection, tag, uri, addition))

    def find(self, tag: Tag) -> BundleRecord | None:
        """The finished bundle of that tag; `latest` is the one added last."""
        wanted = [bentos.c.name == tag.name]
        if not tag.is_latest:
            wanted.append(bentos.c.version == tag.version)
        query = _bundles().where(*wanted).order_by(bentos.c.id.desc()).limit(1)
        return next(iter(self._read(lambda connection: records_of(connection, query))), None)

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
        if len(selector.requirements) <= MOST_IN_SQL:
            query = query.where(*label_conditions(selector)).offset(offset)
            page = query if limit is None and not offset else query.limit(_ALL if limit is None else limit)
            return self._read(lambda connection: records_of(connection, page))
        end = None if limit is None else offset + limit
        return self._read(lambda connection: _select_by_labels(connection, query, selector)[offset:end])

    def mark_deleted(
        self, tag: Tag, trash: str | None = None, also: Callable[[Connection], None] | None = None
    ) -> bool:
        """Take a bundle out of every listing; False if it was not there.

        Args:
            trash: where its files wait to be restored; None if they go.
            also: work of the same transaction.
        """
        return self._write(lambda connection: _mark_deleted(connection, tag, trash, also))

    def find_trash(self, tag: Tag) -> DeletedBundle | None:
        """The bundle of that tag that was deleted last and can be restored."""
        query = (
            select(bentos.c.id, bentos.c.trash, bentos.c.deleted_at)
            .where(bentos.c.name == tag.name, bentos.c.version == tag.version, restorable)
            .order_by(bentos.c.deleted_at.desc(), bentos.c.id.desc())
            .limit(1)
        )
        row = self._read(lambda connection: connection.execute(query).first())
        return None if row is None else DeletedBundle(tag, row.id, row.trash, row.deleted_at)

    def restore(self, bundle: DeletedBundle, also: Callable[[Connection], None] | None = None) -> None:
        """List a deleted bundle again. Raises `AlreadyExists` if its tag is taken by now."""
        self._write(lambda connection: _restore(connection, bundle, also))

    def expired(self, before: datetime) -> list[DeletedBundle]:
        """Restorable bundles that were deleted before that moment."""
        query = select(bentos).where(restorable, bentos.c.deleted_at < before).order_by(bentos.c.id)
        rows = self._read(lambda connection: connection.execute(query).all())
        return [DeletedBundle(Tag(row.name, row.version), row.id, row.trash, row.deleted_at) for row in rows]

    def forget_trash(self, bundle: DeletedBundle) -> None:
        """The files are about to go: the bundle can no longer be restored."""
        query = update(bentos).where(bentos.c.id == bundle.row_id).values(trash=None)
        self._write(lambda connection: connection.execute(query))

    def addresses(self) -> set[str]:
        """Where the files of all bundles are that exist or can be restored."""
        query = select(bentos.c.uri, bentos.c.trash).where(live | restorable)
        rows = self._read(lambda connection: connection.execute(query).all())
        return {address for row in rows for address in row if address}

    def find_alias(self, name: str, alias: str) -> str | None:
        """The version that an alias points to."""
        query = select(aliases.c.version).where(aliases.c.name == name, aliases.c.alias == alias)
        return self._read(lambda connection: connection.scalar(query))

    def versions(self, name: str) -> list[str]:
        """Versions of finished bundles of one name, newest first."""
        query = (
            select(bentos.c.version).where(live, finished, bentos.c.name == name).order_by(bentos.c.id.desc())
        )
        return self._read(lambda connection: list(connection.scalars(query)))

    def names(self) -> list[str]:
        """Names that have a finished bundle."""
        query = select(bentos.c.name).where(live, finished).distinct()
        return self._read(lambda connection: list(connection.scalars(query)))

    def has_sibling_in_other_case(self, tag: Tag) -> bool:
        """Whether a bundle exists whose name and version differ in upper and lower case at most."""
        query = select(bentos.c.id).where(
            live,
            func.lower(bentos.c.name) == tag.name.lower(),
            func.lower(bentos.c.version) == tag.version.lower(),
        )
        return self._read(lambda connection: connection.scalar(query.limit(1))) is not None


@dataclass(frozen=True, slots=True)
class DeletedBundle:
    """A deleted bundle whose files still wait at `trash`."""

    tag: Tag
    row_id: int
    trash: str
    deleted_at: datetime


def _bundles() -> Select[Any]:
    return select(bentos).where(live, finished)


def _add(connection: Connection, tag: Tag, uri: str, addition: Addition) -> None:
    labels, metadata = addition.labels, addition.metadata
    same = (bentos.c.name == tag.name, bentos.c.version == tag.version, live)
    connection.execute(update(bentos).where(*same, Unfinished()).values(deleted=True))  # 0.13 crashed here
    values = {
        "name": tag.name,
        "version": tag.version,
        "uri": uri,
        "uri_type": addition.uri_type,
        "bento_service_metadata": {**metadata, "labels": dict(labels)} if labels else dict(metadata),
        "upload_status": {"status": DONE, "updated_at": utc_now().isoformat() + "Z"},
        "created_at": utc_now(),
        "deleted": False,
        "size_bytes": addition.size_bytes,
        "digest": addition.digest,
        "lineage": dict(addition.lineage) or None,
        "created_by": addition.created_by or None,
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
    if addition.also is not None:
        addition.also(connection)


def already_exists(tag: Tag) -> AlreadyExists:
    return AlreadyExists(
        f"BentoService bundle {tag} already registered in repository. Reset BentoService version with "
        "BentoService#set_version or bypass BentoML's model registry feature with "
        "BentoService#save_to_dir"
    )


def _mark_deleted(
    connection: Connection, tag: Tag, trash: str | None, also: Callable[[Connection], None] | None
) -> bool:
    same = (bentos.c.name == tag.name, bentos.c.version == tag.version, live)
    ids = list(connection.scalars(select(bentos.c.id).where(*same)))
    values = {"deleted": True, "deleted_at": utc_now(), "trash": trash, "revision": bentos.c.revision + 1}
    connection.execute(update(bentos).where(bentos.c.id.in_(ids)).values(values))
    if trash is None:
        connection.execute(
            delete(label_table).where(
                label_table.c.resource_type == _BENTO, label_table.c.resource_id.in_(ids)
            )
        )
    if ids and also is not None:
        also(connection)
    return bool(ids)


def _restore(
    connection: Connection, bundle: DeletedBundle, also: Callable[[Connection], None] | None
) -> None:
    values = {"deleted": False, "deleted_at": None, "trash": None, "revision": bentos.c.revision + 1}
    try:
        connection.execute(update(bentos).where(bentos.c.id == bundle.row_id).values(values))
    except IntegrityError as err:
        raise already_exists(bundle.tag) from err
    if also is not None:
        also(connection)


def records_of(connection: Connection, query: Select[Any]) -> list[BundleRecord]:
    """The bundles that a query on the whole table gives, with their labels."""
    return _as_records(connection, connection.execute(query).all())


def _as_records(connection: Connection, rows: Sequence[Any]) -> list[BundleRecord]:
    labels = labels_of(connection, [row.id for row in rows])
    records = (_as_record(row, labels.get(row.id, {})) for row in rows)
    return [record for record in records if record is not None]


def label_conditions(selector: Selector) -> list[ColumnElement[bool]]:
    """The label query as conditions on the table of bundles."""
    return [_label_condition(requirement) for requirement in selector.requirements]


def _label_condition(requirement: Requirement) -> ColumnElement[bool]:
    """A list of ids, made once a query: asked row by row, SQLite reads all labels of that key each time."""
    found = select(label_table.c.resource_id).where(
        label_table.c.resource_type == _BENTO, label_table.c.key == requirement.key
    )
    values = sorted(requirement.values)
    if requirement.operator == "In":
        found = found.where(label_table.c.value.in_(values))
    elif requirement.operator == "NotIn":
        found = found.where(label_table.c.value.not_in(values))
    return bentos.c.id.not_in(found) if requirement.operator == "DoesNotExist" else bentos.c.id.in_(found)


def _select_by_labels(connection: Connection, query: Select[Any], selector: Selector) -> list[BundleRecord]:
    wanted = set(ids_by_labels(connection, query.with_only_columns(bentos.c.id), selector))
    rows = [row for row in connection.execute(query) if row.id in wanted]
    return _as_records(connection, rows)


def ids_by_labels(connection: Connection, query: Select[Any], selector: Selector) -> list[int]:
    """The ids of a query whose labels match, in its order; for queries too long to be SQL."""
    ids = list(connection.scalars(query))
    labels = labels_of(connection, ids)
    return [row_id for row_id in ids if selector.matches(labels.get(row_id, {}))]


def labels_of(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """The labels of bundles, by the ids of their rows."""
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
        row_id=row.id,
        revision=row.revision,
        size_bytes=row.size_bytes,
        digest=row.digest or "",
        note=row.note,
        lineage=dict(row.lineage or {}),
        created_by=row.created_by or "",
        added_at=row.created_at,
        deleted_at=row.deleted_at,
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
