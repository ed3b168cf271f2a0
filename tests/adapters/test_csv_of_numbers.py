"""CSV that holds nothing but numbers is read by one call, with the same result as field by field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bentoml.adapters import csv_table
from bentoml.exceptions import BadInput

NUMBERS = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.integers(10**17, 10**25).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["-0", "0", "-0.0", "1e5", "2.5E-3", "007", "+1", "1.", ".5", "1e999", "0x1", "1_0"]),
)
FIELDS = st.one_of(
    NUMBERS,
    st.sampled_from(["", " 1", "2 ", "true", "null", "NaN", '"1"', "[1]", "{}", "1 2", "a", "-", "\t3", "٣"]),
)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\n \n"])


@st.composite
def tables(draw: st.DrawFn, fields: st.SearchStrategy[str]) -> str:
    width = draw(st.integers(1, 4))
    header = draw(st.lists(st.sampled_from(["a", "b", "c", "d d", "1", '"q,"', ""]), min_size=1, max_size=4))
    widths = st.just(width) if draw(st.booleans()) else st.integers(1, 4)
    rows = draw(st.lists(widths.flatmap(lambda n: st.lists(fields, min_size=n, max_size=n)), max_size=5))
    lines = [",".join(header[:width]), *(",".join(row) for row in rows)]
    end = draw(ENDS) if draw(st.booleans()) else "\n"
    return end.join(lines) + draw(st.sampled_from(["", "\n", "\r\n", "\n\n"]))


def outcome(text: str) -> Any:
    try:
        names, columns, rows = csv_table.read_csv(text)
    except BadInput as err:
        return str(err)
    return names, [[(type(cell), repr(cell)) for cell in column] for column in columns], rows


def field_by_field(text: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_table, "_all_numbers", lambda text: None)
        return outcome(text)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(tables(NUMBERS), tables(FIELDS)))
def test_both_ways_agree(text: str) -> None:
    assert outcome(text) == field_by_field(text)


@pytest.mark.parametrize(
    "text",
    ["a,b\n1,2\n3,4.5\n", "a,b\r\n1,2\r\n3,4.5", "a,b\n1,2\n3,4.5\n\n"],
    ids=["line feeds", "carriage returns", "an empty last line"],
)
def test_numbers_take_the_short_way(text: str) -> None:
    table = csv_table._all_numbers(text)
    assert table is not None
    assert table == (("a", "b"), [[1, 3], [2, 4.5]], 2)
    assert outcome(text) == field_by_field(text)


@pytest.mark.parametrize(
    "text",
    [
        "a\n1\r2\n", "a,b\n1\r,2\n",
        'a,"b\n1"\n1,2\n', "a,b\n1,2\n\n3,4\n", "a,a\n1,2\n", "a,b\n1,[2\n3],4\n",
        "a\n\n1\n", "a,b\n1,2,3\n4\n", "a\rb\n1\n", "\n1\n", "a\n" + "1" * 5 + "." + "1" * 140_000 + "\n",
    ],
)  # fmt: skip
def test_texts_that_only_look_like_it_agree_too(text: str) -> None:
    assert outcome(text) == field_by_field(text)
