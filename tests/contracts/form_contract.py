"""The part of the adapter contract that differs where an item is a form with several fields."""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import pytest
from contracts.adapter_contract import InputAdapterContract
from contracts.probe import make_client, make_service, send_all

Item = dict[str, tuple[str, bytes]]


class FormAdapterContract(InputAdapterContract):
    """`FUNCTION` takes one argument per field; the command line has one pair of flags per field."""

    OFFLINE: ClassVar[bool] = False
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
        out: list[str] = []
        for name in self.files()[0]:
            out.append(f"--input-file-{name.replace('_', '-')}")
            for place, item in enumerate(self.files()):
                (folder / str(place)).mkdir(exist_ok=True)
                path = folder / str(place) / item[name][0]
                path.write_bytes(item[name][1])
                out.append(str(path))
        return out

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
