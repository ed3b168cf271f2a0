"""A misspelled keyword is an error where it is written, and the message has the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bentoml
from bentoml.adapters import DataframeInput, ImageInput, JsonInput, JsonOutput, StringInput
from bentoml.exceptions import BentoMLException, InvalidArgument


@pytest.mark.parametrize(
    ("make", "wrong", "right"),
    [
        (bentoml.env, "pip_package", "pip_packages"),
        (bentoml.env, "infer_pip_package", "infer_pip_packages"),
        (bentoml.ver, "mayor", "major"),
        (bentoml.web_static_content, "paht", "path"),
        (DataframeInput, "column", "columns"),
        (ImageInput, "pilmod", "pilmode"),
        (StringInput, "http_input_exmple", "http_input_example"),
        (JsonOutput, "ensureascii", "ensure_ascii"),
    ],
)
def test_misspelled_keyword_names_the_right_one(make: Callable[..., Any], wrong: str, right: str) -> None:
    with pytest.raises(InvalidArgument, match=f"no parameter '{wrong}'. Did you mean '{right}'"):
        make(**{wrong: 1})


def test_keyword_that_is_near_none_lists_the_known_ones() -> None:
    with pytest.raises(InvalidArgument, match="Known are pip_dependencies, pip_packages"):
        bentoml.env(zzz=1)  # type: ignore[call-arg]


def test_free_keywords_of_adapters_are_kept_as_in_0_13() -> None:
    assert JsonInput(owner="ada").config == {"owner": "ada"}


def test_parameters_of_a_user_s_adapter_are_known() -> None:
    class Mine(StringInput):
        def __init__(self, columns: Any = None, **base_config: Any) -> None:
            super().__init__(columns=columns, **base_config)

    assert Mine(columns=["a"]).config == {"columns": ["a"]}
    with pytest.raises(InvalidArgument, match=r"Mine has no parameter 'colums'\. Did you mean 'columns'"):
        Mine(colums=["a"])


def test_a_version_that_is_no_text_says_so() -> None:
    class Some(bentoml.BentoService):
        pass

    with pytest.raises(InvalidArgument, match="it is a text, so not int"):
        Some().set_version(3)  # type: ignore[arg-type]


def test_loading_a_tag_says_who_loads_tags() -> None:
    with pytest.raises(BentoMLException, match=r"repository\.load\('Some:latest'\)"):
        bentoml.load("Some:latest")


def test_the_route_of_the_debug_page_is_reserved() -> None:
    def predict(self: Any, value: Any) -> Any:
        return value

    with pytest.raises(InvalidArgument, match="Reserved API route"):
        bentoml.api(input=JsonInput(), route="debug/batching")(predict)
