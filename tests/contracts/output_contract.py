"""What every output adapter must do: one reply per item, one bad result costs one item.

A subclass names the adapter, results it writes and results it cannot write.
"""

from __future__ import annotations

import base64
import importlib
import json
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import pytest
from contracts.adapter_contract import any_subclass, over_http
from contracts.probe import make_client, make_service, send_all
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import JsonInput
from bentoml.exceptions import APIDeprecated
from bentoml.service.openapi import build_openapi
from bentoml.testing import Request, Response

ACCEPTS = ("", "*/*", "image/png;q=0.1, */*;q=0.01", "nonsense", "text/html, */*;q=0.8")


class OutputAdapterContract(ABC):
    """Derive, fill in, and the tests below run for the adapter."""

    MODULE: ClassVar[str]
    CLASS: ClassVar[str]
    SERVED: ClassVar[str]
    """The API of `contracts.served` with this output."""
    FORMS: ClassVar[tuple[str, ...]]
    """Content types it can answer with, the default one first."""

    @abstractmethod
    def results(self) -> list[Any]:
        """At least 3 results that it writes."""

    @abstractmethod
    def unwritable(self) -> list[Any]:
        """Results that end in an error of that item."""

    @abstractmethod
    def value_of(self, kind: str, body: bytes) -> Any:
        """What a body in one form says."""

    @abstractmethod
    def served_requests(self) -> list[Request]:
        """Requests for the API of the real server."""

    def adapter(self, **options: Any) -> Any:
        return getattr(importlib.import_module(self.MODULE), self.CLASS)(**options)

    def joined(self, results: list[Any]) -> Any:
        """What a function in batch mode returns for several items."""
        return results

    def client(self, *, batch: bool = True, adapter: Any = None) -> Any:
        known = [*self.results(), *self.unwritable()]

        def many(service: Any, places: Any) -> Any:
            return self.joined([known[place] for place in places])

        def one(service: Any, place: Any) -> Any:
            return known[place]

        return make_client(many if batch else one, JsonInput(), output=adapter or self.adapter(), batch=batch)

    def ask(self, client: Any, *asked: tuple[int, str]) -> list[Response]:
        """Answers for results, each with an `Accept` header or none."""
        requests = [
            Request.build(json=place, headers={"Accept": accept} if accept else {})
            if place
            else Request.build(data="0", headers={"Accept": accept} if accept else {})
            for place, accept in asked
        ]
        return send_all(client, requests)

    def test_each_result_in_each_form(self) -> None:
        client = self.client()
        for form in self.FORMS:
            for place, answer in enumerate(
                self.ask(client, *((i, form) for i in range(len(self.results()))))
            ):
                assert (answer.status_code, answer.headers.content_type) == (200, form)
                first = self.ask(client, (place, ""))[0]
                assert self.value_of(form, answer.content) == self.value_of(self.FORMS[0], first.content)

    @any_subclass
    @given(data=st.data())
    def test_any_batch_gives_what_single_requests_give(self, data: st.DataObject) -> None:
        accept = st.sampled_from([*ACCEPTS, *self.FORMS])
        place = st.integers(0, len(self.results()) + len(self.unwritable()) - 1)
        asked = data.draw(st.lists(st.tuples(place, accept), min_size=1, max_size=8))
        client = self.client()
        together = self.ask(client, *asked)
        for batch in (True, False):
            alone = [self.ask(self.client(batch=batch), item)[0] for item in asked]
            assert [self.shown(answer) for answer in together] == [self.shown(answer) for answer in alone]

    def shown(self, answer: Response) -> Any:
        kind = answer.headers.content_type
        text = re.sub(r"0x[0-9a-f]+", "0x", answer.text) if not answer.ok else ""
        return answer.status_code, kind, answer.content if answer.ok else text

    def test_p3_one_unwritable_result_fails_alone(self) -> None:
        good = len(self.results())
        for bad in range(good, good + len(self.unwritable())):
            for form in self.FORMS:
                answers = self.ask(self.client(), (0, form), (bad, form), (1, form))
                assert [a.status_code for a in answers] == [200, 500, 200], (bad, form)
                assert answers[1].headers.content_type == "text/plain" and answers[1].text

    def test_a_header_that_asks_for_nothing_here_gets_the_default(self) -> None:
        client = self.client()
        for accept in ("", "*/*", "application/x-nothing", ",;q=", "a" * 9000):
            answer = self.ask(client, (0, accept))[0]
            assert (answer.status_code, answer.headers.content_type) == (200, self.FORMS[0])

    def test_answers_that_depend_on_accept_say_so(self) -> None:
        answer = self.ask(self.client(), (0, self.FORMS[-1]))[0]
        assert (answer.headers.get("vary") == "Accept") == (len(self.FORMS) > 1)

    def test_lambda_gives_what_http_gives(self) -> None:
        known = self.results()
        service = make_service(
            lambda s, p: self.joined([known[i] for i in p]), JsonInput(), output=self.adapter()
        )
        for place in range(len(known)):
            for form in self.FORMS:
                event = {"headers": {"Accept": form}, "body": str(place)}
                answer = service.inference_apis[0].handle_aws_lambda_event(event)
                body = answer["body"].encode()
                if answer.get("isBase64Encoded"):
                    body = base64.b64decode(body)
                over = self.ask(self.client(), (place, form))[0]
                assert (answer["statusCode"], body) == (200, over.content)
                assert answer["headers"]["Content-Type"] == over.headers["content-type"]

    def test_cli_prints_one_line_per_result(self, capsys: pytest.CaptureFixture[str]) -> None:
        from bentoml.inference.cli_run import run_cli

        known = [*self.results(), *self.unwritable()]
        service = make_service(
            lambda s, p: self.joined([known[i] for i in p]), JsonInput(), output=self.adapter()
        )
        good = [str(place) for place in range(len(self.results()))]
        assert run_cli(service.inference_apis[0], ["--input", *good]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(good)
        assert run_cli(service.inference_apis[0], ["--input", "0", str(len(known) - 1)]) == 1
        assert len(capsys.readouterr().out.splitlines()) == 2

    @pytest.mark.xdist_group("adapters-http")
    def test_a_real_server_answers_the_same(self, adapter_port: int) -> None:
        from contracts.served import Served

        from bentoml.testing import Client

        requests = [
            Request(request.body, {**request.headers, "Accept": form})
            for request in self.served_requests()
            for form in (*self.FORMS, "text/html")
        ]
        client = Client(Served())
        expected = [client.send_many(f"/{self.SERVED}", [request])[0] for request in requests]
        assert {answer.status_code for answer in expected} == {200}
        found = list(over_http(adapter_port, self.SERVED, requests))
        assert found == [(a.status_code, a.headers.content_type, a.content) for a in expected]

    def test_the_openapi_document_is_valid_and_names_every_form(self) -> None:
        from openapi_spec_validator import validate

        document = build_openapi(make_service(lambda s, p: p, JsonInput(), output=self.adapter()))
        validate(document)
        content = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]
        assert set(self.FORMS) <= set(content) or "*/*" in content

    def test_config_fits_into_yaml(self) -> None:
        config = self.adapter().config
        assert json.loads(json.dumps(config)) == config

    def test_cors_is_gone(self) -> None:
        with pytest.raises(APIDeprecated, match="cors"):
            self.adapter(cors="*")

    def test_import_reads_the_standard_library_only(self) -> None:
        probe = (
            f"import sys, {self.MODULE} as m; m.{self.CLASS}();"
            "print([n for n in ('numpy', 'pandas', 'orjson', 'PIL', 'pyarrow') if n in sys.modules])"
        )
        found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "[]"
