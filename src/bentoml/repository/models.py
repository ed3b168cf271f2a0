"""The tables of the index, as the 0.13 line made them, plus the indexes this line adds.

Column names, types and the text of enumerations are a file format: a `storage.db` of 0.13 is opened
and upgraded in place by the migrations next to this file. Tables, not mapped classes: every query is
one statement, and the ORM would add a tenth of a second to each command.
"""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Enum,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)

from .base import URI_TYPES

FINISHED_SQLITE = "json_extract(upload_status, '$.status') = 'DONE'"
FINISHED_POSTGRESQL = "(upload_status ->> 'status') = 'DONE'"

metadata = MetaData()


def utc_now() -> datetime:
    """The current time in UTC without a zone, as every column stores it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def _choice(name: str, *values: str) -> Enum:
    return Enum(*values, name=name, create_constraint=True)


SEARCH_INDEX = "ix_bentos_search"  # on SQLite

bentos = Table(
    "bentos",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("uri", String, nullable=False),
    Column("uri_type", _choice("uri_type", *URI_TYPES)),
    Column("bento_service_metadata", JSON, nullable=False),
    Column("created_at", DateTime),
    Column("upload_status", JSON, nullable=False),
    Column("deleted", Boolean),
    # What follows is this line's own. `revision` grows with every change of what a listing shows;
    # `trash` says where the files of a deleted bundle wait, as long as it can be restored.
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger),
    Column("digest", String),
    Column("note", Text, nullable=False, server_default=""),
    Column("lineage", JSON),
    Column("created_by", String),
    Column("deleted_at", DateTime),
    Column("trash", String),
)
Index("ix_bentos_name_id", bentos.c.name, bentos.c.id)
# Indexes with a condition, as text: an `Index` that has one makes SQLAlchemy import the dialects that it is
# for, which costs every command more than reading the list of bundles does.
#
# One row for each bundle that exists. Then only what lists show, so that counts and lists of names read an
# index instead of the rows. Queries have to spell the condition as it is written here: see `finished`. On
# SQLite one column, so that it is cheaper than the other indexes that begin with the name, in whatever
# order they were made. PostgreSQL knows nothing of how often the condition holds: it would sort
# everything, were the ids not in order here. Then what searches compare, on SQLite, where the documents of
# a bundle lie between its name and its note; PostgreSQL keeps those elsewhere.
PARTIAL_INDEXES = {
    "sqlite": (
        "CREATE UNIQUE INDEX uq_bentos_live_name_version ON bentos (name, version) WHERE deleted = 0",
        f"CREATE INDEX ix_bentos_listed ON bentos (name) WHERE deleted = 0 AND {FINISHED_SQLITE}",
        f"CREATE INDEX {SEARCH_INDEX} ON bentos (name, version, note, size_bytes, revision) "
        f"WHERE deleted = 0 AND {FINISHED_SQLITE}",
    ),
    "postgresql": (
        "CREATE UNIQUE INDEX uq_bentos_live_name_version ON bentos (name, version) WHERE deleted = false",
        "CREATE INDEX ix_bentos_listed_id ON bentos (id) INCLUDE (name) "
        f"WHERE deleted = false AND {FINISHED_POSTGRESQL}",
    ),
}
for _dialect, _statements in PARTIAL_INDEXES.items():
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(bentos, "after_create", _ddl.execute_if(dialect=_dialect))

deployments = Table(
    "deployments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("state", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("created_at", DateTime),
    Column("last_updated_at", DateTime),
    Column("operator_data", JSON),  # what its operator needs to find the running thing again
)
Index("uq_deployments_namespace_name", deployments.c.namespace, deployments.c.name, unique=True)

labels = Table(
    "labels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_type", _choice("resource_type", "deployment", "bento")),
    Column("resource_id", Integer, nullable=False),
    Column("key", String, nullable=False),
    Column("value", String, nullable=False),
)
Index("ix_labels_resource", labels.c.resource_type, labels.c.resource_id)
Index("ix_labels_key_value", labels.c.key, labels.c.value)

# Locks of the 0.13 line. This line locks with the operating system and leaves the table empty.
locks = Table(
    "locks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_id", String, nullable=False, unique=True),
    Column("lock_status", _choice("lock_status", "read_lock", "write_lock")),
    Column("locks_held", Integer),
    Column("ttl", DateTime),
)

aliases = Table(
    "aliases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("alias", String, nullable=False),
    Column("version", String, nullable=False),
    Column("moved_at", DateTime, nullable=False),
    Column("moved_by", String, nullable=False),
    UniqueConstraint("name", "alias", name="uq_aliases_name_alias"),
)

# Every move of an alias, oldest first; a version of None means that the alias was not there.
alias_moves = Table(
    "alias_moves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("alias", String, nullable=False),
    Column("from_version", String),
    Column("to_version", String),
    Column("moved_at", DateTime, nullable=False),
    Column("moved_by", String, nullable=False),
    Index("ix_alias_moves_name_alias", "name", "alias"),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("happened_at", DateTime, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("resource_type", String, nullable=False),
    Column("resource", String, nullable=False),
    Column("details", JSON, nullable=False),
    Index("ix_events_resource", "resource_type", "resource"),
)

# A token is kept as the SHA-256 of its random text, so that reading the database gives no access.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("sha256", String, nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expires_at", DateTime),
    Column("last_used_at", DateTime),
    Column("revoked_at", DateTime),
)

# How many bundles of a name stay; the rule with the name "" is for every name without one of its own.
retention_rules = Table(
    "retention_rules",
    metadata,
    Column("name", String, primary_key=True),
    Column("keep_last", Integer),  # NULL: all of them
    Column("set_at", DateTime, nullable=False),
    Column("set_by", String, nullable=False),
    Column("applied_at", DateTime),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("lineage", JSON, nullable=False),
    Column("state", String, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Column("started_by", String, nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("updated_at", DateTime, nullable=False),
)
