"""What every input adapter must do, whatever it reads.

A subclass names the adapter, requests it takes and requests it refuses.
"""

from __future__ import annotations

import base64
import importlib
import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar

import pytest
from contracts.probe import make_client, make_service, send_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bentoml.service.openapi import build_openapi
from bentoml.testing import Request
from bentoml.types import Payload, Reply, RequestHead

any_subclass = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def over_http(port: int, route: str, requests: list[Request]) -> Iterator[tuple[int, str, bytes]]:
    """Status, Content-Type and body of each answer of a real server."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for request in requests:
        connection.request("POST", f"/{route}", request.body, dict(request.headers))
        answer = connection.getresponse()
        yield answer.status, answer.headers["Content-Type"].partition(";")[0], answer.read()
    connection.close()


class InputAdapterContract(ABC):
    """Derive, fill in, and the tests below run for the adapter."""

    MODULE: ClassVar[str]
    CLASS: ClassVar[str]
    FUNCTION: ClassVar[Any]
    """`(self, values)` that returns one JSON-able result per item (row), each made of that item only."""
    SERVED: ClassVar[str]
    """The API of `contracts.served` with this adapter and function."""
    EXAMPLES: ClassVar[list[tuple[dict[str, Any], Any]]] = []
    """Arguments of the adapter, and an example of a JSON body that it then takes."""
    CLI_FLAGS: ClassVar[list[str]] = []
    SINGLE: ClassVar[bool] = True

    @abstractmethod
    def good(self) -> list[Request]:
        """At least 4 different requests."""

    @abstractmethod
    def bad(self) -> list[Request]:
        """Requests answered with 400."""

    def requests(self) -> st.SearchStrategy[Request]:
        """Requests of any content; the listed ones unless a subclass can make more."""
        return st.sampled_from([*self.good(), *self.bad()])

    def adapter(self, **options: Any) -> Any:
        return getattr(importlib.import_module(self.MODULE), self.CLASS)(**options)

    def client(self) -> Any:
        return make_client(type(self).FUNCTION, self.adapter())

    def payloads(self, requests: list[Request]) -> list[Payload]:
        return [Payload(r.body, RequestHead.build(r.headers, r.method)) for r in requests]

    def test_one_batch_gives_what_single_requests_give(self) -> None:
        client = self.client()
        requests = self.good() * 3 + self.bad() + self.good()[::-1]
        together = send_all(client, requests)
        alone = [send_all(client, [request])[0] for request in requests]
        assert [(r.status_code, r.content) for r in together] == [(r.status_code, r.content) for r in alone]

    @any_subclass
    @given(data=st.data())
    def test_any_batch_gives_what_single_requests_give(self, data: st.DataObject) -> None:
        requests = data.draw(st.lists(self.requests(), min_size=1, max_size=8))
        client = self.client()
        together = send_all(client, requests)
        alone = [send_all(client, [request])[0] for request in requests]
        assert [(r.status_code, r.content) for r in together] == [(r.status_code, r.content) for r in alone]
        assert {r.status_code for r in together} <= {200, 400, 413, 415}

    @pytest.mark.xdist_group("adapters-http")
    def test_a_real_server_answers_the_same(self, adapter_port: int) -> None:
        requests = [*self.good(), *self.bad()]
        expected = [
            (answer.status_code, answer.headers.content_type, answer.content)
            for answer in send_all(self.client(), requests)
        ]
        assert list(over_http(adapter_port, self.SERVED, requests)) == expected

    def test_p3_one_bad_among_31_good_fails_alone(self) -> None:
        client = self.client()
        good = (self.good() * 31)[:31]
        for bad in self.bad():
            answers = send_all(client, [*good[:13], bad, *good[13:]])
            assert [i for i, answer in enumerate(answers) if answer.status_code != 200] == [13]
            assert answers[13].status_code == 400
            assert answers[13].headers.content_type == "text/plain"
            assert answers[13].text

    def test_decode_many_agrees_with_decode(self) -> None:
        adapter = self.adapter()
        payloads = self.payloads(self.good() + self.bad())
        values = adapter.decode_many(payloads)
        assert [type(v) is Reply for v in values] == [False] * len(self.good()) + [True] * len(self.bad())
        for payload, value in zip(payloads[: len(self.good())], values, strict=False):
            assert repr(type(value)) == repr(type(adapter.decode(payload)))

    def test_nothing_is_called_when_every_item_is_bad(self) -> None:
        calls: list[Any] = []

        def record(self: Any, *values: Any) -> Any:
            calls.append(values)
            return []

        answers = send_all(make_client(record, self.adapter()), self.bad())
        assert {answer.status_code for answer in answers} == {400}
        assert calls == []

    def test_batch_and_single_mode_agree(self) -> None:
        if not self.SINGLE:
            assert not self.adapter().SINGLE_MODE_SUPPORTED
            return
        function = type(self).FUNCTION

        def one(self: Any, value: Any) -> Any:
            return function(self, [value])[0]

        single = make_client(one, self.adapter(), batch=False)
        batch = self.client()
        for request in [*self.good(), *self.bad()]:
            one_answer, batch_answer = send_all(single, [request])[0], send_all(batch, [request])[0]
            assert (one_answer.status_code, one_answer.content) == (
                batch_answer.status_code,
                batch_answer.content,
            )

    def test_config_fits_into_yaml(self) -> None:
        config = self.adapter().config
        assert json.loads(json.dumps(config)) == config

    def test_openapi_content_has_a_schema_for_every_type(self) -> None:
        content = self.adapter().openapi_content()
        assert content
        for name, media in content.items():
            assert "/" in name
            assert isinstance(media["schema"], dict)
        json.dumps(content)

    def test_the_openapi_document_is_valid_and_fits_its_examples(self) -> None:
        from openapi_schema_validator import OAS30Validator
        from openapi_spec_validator import validate

        for options, example in [({}, None), *self.EXAMPLES]:
            adapter = self.adapter(**options, http_input_example=example)
            for service in (make_service(type(self).FUNCTION, adapter), self.with_example(options, example)):
                document = build_openapi(service)
                validate(document)
                operation = document["paths"]["/predict"]["post"]
                for media in operation["requestBody"]["content"].values():
                    if "example" in media:
                        OAS30Validator(media["schema"]).validate(media["example"])
                if example is not None:
                    shown = operation["requestBody"]["content"]["application/json"]["example"]
                    assert shown == example
                    api = service.inference_apis[0]
                    client = make_client(type(self).FUNCTION, api.input_adapter)
                    assert client.post("/predict", json=shown).status_code == 200

    def with_example(self, options: dict[str, Any], example: Any) -> Any:
        return make_service(type(self).FUNCTION, self.adapter(**options), example=example)

    def test_openapi_schema_can_be_replaced(self) -> None:
        schema = {"application/json": {"type": "array", "items": {"type": "number"}}}
        content = self.adapter(request_schema=schema).openapi_content()
        assert content == {"application/json": {"schema": schema["application/json"]}}

    def item_files(self, folder: Path) -> list[tuple[Path, Request]]:
        """A file for each good request whose header fields matter to nobody."""
        found = []
        for i, request in enumerate(self.good()):
            if any(word in str(request.headers) for word in ("multipart", "gzip", "charset", "entoml-")):
                continue  # a file has no header fields
            path = folder / f"item{i}{self.ending(request)}"
            path.write_bytes(request.body)
            found.append((path, request))
        assert len(found) >= 2
        return found

    def test_cli_gives_what_http_gives(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from bentoml.inference.cli_run import run_cli

        api = make_service(type(self).FUNCTION, self.adapter()).inference_apis[0]
        files = self.item_files(tmp_path)
        assert run_cli(api, ["--input-file", *(str(path) for path, _ in files), *self.CLI_FLAGS]) == 0
        lines = capsys.readouterr().out.splitlines()
        answers = send_all(self.client(), [request for _, request in files])
        assert [json.loads(line) for line in lines] == [answer.json() for answer in answers]

    def offline_inputs(self, folder: Path) -> Iterator[tuple[Any, str | None, list[Request]]]:
        """Inputs of offline runs with their format, None to tell it by the name, and the same as requests."""
        files = self.item_files(folder)
        yield [str(path) for path, _ in files], "files", [request for _, request in files]

    def results_of(self, answers: list[Any]) -> list[Any]:
        """One result per row of an offline run, from the answers to its requests."""
        return [answer.json() for answer in answers]

    def test_an_offline_run_gives_what_http_gives(self, tmp_path: Path) -> None:
        from bentoml import offline

        service = make_service(type(self).FUNCTION, self.adapter())
        for source, kind, requests in self.offline_inputs(tmp_path):
            out = tmp_path / "out.jsonl"
            done = offline.run(service, "predict", source, str(out), source_format=kind, progress=False)
            answers = send_all(self.client(), requests)
            assert {answer.status_code for answer in answers} == {200}
            found = [json.loads(line)["prediction"] for line in out.read_text("utf-8").splitlines()]
            assert found == self.results_of(answers), source
            assert (done.rows, done.failed) == (len(found), 0)

    def ending(self, request: Request) -> str:
        return ".bin"

    def test_cli_exit_codes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from bentoml.inference.cli_run import run_cli

        api = make_service(type(self).FUNCTION, self.adapter()).inference_apis[0]
        assert run_cli(api, []) == 2
        assert run_cli(api, ["--input", "1", "--input-file", "x"]) == 2
        assert run_cli(api, ["--input", "1", "--no-such-flag"]) == 2
        assert run_cli(api, ["--input-file", str(tmp_path / "missing")]) == 1
        bad = tmp_path / f"bad{self.ending(self.bad()[0])}"
        bad.write_bytes(self.bad()[0].body)
        capsys.readouterr()
        assert run_cli(api, ["--input-file", str(bad)]) == 1
        assert capsys.readouterr().out.strip()

    def test_lambda_gives_what_http_gives(self) -> None:
        service = make_service(type(self).FUNCTION, self.adapter())
        api = service.inference_apis[0]
        for request in [*self.good(), *self.bad()]:
            event = {
                "headers": dict(request.headers),
                "body": base64.b64encode(request.body).decode(),
                "isBase64Encoded": True,
            }
            answer = api.handle_aws_lambda_event(event)
            over_http = send_all(self.client(), [request])[0]
            assert answer["statusCode"] == over_http.status_code
            assert answer["body"] == over_http.text
            assert answer["headers"]["Access-Control-Allow-Origin"] == "*"

    def test_lambda_needs_an_http_event(self) -> None:
        api = make_service(type(self).FUNCTION, self.adapter()).inference_apis[0]
        for event in ({}, {"body": "x"}, [], None):
            with pytest.raises(RuntimeError, match="HTTP"):
                api.handle_aws_lambda_event(event)

    def test_import_reads_the_standard_library_only(self) -> None:
        probe = (
            f"import sys, {self.MODULE} as m; m.{self.CLASS}();"
            "print([n for n in ('numpy', 'pandas', 'orjson', 'PIL', 'yaml') if n in sys.modules])"
        )
        found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "[]"
