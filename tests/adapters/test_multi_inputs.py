"""Forms with several files: which field is wrong, text fields, optional files, the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from contracts.probe import make_client, make_service, send, send_all
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import AnnotatedImageInput, MultiFileInput, MultiImageInput
from bentoml.adapters.form_writer import build_form
from bentoml.adapters.limits import DEFAULT_LIMITS, DecodeLimits
from bentoml.adapters.multipart import Part, parse_form
from bentoml.exceptions import InvalidArgument
from bentoml.inference.cli_run import run_cli
from bentoml.testing import Request
from bentoml.types import FileLike, InferenceTask

Image = pytest.importorskip("PIL.Image")


def texts_of(self: Any, *columns: Any) -> Any:
    def shown(value: Any) -> Any:
        return value.read().decode() if isinstance(value, FileLike) else value

    return [[shown(value) for value in row] for row in zip(*columns, strict=True)]


def png(colour: int = 0) -> bytes:
    out = io.BytesIO()
    Image.new("L", (2, 2), colour).save(out, "PNG")
    return out.getvalue()


def two(**options: Any) -> Any:
    return make_client(texts_of, MultiFileInput(["a", "b"], **options))


@pytest.mark.parametrize(
    ("files", "texts", "field"),
    [
        ({"a": ("a", b"1")}, {}, "'b'"),
        ({"a": ("a", b"1"), "c": ("c", b"1")}, {}, "'c'"),
        ({"a": ("a", b"1"), "b": ("b", b"1"), "c": ("c", b"1")}, {}, "'c'"),
        ({"a": ("a", b"1")}, {"b": "file:///etc/hostname"}, "'b'"),
        ({"A": ("a", b"1"), "b": ("b", b"1")}, {}, "'A'"),
    ],
)
def test_B69_B62_the_wrong_field_is_named(files: Any, texts: Any, field: str) -> None:
    answer = two().post("/predict", files=files, data=texts)
    assert (answer.status_code, field in answer.text) == (400, True), answer.text


def test_B69_no_part_and_a_field_sent_twice() -> None:
    body, kind = build_form([])
    assert send(two(), body, kind).status_code == 400
    part = Part("a", "a", "", b"1")
    body, kind = build_form([part, part, part._replace(name="b")])
    answer = send(two(), body, kind)
    assert (answer.status_code, "'a' was sent twice" in answer.text) == (400, True)


def test_B70_a_file_name_is_text() -> None:
    client = make_client(lambda self, files: [f.name for f in files], MultiFileInput(["a"]))
    for name in ("../../x", "/abs", "C:\\x", "\u202ecod.exe", "con.jpg", "x" * 4096):
        body, kind = build_form([Part("a", name, "", b"1")])
        assert send(client, body, kind).json() == name


def test_missing_files_are_none_where_allowed() -> None:
    client = two(allow_none=True)
    assert client.post("/predict", files={"b": ("b", b"2")}).json() == [None, "2"]
    answer = client.post("/predict", files={"c": ("c", b"2")})
    assert (answer.status_code, "'c'" in answer.text) == (400, True)
    nothing_chosen, kind = build_form(
        [Part("a", "", "application/octet-stream", b""), Part("b", "f", "", b"2")]
    )
    assert send(client, nothing_chosen, kind).json() == [None, "2"]
    all_empty, kind = build_form([Part("a", "", "", b"")])
    assert send(client, all_empty, kind).status_code == 400


def test_text_fields_follow_the_files() -> None:
    client = two(text_fields=["note"])
    files = {"a": ("a", b"1"), "b": ("b", b"2")}
    assert client.post("/predict", files=files, data={"note": "grün"}).json() == ["1", "2", "grün"]
    missing = client.post("/predict", files=files)
    assert (missing.status_code, "'note'" in missing.text) == (400, True)
    as_file = client.post("/predict", files={**files, "note": ("n", b"x")})
    assert (as_file.status_code, "'note' must be text" in as_file.text) == (400, True)
    body, kind = build_form(
        [Part("a", "a", "", b"1"), Part("b", "b", "", b"2"), Part("note", None, "", b"\xff")]
    )
    assert send(client, body, kind).status_code == 400


def test_text_fields_with_defaults() -> None:
    client = two(text_fields={"size": "10", "note": None})
    files = {"a": ("a", b"1"), "b": ("b", b"2")}
    assert client.post("/predict", files=files).json() == ["1", "2", "10", None]
    assert client.post("/predict", files=files, data={"note": "n"}).json() == ["1", "2", "10", "n"]
    schema = MultiFileInput(["a"], text_fields={"size": "10"}).openapi_content()["multipart/form-data"][
        "schema"
    ]
    assert schema["properties"]["size"] == {"type": "string", "default": "10"}
    assert schema["required"] == ["a"]


def test_text_fields_of_images_and_annotations() -> None:
    def shapes(self: Any, *columns: Any) -> Any:
        return [[list(row[0].shape), *row[1:]] for row in zip(*columns, strict=True)]

    image = {"image": ("a.png", png())}
    client = make_client(shapes, MultiImageInput(pilmode="L", text_fields=["who"]))
    assert client.post("/predict", files=image, data={"who": "me"}).json() == [[2, 2], "me"]
    client = make_client(shapes, AnnotatedImageInput(text_fields={"who": None}))
    found = client.post("/predict", files=image, data={"annotations": "[1]"})
    assert found.json() == [[2, 2, 3], [1], None]


@pytest.mark.parametrize(
    ("names", "texts"), [("ab", ()), ([], ()), (["a", "a"], ()), (["a"], ["a"]), ([1], ()), (["a"], "note")]
)
def test_names_that_cannot_be_fields(names: Any, texts: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"field"):
        MultiFileInput(names, text_fields=texts)


def test_a_function_with_too_few_arguments_is_refused_when_it_is_declared() -> None:
    with pytest.raises(InvalidArgument, match="2 value"):
        make_service(lambda self, only: [], MultiFileInput(["a"], text_fields=["b"]))


def test_B99_images_missing_extra_misnamed() -> None:
    client = make_client(lambda self, a, b: [1] * len(a), MultiImageInput(["a", "b"]))
    first, second = ("a.png", png()), ("b.png", png())
    for files, field in (
        ({"a": first}, "'b'"),
        ({"a": first, "b": second, "c": second}, "'c'"),
        ({"b": first, "B": second}, "'B'"),
        ({"a": first, "b": ("b.png", b"not an image")}, "'b'"),
        ({"a": ("a.pdf", png()), "b": second}, "'a'"),
    ):
        answer = client.post("/predict", files=files)
        assert (answer.status_code, field in answer.text) == (400, True), answer.text


def test_B87_the_limit_of_pixels_holds_in_forms() -> None:
    limits = DecodeLimits(image_pixels=3)
    client = make_client(lambda self, image: [1], MultiImageInput(), limits=limits)
    answer = client.post("/predict", files={"image": ("a.png", png())})
    assert (answer.status_code, "'image'" in answer.text) == (413, True)


def test_annotations_must_be_json() -> None:
    client = make_client(lambda self, images, notes: list(notes), AnnotatedImageInput())
    for text, reason in ((b"{bad", "invalid JSON file"), (b'"\xff"', "unicode"), (b"[" * 200, "JSON")):
        answer = client.post("/predict", files={"image": ("a.png", png()), "annotations": ("n", text)})
        assert (answer.status_code, reason in answer.text) == (400, True)
    other = make_client(lambda self, images, notes: list(notes), AnnotatedImageInput("photo", "tags"))
    assert other.post("/predict", files={"photo": ("a.png", png()), "tags": ("t", b"1")}).json() == 1


def test_cli_values_files_and_mixtures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api = make_service(texts_of, MultiFileInput(["a", "b_c"], text_fields={"note": "-"})).inference_apis[0]
    assert run_cli(api, ["--input-a", "1", "2", "--input-b-c", "3", "4", "--max-batch-size", "1"]) == 0
    assert capsys.readouterr().out == '["1", "3", "-"]\n["2", "4", "-"]\n'
    path = tmp_path / "x"
    path.write_text("from file")
    assert (
        run_cli(api, ["--input-file-a", str(path), "--input-file-b-c", str(path), "--input-note", "n"]) == 0
    )
    assert json.loads(capsys.readouterr().out) == ["from file", "from file", "n"]
    for wrong in (
        ["--input-a", "1", "--input-file-b-c", str(path)],
        ["--input-a", "1"],
        ["--input-a", "1", "--input-b-c", "1", "2"],
        ["--input-a", "1", "--input-file-a", str(path), "--input-b-c", "1"],
    ):
        assert run_cli(api, wrong) == 1
        captured = capsys.readouterr()
        assert (captured.out, bool(captured.err)) == ("", True)


def test_cli_flags_of_two_fields_that_would_be_one() -> None:
    api = make_service(texts_of, MultiFileInput(["a", "file_a"], allow_none=True)).inference_apis[0]
    assert run_cli(api, ["--input-a", "1"]) == 0


def test_tasks_carry_the_files() -> None:
    def names(self: Any, a: Any, b: Any, tasks: Any) -> Any:
        return [[file.name for file in task.data] for task in tasks]

    client = make_client(names, MultiFileInput(["a", "b"]))
    answers = send_all(
        client, [Request.build(files={"a": (f"{i}", b""), "b": ("n", b"1")}) for i in range(3)]
    )
    assert [answer.json() for answer in answers] == [[str(i), "n"] for i in range(3)]


def test_infer_from_python() -> None:
    api = make_service(texts_of, MultiFileInput(["a", "b"])).inference_apis[0]
    files = [(FileLike(bytes_=b"1"), FileLike(bytes_=b"2")), (FileLike(bytes_=b"3"), FileLike(bytes_=b"4"))]
    results = api.infer(api.input_adapter.from_inference_job(files))
    assert [result.data for result in results] == ['["1","2"]', '["3","4"]']
    adapter = MultiFileInput(["a", "b"])
    assert adapter.extract_user_func_args([]) == ((), ())
    args = adapter.extract_user_func_args([InferenceTask(data=pair) for pair in files])
    assert [one.bytes_ for one in next(iter(adapter.iter_batch_args(args, [])))] == [b"1", b"2"]


def test_lambda_takes_plain_and_base64_bodies() -> None:
    api = make_service(texts_of, MultiFileInput(["a"])).inference_apis[0]
    body, kind = build_form([Part("a", "n", "", b"text")])
    event = {"headers": {"content-type": kind}, "body": body.decode()}
    assert api.handle_aws_lambda_event(event)["body"] == '["text"]'
    assert api.handle_aws_lambda_event({**event, "body": body})["body"] == '["text"]'


@given(
    st.lists(
        st.builds(
            Part,
            st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20),
            st.one_of(
                st.none(), st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
            ),
            st.sampled_from(["", "image/png", "text/plain; charset=utf-8"]),
            st.binary(max_size=200),
        ),
        max_size=5,
    )
)
def test_a_written_form_is_read_back(parts: list[Part]) -> None:
    body, kind = build_form([*parts, Part("last", None, "", b"")])
    assert parse_form(body, kind, DEFAULT_LIMITS)[:-1] == parts
