"""The name corpus of the reliability catalogue (N) against the one grammar."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentoml.exceptions import InvalidArgument
from bentoml.tags import Tag, validate_labels, validate_service_name, validate_version

HOSTILE = [
    *("..", ".", "", " ", "a/b", "../a", "/a", "a\\b", "a\0b", "%2e%2e", "%252e%252e%252f", "-rf", "--help"),
    *("a b", "a:b", "a:b:c", "*", "~", "$HOME", "$(x)", "`x`", ";x", "{{7*7}}", "<b>", "é", "ａ", "🚀"),
    *("a" * 129, "1..2", ".hidden", "a\n", "a\r\n", "\u202ea", "١"),
]
MESSAGE = re.compile(r'Invalid BentoService (name|version): ".*", it must ')


@pytest.mark.parametrize("text", HOSTILE)
def test_N_hostile_service_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=MESSAGE):
        validate_service_name(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_N_hostile_versions_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=MESSAGE):
        validate_version(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_N_messages_stay_one_short_line(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate_service_name(text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isascii() or "…" in str(caught.value)
    assert len(str(caught.value)) < 330


@pytest.mark.parametrize("text", ["latest", "Latest", "LATEST", "lAtEsT"])
def test_N_latest_is_no_version(text: str) -> None:
    with pytest.raises(InvalidArgument, match="cannot be the version"):
        validate_version(text)


@pytest.mark.parametrize("text", ["a", "_", "CON", "Latest", "A9_", "x" * 128])
def test_valid_service_names(text: str) -> None:
    assert validate_service_name(text) == text


@pytest.mark.parametrize(
    "text",
    ["1", "20210926174550_16DCF9", "1.0.0", "1.2.3-rc.1", "1.0.0+build.7", "1.0-x_Y", "v" * 128, "CON"],
)
def test_valid_versions(text: str) -> None:
    assert validate_version(text) == text


@pytest.mark.parametrize(
    "text", ["1+2", "1.0.0+a+b", "01.0.0+b", "1.0.0-01+b", "1.0.0+", "1.0.0+" + "b" * 130]
)
def test_plus_is_for_semantic_versions_only(text: str) -> None:
    with pytest.raises(InvalidArgument):
        validate_version(text)


@pytest.mark.parametrize("value", [None, 1, b"a", ["a"]])
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(InvalidArgument):
        validate_service_name(value)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        validate_version(value)  # type: ignore[arg-type]


def test_tag_round_trip() -> None:
    assert str(Tag.parse("Iris:1.0.0+x")) == "Iris:1.0.0+x"
    assert Tag.parse("Iris:LATEST") == Tag("Iris", "latest")
    assert Tag.parse("Iris:latest").is_latest


@pytest.mark.parametrize(
    "text", ["", "Iris", ":", "Iris:", ":1", "a:b:c", "../a:1", "a:../1", "a:1/..", "a:b c"]
)
def test_bad_tags(text: str) -> None:
    with pytest.raises(InvalidArgument):
        Tag.parse(text)


@pytest.mark.parametrize("text", ["a", "ab", "abc", "a" * 63, "a.b", "a-b_c", "1"])
def test_valid_labels(text: str) -> None:
    assert validate_labels({text: text}) == {text: text}


@pytest.mark.parametrize(
    "text",
    ["", "a" * 64, "-a", "a-", ".a", "a=b", "a b", "é", "'a'", '"', "' OR 1=1 --", "a\n", "a,b", "a:b"],
)
def test_N_hostile_labels(text: str) -> None:
    with pytest.raises(InvalidArgument, match="Invalid label key"):
        validate_labels({text: "ok"})
    with pytest.raises(InvalidArgument, match='Invalid value of label "ok"'):
        validate_labels({"ok": text})


def test_N_thousand_labels() -> None:
    labels = {f"k{i}": f"v{i}" for i in range(1000)}
    assert validate_labels(labels) == labels
    assert validate_labels(None) == {}


@given(st.text(max_size=140))
def test_accepted_means_safe_as_one_path_component(text: str) -> None:
    for check in (validate_service_name, validate_version):
        try:
            check(text)
        except InvalidArgument:
            continue
        assert 1 <= len(text) <= 128
        assert text.isascii()
        assert ".." not in text
        assert not text.startswith((".", "-"))
        assert not set(text) & set('/\\:*?"<>|\0 \n\t%$`~')
