"""Finding bundles: pages of any order, counts, names; and small changes of one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    Select,
    String,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from bentoml.exceptions import InvalidArgument
from bentoml.repository.base import BundleRecord
from bentoml.repository.index import (
    MOST_IN_SQL,
    finished,
    ids_by_labels,
    label_conditions,
    live,
    records_of,
    restorable,
)
from bentoml.repository.models import SEARCH_INDEX, aliases, bentos, labels
from bentoml.repository.selector import Selector

ORDERS = ("created_at", "name", "size")
_COLUMNS = {"created_at": bentos.c.id, "name": bentos.c.name, "size": bentos.c.size_bytes}
_IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class BundleQuery:
    """Which bundles, in which order, and which part of them.

    Attributes:
        text: part of a name, a version or `name:version`, in any case.
        only_deleted: those that can be restored, instead of those that exist.
    """

    name: str | None = None
    text: str = ""
    labels: Selector = field(default_factory=Selector)
    order_by: str = "created_at"
    ascending: bool = False
    offset: int = 0
    limit: int = 40
    only_deleted: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether nothing but a name is asked for."""
        return not (self.text or self.labels.requirements or self.only_deleted)

    def __post_init__(self) -> None:
        if self.order_by not in ORDERS:
            raise InvalidArgument(f"order_by is '{self.order_by}'; it must be one of {', '.join(ORDERS)}.")
        if self.offset < 0 or self.limit < 0:
            raise InvalidArgument(f"offset {self.offset} and limit {self.limit} must not be negative.")


@dataclass(frozen=True, slots=True)
class NameSummary:
    """One name with what a list of names shows of it."""

    name: str
    versions: int
    newest_id: int
    newest_version: str
    newest_added_at: datetime | None


def page(connection: Connection, query: BundleQuery) -> tuple[list[int], int]:
    """Row ids of the bundles on a page, in its order, and how many match in all; one scan gives both."""
    if query.is_plain or _is_long(query.labels):
        return [row_id for row_id, _ in keys(connection, query)], count(connection, query)
    total = func.count().over()
    statement = _filtered(select(bentos.c.id, total), query).order_by(
        *_order(query.order_by, query.ascending)
    )
    rows = connection.execute(statement.offset(query.offset).limit(query.limit)).all()
    if rows:
        return [row.id for row in rows], rows[0][1]
    return [], count(connection, query) if query.offset or not query.limit else 0


def keys(connection: Connection, query: BundleQuery) -> list[tuple[int, int]]:
    """Row id and revision of the bundles on a page, in its order."""
    if query.is_plain:
        return _plain_keys(connection, query)
    statement = _filtered(select(bentos.c.id, bentos.c.revision), query)
    statement = statement.order_by(*_order(query.order_by, query.ascending))
    if _is_long(query.labels):
        wanted = _wanted_ids(connection, statement, query)
        page = wanted[query.offset : query.offset + query.limit]
        rows = connection.execute(select(bentos.c.id, bentos.c.revision).where(bentos.c.id.in_(page)))
        revisions = {row.id: row.revision for row in rows}
        return [(row_id, revisions[row_id]) for row_id in page]
    rows = connection.execute(statement.offset(query.offset).limit(query.limit))
    return [(row.id, row.revision) for row in rows]


def _plain_keys(connection: Connection, query: BundleQuery) -> list[tuple[int, int]]:
    """The list that clients ask for again and again: its SQL is written once, and goes to the driver."""
    shape = (query.name is not None, query.order_by, query.ascending)
    sql, names = _plain_sql(connection.dialect, *shape)
    values = {"name": query.name, "limit": query.limit, "offset": query.offset}
    rows = connection.exec_driver_sql(
        sql, tuple(values[name] for name in names) if names is not None else values
    )
    return [(row[0], row[1]) for row in rows.fetchall()]


@cache
def _plain_sql(
    dialect: Dialect, has_name: bool, order_by: str, ascending: bool
) -> tuple[str, tuple[str, ...] | None]:
    """The SQL of a plain list, and the order of its parameters if they have no names."""
    statement = select(bentos.c.id, bentos.c.revision).where(live, finished)
    if has_name:
        statement = statement.where(bentos.c.name == bindparam("name", type_=String))
    statement = statement.order_by(*_order(order_by, ascending))
    statement = statement.limit(bindparam("limit", type_=Integer)).offset(bindparam("offset", type_=Integer))
    compiled = statement.compile(dialect=dialect)
    positions = getattr(compiled, "positiontup", None)
    return str(compiled), tuple(positions) if positions else None


def _order(order_by: str, ascending: bool) -> list[ColumnElement[Any]]:
    column = _COLUMNS[order_by]
    columns = [bentos.c.id] if column is bentos.c.id else [column, bentos.c.id]
    return [c.asc() if ascending else c.desc() for c in columns]


def count(connection: Connection, query: BundleQuery) -> int:
    """How many bundles match, on all pages."""
    if _is_long(query.labels):
        return len(_wanted_ids(connection, _filtered(select(bentos.c.id), query), query))
    return connection.scalar(counting(query)) or 0


def counting(query: BundleQuery) -> Select[Any]:
    """How many bundles match, as a statement."""
    return _filtered(select(func.count()).select_from(bentos), query)


def by_ids(connection: Connection, ids: Sequence[int]) -> list[BundleRecord]:
    """The records of rows, in the order of `ids`, with labels and aliases."""
    found: dict[int, BundleRecord] = {}
    for start in range(0, len(ids), _IDS_PER_QUERY):
        part = ids[start : start + _IDS_PER_QUERY]
        for record in records_of(connection, select(bentos).where(bentos.c.id.in_(part))):
            found[record.row_id] = record
    return with_aliases(connection, [found[row_id] for row_id in ids if row_id in found])


def find(connection: Connection, name: str, version: str | None) -> BundleRecord | None:
    """One bundle; None as version means the newest."""
    query = select(bentos).where(live, finished, bentos.c.name == name)
    if version is not None:
        query = query.where(bentos.c.version == version)
    records = records_of(connection, query.order_by(bentos.c.id.desc()).limit(1))
    return next(iter(with_aliases(connection, records)), None)


def version_before(connection: Connection, name: str, row_id: int) -> str | None:
    """The newest version of a name that was added before that row."""
    older = select(bentos.c.version).where(live, finished, bentos.c.name == name, bentos.c.id < row_id)
    return connection.scalar(older.order_by(bentos.c.id.desc()).limit(1))


def names(
    connection: Connection, text: str = "", offset: int = 0, limit: int = 40
) -> tuple[list[NameSummary], int]:
    """Names with their number of versions, the one with the newest bundle first, and how many there are."""
    grouped = grouping(text).subquery()
    page = (
        select(grouped.c.name, grouped.c.versions, bentos.c.id, bentos.c.version, bentos.c.created_at)
        .join(bentos, bentos.c.id == grouped.c.newest)
        .order_by(grouped.c.newest.desc())
        .offset(offset)
        .limit(limit)
    )
    total = connection.scalar(select(func.count()).select_from(grouped)) or 0
    return [NameSummary(*row) for row in connection.execute(page)], total


def count_names(connection: Connection) -> int:
    """How many names have a bundle."""
    return connection.scalar(select(func.count()).select_from(grouping().subquery())) or 0


def grouping(text: str = "") -> Select[Any]:
    """Every name with its number of versions and the id of the newest, as a statement."""
    conditions = [live, finished]
    if text:
        conditions.append(bentos.c.name.icontains(text, autoescape=True))
    columns = (bentos.c.name, func.count().label("versions"), func.max(bentos.c.id).label("newest"))
    return select(*columns).where(*conditions).group_by(bentos.c.name)


def update_labels(connection: Connection, row_id: int, changed: dict[str, str], removed: set[str]) -> None:
    """Set some labels of a bundle and remove others."""
    mine = (labels.c.resource_type == "bento", labels.c.resource_id == row_id)
    connection.execute(delete(labels).where(*mine, labels.c.key.in_([*changed, *removed])))
    if changed:
        rows = [
            {"resource_type": "bento", "resource_id": row_id, "key": key, "value": value}
            for key, value in changed.items()
        ]
        connection.execute(insert(labels), rows)
    touch(connection, row_id)


def set_note(connection: Connection, row_id: int, note: str) -> None:
    connection.execute(update(bentos).where(bentos.c.id == row_id).values(note=note))
    touch(connection, row_id)


def touch(connection: Connection, row_id: int) -> None:
    """Let everybody who kept a copy of the row notice that it changed."""
    connection.execute(update(bentos).where(bentos.c.id == row_id).values(revision=bentos.c.revision + 1))


def with_aliases(connection: Connection, records: Sequence[BundleRecord]) -> list[BundleRecord]:
    """The records with the aliases that point to them."""
    wanted = sorted({record.name for record in records})
    found: dict[tuple[str, str], list[str]] = {}
    for start in range(0, len(wanted), _IDS_PER_QUERY):
        query = select(aliases).where(aliases.c.name.in_(wanted[start : start + _IDS_PER_QUERY]))
        for row in connection.execute(query.order_by(aliases.c.alias)):
            found.setdefault((row.name, row.version), []).append(row.alias)
    return [
        replace(record, aliases=tuple(found.get((record.name, record.version), ()))) for record in records
    ]


def _filtered(statement: Select[Any], query: BundleQuery) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = [restorable] if query.only_deleted else [live, finished]
    if query.name is not None:
        conditions.append(bentos.c.name == query.name)
    if query.text:
        whole = bentos.c.name + ":" + bentos.c.version
        conditions.append(
            or_(
                whole.icontains(query.text, autoescape=True),
                bentos.c.note.icontains(query.text, autoescape=True),
            )
        )
    if not _is_long(query.labels):
        conditions.extend(label_conditions(query.labels))
    if not (query.is_plain or query.only_deleted):
        # It has all that is compared, in narrow rows; SQLite would read the wide ones to save a sort.
        statement = statement.with_hint(bentos, f"INDEXED BY {SEARCH_INDEX}", "sqlite")
    return statement.where(*conditions)


def _is_long(selector: Selector) -> bool:
    return len(selector.requirements) > MOST_IN_SQL


def _wanted_ids(connection: Connection, statement: Select[Any], query: BundleQuery) -> list[int]:
    return ids_by_labels(connection, statement.with_only_columns(bentos.c.id), query.labels)
