"""`Accept`: which form of an answer a client gets."""

from __future__ import annotations

from typing import Any

import pytest
from contracts.probe import make_client
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import DataframeOutput, DefaultOutput, JsonInput, JsonOutput
from bentoml.adapters.negotiation import preferred
from bentoml.testing import Request

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
OFFERED = (JSON, CSV, PARQUET)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV", CSV),
        ("text/*", CSV),
        ("text/csv;q=0.4, application/json;q=0.5", JSON),
        ("text/csv, */*;q=0.1", CSV),
        ("application/json;q=0, */*", CSV),
        ("text/csv;q=0, */*", JSON),
        ("application/*", JSON),
        ("application/parquet", PARQUET),
        ("application/json, text/plain, */*", JSON),  # axios
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", JSON),  # a browser
        ("image/png", JSON),
        ("text/csv;q=nan", JSON),
        ("text/csv;q=7", JSON),
        ("text/csv ; charset=utf-8 ; q=0.9", CSV),
        ("a" * 5000, JSON),
        (",".join(["x/y"] * 50) + ",text/csv", JSON),  # only so many ranges are read
    ],
)
def test_B59_what_a_header_gets(accept: str, form: str) -> None:
    assert preferred(accept, OFFERED) == form


@given(st.text(st.sampled_from("ab/*,;=q.10 \t"), max_size=60) | st.text(max_size=60))
def test_any_header_gets_one_of_the_forms(accept: str) -> None:
    assert preferred(accept, OFFERED) in OFFERED


class TestThroughThePipeline:
    pandas = pytest.importorskip("pandas")

    @staticmethod
    def frame(service: Any, values: Any) -> Any:
        return TestThroughThePipeline.pandas.DataFrame({"n": values})

    def test_items_of_one_batch_get_different_forms(self) -> None:
        client = make_client(self.frame, JsonInput(), output=DataframeOutput())
        requests = [
            Request.build(json=i + 1, headers={"Accept": accept})
            for i, accept in enumerate([CSV, JSON, "", CSV, "application/parquet"])
        ]
        answers = client.send_many("/predict", requests)
        assert [a.headers.content_type for a in answers] == [CSV, JSON, JSON, CSV, PARQUET]
        assert [a.text for a in answers[:4]] == ["n\r\n1\r\n", '[{"n":2}]', '[{"n":3}]', "n\r\n4\r\n"]

    def test_the_default_output_negotiates_tables_only(self) -> None:
        table = make_client(self.frame, JsonInput(), output=DefaultOutput())
        value = make_client(lambda s, values: values, JsonInput(), output=DefaultOutput())
        headers = {"Accept": CSV}
        assert table.post("/predict", json=1, headers=headers).text == "n\r\n1\r\n"
        assert value.post("/predict", json=1, headers=headers).headers["content-type"] == JSON

    def test_a_function_that_takes_tasks_and_single_apis(self) -> None:
        def with_tasks(service: Any, values: Any, tasks: Any) -> Any:
            return self.frame(service, values)

        def one(service: Any, value: Any, task: Any) -> Any:
            return self.frame(service, [value])

        for client in (
            make_client(with_tasks, JsonInput(), output=DataframeOutput()),
            make_client(one, JsonInput(), output=DataframeOutput(), batch=False),
        ):
            assert client.post("/predict", json=1, headers={"Accept": CSV}).text == "n\r\n1\r\n"

    def test_encode_of_a_subclass_is_not_passed_by(self) -> None:
        class Mine(DataframeOutput):
            def encode(self, results: Any, rows: Any) -> Any:
                return JsonOutput().encode(["mine"] * len(rows), rows)

        client = make_client(self.frame, JsonInput(), output=Mine())
        assert client.post("/predict", json=1, headers={"Accept": CSV}).json() == "mine"
