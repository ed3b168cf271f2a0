"""How label queries are put to the database: not once for every bundle."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.dialects import sqlite

from bentoml.repository.index import label_conditions
from bentoml.repository.models import bentos, metadata
from bentoml.repository.selector import parse_selector

QUERIES = ["stage=prod", "stage!=prod", "stage in (a, b)", "stage", "stage DoesNotExist"]


@pytest.mark.parametrize("query", QUERIES)
def test_labels_are_read_once_a_query(query: str) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    statement = select(bentos.c.id).where(*label_conditions(parse_selector(query)))
    compiled = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        plan = "\n".join(str(row) for row in connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
    assert "SUBQUERY" in plan
    assert "CORRELATED" not in plan
