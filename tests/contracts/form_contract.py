"""The part of the adapter contract that differs where an item is a form with several fields."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from contracts.adapter_contract import InputAdapterContract
from contracts.probe import make_client, make_service, send_all

from bentoml.testing import Request

Item = dict[str, tuple[str, bytes]]


class FormAdapterContract(InputAdapterContract):
    """`FUNCTION` takes one argument per field; the command line has one pair of flags per field."""

    ONE: ClassVar[Any]
    """`(self, *values)`: the result for one item."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "ONE" in cls.__dict__:
            one = cls.__dict__["ONE"]
            cls.FUNCTION = lambda self, *columns: [one(self, *row) for row in zip(*columns, strict=True)]

    @abstractmethod
    def files(self) -> list[Item]:
        """Field → (file name, content) of items that have every field, for the command line."""

    def test_batch_and_single_mode_agree(self) -> None:
        single = make_client(type(self).ONE, self.adapter(), batch=False)
        for request in [*self.good(), *self.bad()]:
            one, many = send_all(single, [request])[0], send_all(self.client(), [request])[0]
            assert (one.status_code, one.content) == (many.status_code, many.content)

    def test_cli_gives_what_http_gives(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from bentoml.inference.cli_run import run_cli

        api = make_service(type(self).FUNCTION, self.adapter()).inference_apis[0]
        assert run_cli(api, self.flags(tmp_path)) == 0
        lines = capsys.readouterr().out.splitlines()
        answers = [self.client().post("/predict", files=item) for item in self.files()]
        assert [json.loads(line) for line in lines] == [answer.json() for answer in answers]

    def flags(self, folder: Path) -> list[str]:
        rows = self.saved(folder)
        return [
            word
            for name in self.files()[0]
            for word in (f"--input-file-{name.replace('_', '-')}", *(row[name] for row in rows))
        ]

    def offline_inputs(self, folder: Path) -> Iterator[tuple[Any, str | None, list[Request]]]:
        """Tables with a column per field: paths, contents, contents with their name."""
        import pandas

        requests = [Request.build(files=item) for item in self.files()]
        paths, named = pandas.DataFrame(self.saved(folder)), pandas.DataFrame(self.named())
        paths["other"] = 1
        paths.to_csv(folder / "in.csv", index=False)
        paths.to_json(folder / "in.jsonl", orient="records", lines=True)
        paths.to_parquet(folder / "in.parquet")
        named.to_parquet(folder / "named.parquet")
        for name in ("in.csv", "in.jsonl", "in.parquet", "named.parquet"):
            yield folder / name, None, requests
        yield paths, None, requests

    def saved(self, folder: Path) -> list[dict[str, str]]:
        """Items as rows of paths."""
        rows = []
        for place, item in enumerate(self.files()):
            (folder / str(place)).mkdir(exist_ok=True)
            for name, content in item.values():
                (folder / str(place) / name).write_bytes(content)
            rows.append({field: str(folder / str(place) / name) for field, (name, _) in item.items()})
        return rows

    def named(self) -> list[dict[str, Any]]:
        """Items as rows of contents with their name."""
        return [
            {
                field: {"bytes": content, "path": f"some/where/{name}"}
                for field, (name, content) in item.items()
            }
            for item in self.files()
        ]

    def test_rows_that_are_no_item_cost_themselves_only(self, tmp_path: Path) -> None:
        from bentoml import offline
        from bentoml.exceptions import InvalidArgument

        service = make_service(type(self).FUNCTION, self.adapter())
        rows: list[Any] = [*self.saved(tmp_path), {}, {field: "gone" for field in self.files()[0]}]
        lines = [*map(json.dumps, rows), "[1]", "{bad"]
        (tmp_path / "in.txt").write_text("\n".join(lines), "utf-8")
        done = offline.run(service, "predict", tmp_path / "in.txt", tmp_path / "out.jsonl", progress=False)
        assert (done.rows, done.failed) == (len(lines), 4)
        assert done.bad_rows is not None
        bad = [json.loads(line) for line in done.bad_rows.read_text("utf-8").splitlines()]
        assert [row["row"] for row in bad] == [len(lines) - left for left in (3, 2, 1, 0)]
        assert "Cannot read input file 'gone'" in bad[1]["reason"]
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "a.bin").write_bytes(b"1")
        with pytest.raises(InvalidArgument, match="a table with a column for each"):
            offline.run(service, "predict", tmp_path / "folder", progress=False)

    def test_cli_exit_codes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from bentoml.inference.cli_run import run_cli

        api = make_service(type(self).FUNCTION, self.adapter()).inference_apis[0]
        flags = self.flags(tmp_path)
        assert run_cli(api, []) == 1
        assert "--input-" in capsys.readouterr().err
        assert run_cli(api, [*flags, "--no-such-flag"]) == 2
        assert run_cli(api, flags[:-1]) == 1
        assert run_cli(api, [*flags[:-1], str(tmp_path / "missing")]) == 1
        assert "missing" in capsys.readouterr().err
