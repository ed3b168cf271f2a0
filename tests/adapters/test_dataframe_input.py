"""Tables: alignment by name, types per request, every orient, CSV."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from contracts.probe import make_client, send, send_all
from hypothesis import given, settings
from hypothesis import strategies as st

from bentoml.adapters import DataframeInput, DecodeLimits
from bentoml.testing import Request

pandas = pytest.importorskip("pandas")


def describe(self: Any, df: Any) -> Any:
    """Names, kinds and cells of each row; NaN as None."""
    cells = df.astype(object).where(df.notnull(), None).values.tolist()
    kinds = [dtype.kind for dtype in df.dtypes]
    return [[[str(name) for name in df.columns], kinds, row] for row in cells]


def frame(body: Any, kind: str = "application/json", **options: Any) -> Any:
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return send(
        make_client(describe, DataframeInput(**options)),
        text.encode() if isinstance(text, str) else text,
        kind,
    )


def csv(text: str, **options: Any) -> Any:
    return frame(text, "text/csv", **options)


def shapes(names: list[str], rows: list[list[Any]]) -> dict[str, tuple[str, str]]:
    """One table in every form a client may send: body and content type."""
    records = [dict(zip(names, row, strict=True)) for row in rows]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return {
        "records": (json.dumps(records), "application/json"),
        "columns": (json.dumps(columns), "application/json"),
        "labelled": (json.dumps({k: dict(enumerate(v)) for k, v in columns.items()}), "application/json"),
        "split": (
            json.dumps({"columns": names, "index": list(range(len(rows))), "data": rows}),
            "application/json",
        ),
        "index": (json.dumps({f"r{i}": record for i, record in enumerate(records)}), "application/json"),
        "csv": ("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]), "text/csv"),
    }


@pytest.mark.parametrize("order", list(itertools.permutations("abcd"))[::5])
@pytest.mark.parametrize("form", ["records", "columns", "labelled", "split", "index", "csv"])
def test_B77_columns_are_found_by_name_in_every_order(order: tuple[str, ...], form: str) -> None:
    values = {"a": 1, "b": 2, "c": 3, "d": 4}
    body, kind = shapes(
        list(order), [[values[name] for name in order], [10 * values[name] for name in order]]
    )[form]
    orient = {"index": "index"}.get(form)
    answer = frame(body, kind, columns=["a", "b", "c", "d"], orient=orient)
    assert [row[2] for row in answer.json()] == [[1, 2, 3, 4], [10, 20, 30, 40]]


def test_B77_permutations_in_one_batch_do_not_mix() -> None:
    client = make_client(describe, DataframeInput())
    orders = list(itertools.permutations("abc"))
    requests = []
    for order in orders:
        for body, kind in shapes(list(order), [[ord(name) for name in order]]).values():
            requests.append(Request(body.encode(), {"Content-Type": kind}))
    together = send_all(client, requests)
    alone = [send_all(client, [request])[0] for request in requests]
    assert [a.content for a in together] == [a.content for a in alone]
    for answer in together:
        assert answer.status_code == 200


@pytest.mark.parametrize("form", ["records", "columns", "split", "csv"])
def test_B76_missing_column_is_named(form: str) -> None:
    body, kind = shapes(["a", "c"], [[1, 2]])[form]
    answer = frame(body, kind, columns=["a", "b", "c"])
    assert answer.status_code == 400
    assert "missing column 'b'" in answer.text
    assert answer.text.startswith("DataframeInput Wrong input format")


@pytest.mark.parametrize("form", ["records", "columns", "split", "csv"])
def test_B76_extra_columns_are_dropped_when_columns_are_declared(form: str) -> None:
    body, kind = shapes(["x", "a", "y", "b"], [[9, 1, 9, 2]])[form]
    assert frame(body, kind, columns=["a", "b"]).json()[0][2] == [1, 2]
    assert frame(body, kind).json()[0][0] == ["x", "a", "y", "b"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("a,b,a\n1,2,3\n", "text/csv"),
        ('{"columns":["a","a"],"index":[0],"data":[[1,2]]}', "application/json"),
    ],
)
def test_B76_duplicate_columns(body: str, kind: str) -> None:
    answer = frame(body, kind)
    assert answer.status_code == 400
    assert "duplicate column 'a'" in answer.text


@pytest.mark.parametrize(
    "body",
    [
        [[1, 2], [3]],
        [{"a": 1}, {"b": 2}],
        [{"a": 1, "b": 2}, {"a": 1}],
        {"columns": ["a", "b"], "index": [0], "data": [[1]]},
        {"a": [1, 2], "b": [1]},
        {"a": {"0": 1}, "b": {"1": 1}},
        {"a": [1], "b": {"0": 1}},
        [[1], {"a": 1}],
        [1, 2],
        5,
        "x",
        None,
    ],
)
def test_B78_tables_that_are_none(body: Any) -> None:
    assert frame(body).status_code == 400


@pytest.mark.parametrize("body", [[], {}, [{}], [[]], {"a": []}, {"columns": [], "index": [], "data": []}])
def test_B79_empty_json_tables(body: Any) -> None:
    assert frame(body).status_code == 400


@pytest.mark.parametrize("text", ["", "a,b", "a,b\n", "\n\n\n", "a,b\n\n\n"])
def test_B79_empty_csv_tables(text: str) -> None:
    assert csv(text).status_code == 400


def test_B80_declared_types() -> None:
    client = make_client(
        describe, DataframeInput(dtype={"a": "float64", "b": "int64", "c": "str", "d": "bool"})
    )

    def ask(**cells: Any) -> Any:
        row = {"a": 1.5, "b": 2, "c": "x", "d": True, **cells}
        return send(client, json.dumps([row]).encode())

    good = {
        "a": [1, "2.5", None, ""],
        "b": ["7", 3.0, True],
        "c": [5, None, "007"],
        "d": ["true", 0, "False"],
    }
    for name, values in good.items():
        for value in values:
            assert ask(**{name: value}).status_code == 200, (name, value)
    bad = {"a": ["x", [1], "1_0"], "b": ["x", 1.5, None, 2**63, [1]], "d": ["maybe", None, 7]}
    for name, values in bad.items():
        for value in values:
            answer = ask(**{name: value})
            assert (answer.status_code, f"column '{name}'" in answer.text) == (400, True), (name, value)
    assert send(client, b'[{"a": 1e400, "b": 1, "c": "", "d": true}]').status_code == 400


def test_B80_a_wrong_value_fails_alone() -> None:
    client = make_client(describe, DataframeInput(dtype={"a": "int8"}))
    answers = send_all(client, [Request.build(json=[{"a": value}]) for value in (1, 300, 2, "x", 3, -129)])
    assert [a.status_code for a in answers] == [200, 400, 200, 400, 200, 400]
    assert "300 is not a valid int8" in answers[1].text


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('a,b\n"x\ny",1\n', [["x\ny", 1]]),
        ('a,b\r\n"x\r\ny",1\r\n', [["x\r\ny", 1]]),
        ('a,b\n"say ""hi""",1\n', [['say "hi"', 1]]),
        ("\ufeffa,b\n1,2\n", [[1, 2]]),
        ("a,b\n1,\n,y\n", [[1.0, None], [None, "y"]]),
        ("a;b\n1;2\n", [["1;2"]]),
        ("a\tb\n1\t2\n", [["1\t2"]]),
        ("a,b\n1,2", [[1, 2]]),
        ("a\n\n1\n\n2\n", [[1], [2]]),
        ("a,b\nTrue,x\nfalse,y\n", [[True, "x"], [False, "y"]]),
        ("a,b\n1.5,NA\n2,3\n", [[1.5, None], [2.0, 3.0]]),
        ("a,b\n1_000,١\n2_0,2\n", [["1_000", "١"], ["2_0", "2"]]),
        ("a\n9223372036854775807\n", [[2**63 - 1]]),
        ("a\n9223372036854775808\n", [[2**63]]),
    ],
)
def test_B81_csv(text: str, rows: list[list[Any]]) -> None:
    assert [row[2] for row in csv(text).json()] == rows


@pytest.mark.parametrize("text", ['a,b\n"x,1\n', 'a,b\n"x"y,1\n', "a,b\n1,2,3\n", "a,b\n1\n"])
def test_B81_broken_csv_fails_alone(text: str) -> None:
    client = make_client(describe, DataframeInput())
    kind = {"Content-Type": "text/csv"}
    requests = [Request(b"a,b\n1,2\n", kind), Request(text.encode(), kind), Request(b"a,b\n3,4\n", kind)]
    answers = send_all(client, requests)
    assert [a.status_code for a in answers] == [200, 400, 200]
    assert [a.json()[0][2] for a in answers[::2]] == [[1, 2], [3, 4]]


def test_B82_limits_on_rows_and_columns() -> None:
    limits = DecodeLimits(table_rows=10, table_columns=5)
    client = make_client(describe, DataframeInput(), limits=limits)
    for rows, columns, status in ((10, 5, 200), (11, 5, 413), (10, 6, 413)):
        assert send(client, json.dumps([[0] * columns] * rows).encode()).status_code == status
    assert frame(json.dumps([[0] * 100_000])).status_code == 413


@pytest.mark.parametrize("cell", ["=cmd()", "@SUM", "<script>alert(1)</script>"])
def test_B83_cells_are_unchanged_text(cell: str) -> None:
    assert frame([{"a": cell}]).json()[0][2] == [cell]
    assert csv(f"a\n{cell}\n").json()[0][2] == [cell]


def test_answers_do_not_depend_on_neighbours() -> None:
    client = make_client(describe, DataframeInput())
    cells: list[Any] = [1, 1.5, None, True, "x", "1", [1], 2**70]
    requests = [Request.build(data=json.dumps([{"v": cell, "w": 0}])) for cell in cells * 3]
    together = [a.json() for a in send_all(client, requests)]
    assert together == [send_all(client, [request])[0].json() for request in requests]
    kinds = [answer[0][1][0] for answer in together]
    assert kinds == ["i", "f", "f", "b", "O", "O", "O", "O"] * 3


def test_equal_tables_share_one_call() -> None:
    calls: list[int] = []

    def record(self: Any, df: Any) -> Any:
        calls.append(len(df))
        return list(range(len(df)))

    client = make_client(record, DataframeInput())
    answers = send_all(client, [Request.build(json=[[1.5, 2.5]] * n) for n in (1, 2, 3)])
    assert calls == [6]
    assert [a.json() for a in answers] == [[0], [1, 2], [3, 4, 5]]


def test_a_category_is_never_shared() -> None:
    def codes(self: Any, df: Any) -> Any:
        return df["a"].cat.codes.tolist()

    client = make_client(codes, DataframeInput(dtype={"a": "category"}))
    answers = send_all(client, [Request.build(json=[{"a": name}]) for name in ("z", "a", "m")])
    assert [a.json() for a in answers] == [[0], [0], [0]]


@pytest.mark.parametrize(
    ("dtype", "value", "kind"),
    [
        ("float32", 1, "f"),
        ("datetime64[ns]", "2021-09-26", "M"),
        ("Int64", None, "i"),
        ("object", 1, "O"),
        (int, 3, "i"),
    ],
)
def test_declared_types_of_many_kinds(dtype: Any, value: Any, kind: str) -> None:
    def kinds(self: Any, df: Any) -> Any:
        return [df.dtypes.iloc[0].kind] * len(df)

    client = make_client(kinds, DataframeInput(dtype={"a": dtype}))
    answers = send_all(client, [Request.build(json=[{"a": value}])] * 2)
    assert [a.json() for a in answers] == [[kind], [kind]]


def test_types_by_position_and_for_all() -> None:
    assert frame([[1, 2]], dtype=["float64", "int32"]).json()[0][1] == ["f", "i"]
    assert frame([[1, 2]], dtype="float32").json()[0][1] == ["f", "f"]
    assert frame([[1, 2]], columns=["a", "b"], dtype=["float64", "int8"]).json()[0][:2] == [
        ["a", "b"],
        ["f", "i"],
    ]
    assert frame([[1, 2]], input_dtypes={"0": "str"}).json()[0][1] == ["i", "i"]


def test_text_columns_of_csv_keep_their_zeros() -> None:
    assert csv("zip,n\n007,007\n", dtype={"zip": "str"}).json()[0][2] == ["007", 7]


@pytest.mark.parametrize("orient", ["records", "columns", "values", "split", "index"])
def test_a_declared_orient_is_kept(orient: str) -> None:
    bodies = {
        name: body
        for name, (body, kind) in shapes(["a", "b"], [[1, 2], [3, 4]]).items()
        if kind != "text/csv"
    }
    bodies["values"] = "[[1, 2], [3, 4]]"
    assert [row[2] for row in frame(bodies[orient], orient=orient).json()] == [[1, 2], [3, 4]]
    wrong = "records" if orient != "records" else "values"
    assert frame(bodies[wrong], orient=orient).status_code == 400


def test_multipart_csv_is_known_by_type_or_name() -> None:
    client = make_client(describe, DataframeInput())
    for file in (("t.csv", "a\n1\n", "text/csv"), ("t.csv", "a\n1\n", "application/octet-stream")):
        assert client.post("/predict", files={"f": file}).json()[0][2] == [1]
    assert client.post("/predict", files={"f": ("t.json", "[[1]]", "application/json")}).json()[0][2] == [1]


def test_wrong_declarations() -> None:
    with pytest.raises(AssertionError, match="orient"):
        DataframeInput(orient="table")
    with pytest.raises(AssertionError, match="dtype must match columns"):
        DataframeInput(columns=["a"], dtype={"b": "int"})
    with pytest.raises(NotImplementedError, match="frame"):
        DataframeInput(typ="series")


def test_config_and_schema() -> None:
    adapter = DataframeInput(orient="records", dtype={"a": "float64", "b": str, "c": "bool", "d": "int32"})
    assert adapter.config == {
        "orient": "records",
        "typ": "frame",
        "dtype": {"a": "float64", "b": "str", "c": "bool", "d": "int32"},
    }
    properties = adapter.request_schema["application/json"]["schema"]["items"]["properties"]
    assert {k: v["type"] for k, v in properties.items()} == {
        "a": "number", "b": "string", "c": "boolean", "d": "integer",
    }  # fmt: skip
    assert set(adapter.request_schema) == {
        *("application/json", "text/csv", "multipart/form-data"),
        *("application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"),
    }
    assert adapter.pip_dependencies == ["pandas"]


CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(-1e6, 1e6)
    | st.text('aé1"\n,', max_size=4)
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.integers(1, 3).flatmap(
            lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=3)
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_batch_gives_what_each_request_gives_alone(tables: list[list[list[Any]]]) -> None:
    client = make_client(describe, DataframeInput())
    requests = [Request.build(data=json.dumps(table)) for table in tables]
    together = [(a.status_code, a.content) for a in send_all(client, requests)]
    assert together == [(a.status_code, a.content) for a in (send_all(client, [r])[0] for r in requests)]
    assert {status for status, _ in together} == {200}


@given(st.lists(st.text('0123456789.,-+eE[]"_ naNtrue', max_size=6), min_size=1, max_size=5))
def test_columns_of_csv_are_read_alike_by_both_ways(cells: list[str]) -> None:
    from bentoml.adapters.csv_table import typed

    fast, careful = typed(cells, strict=True, exact=False), typed(cells, strict=True, exact=True)
    assert list(map(str, fast)) == list(map(str, careful)) or [float(value) for value in fast] == [
        float(value) for value in careful
    ]
