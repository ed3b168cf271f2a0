"""`bentoml run`: one line per result, exit codes, chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.probe import echo, make_service

from bentoml.adapters import DataframeInput, FileInput, JsonInput, MultiFileInput, StringInput
from bentoml.inference.cli_run import run_cli


def run(adapter: Any, *argv: str, func: Any = echo, **options: Any) -> int:
    return run_cli(make_service(func, adapter, **options).inference_apis[0], list(argv))


def test_json_results_have_the_spaces_users_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(JsonInput(), "--input", '{"a":[0,2]}', '"zwei ä"', "12345678901234567890123") == 0
    assert capsys.readouterr().out == '{"a": [0, 2]}\n"zwei ä"\n12345678901234567890123\n'


def test_output_str_prints_the_value_as_python_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(JsonInput(), "--input", '{"a": null}', '"zwei ä"', "-o", "str") == 0
    assert capsys.readouterr().out == "{'a': None}\nzwei ä\n"


def test_one_bad_item_prints_its_error_and_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(JsonInput(), "--input", "1", "{bad", "3") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1"
    assert lines[1].startswith("Not a valid JSON format")
    assert lines[2] == "3"


def test_chunks(capsys: pytest.CaptureFixture[str]) -> None:
    sizes: list[int] = []

    def record(self: Any, values: Any) -> Any:
        sizes.append(len(values))
        return values

    assert run(JsonInput(), "--input", "1", "2", "3", "--max-batch-size", "2", func=record) == 0
    assert sizes == [2, 1]
    assert run(JsonInput(), "--input", "1", "2", "3", func=record) == 0
    assert sizes[2:] == [3]
    assert run(JsonInput(), "--input", "1", "--max-batch-size", "0") == 2


def test_csv_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3,4\n")

    def total(self: Any, df: Any) -> Any:
        return df.sum(axis=1).to_numpy()

    assert run(DataframeInput(), "--input-file", str(tmp_path / "x.csv"), "--format", "csv", func=total) == 0
    assert capsys.readouterr().out == "[3, 7]\n"
    assert run(DataframeInput(), "--input", "[[1, 2]]", func=total) == 0
    assert run(DataframeInput(), "--input", "x", "--format", "xml", func=total) == 2


def test_files_have_their_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def tell(self: Any, files: Any) -> Any:
        return [[f.name, len(f.read())] for f in files]

    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\0")
    assert run(FileInput(), "--input-file", str(tmp_path / "a.bin"), func=tell) == 0
    assert run(FileInput(), "--input", "grün", func=tell) == 0
    assert capsys.readouterr().out == '["a.bin", 3]\n["", 5]\n'


def test_folders_and_globs_are_their_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.txt", "a.txt", "c.bin", "deep/d.txt", ".hidden.txt", "[x].txt"):
        (tmp_path / name).write_text(name)

    def names(self: Any, files: Any) -> Any:
        return [file.name for file in files]

    for given, expected in (
        ("", ["[x].txt", "a.txt", "b.txt", "c.bin", "d.txt"]),
        ("*.txt", ["[x].txt", "a.txt", "b.txt"]),
        ("**/d.*", ["d.txt"]),
        ("[x].txt", ["[x].txt"]),
    ):
        assert run(FileInput(), "--input-file", str(tmp_path / given), func=names) == 0
        assert capsys.readouterr().out.splitlines() == [f'"{name}"' for name in expected]
    (tmp_path / "empty").mkdir()
    for given in ("*.png", "empty", "no.txt"):
        assert run(FileInput(), "--input-file", str(tmp_path / given), func=names) == 1
        captured = capsys.readouterr()
        assert captured.out == "" and given in captured.err

    def pairs(self: Any, left: Any, right: Any) -> Any:
        return [[a.name, b.name] for a, b in zip(left, right, strict=True)]

    flags = ["--input-file-left", str(tmp_path / "[ab].txt"), "--input-file-right", str(tmp_path / "*.txt")]
    assert run(MultiFileInput(["left", "right"]), *flags, func=pairs) == 1
    assert "left: 2, right: 3" in capsys.readouterr().err
    assert run(MultiFileInput(["left", "right"]), *flags[:3], flags[1], func=pairs) == 0
    assert capsys.readouterr().out == '["a.txt", "a.txt"]\n["b.txt", "b.txt"]\n'


def test_utf16_text_files_are_read_by_their_mark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.txt").write_text("größe", encoding="utf-16")
    assert run(StringInput(), "--input-file", str(tmp_path / "t.txt")) == 0
    assert capsys.readouterr().out == '"größe"\n'


def test_a_missing_file_is_named_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(JsonInput(), "--input-file", "no-such-file.json") == 1
    assert "no-such-file.json" in capsys.readouterr().err


def test_a_custom_from_cli(capsys: pytest.CaptureFixture[str]) -> None:
    from bentoml.types import InferenceTask

    class Twice(StringInput):
        def from_cli(self, cli_args: Any) -> Any:
            for value in cli_args[cli_args.index("--input") + 1 :]:
                yield InferenceTask(data=value * 2, cli_args=cli_args)

    assert run(Twice(), "--input", "a", "b") == 0
    assert capsys.readouterr().out == '"aa"\n"bb"\n'


def test_handle_cli_of_an_api(capsys: pytest.CaptureFixture[str]) -> None:
    api = make_service(echo, JsonInput(), batch=False).inference_apis[0]
    assert api.handle_cli(["--input", "1"]) == 0
    assert capsys.readouterr().out == "1\n"
