from __future__ import annotations

import pytest

from bentoml.containers.image_names import image_reference
from bentoml.exceptions import InvalidArgument
from tests.bundle.hostile import HOSTILE_TEXTS


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (None, "iris_model:2_A-x"),
        ("iris", "iris:2_A-x"),
        ("iris:v1", "iris:v1"),
        ("team/iris", "team/iris:2_A-x"),
        ("host:5000/name:tag", "host:5000/name:tag"),
        ("host:5000/team/name", "host:5000/team/name:2_A-x"),
        ("Registry.Example.com/a__b/c-d.e", "Registry.Example.com/a__b/c-d.e:2_A-x"),
        ("[::1]:5000/a", "[::1]:5000/a:2_A-x"),
    ],
)
def test_reference(tag: str | None, expected: str) -> None:
    assert image_reference(tag, "Iris_Model", "2_A+x") == expected


@pytest.mark.parametrize(("name", "expected"), [("_A___b_", "a__b"), ("__", "bento"), ("A_b", "a_b")])
def test_service_names_become_image_names(name: str, expected: str) -> None:
    assert image_reference(None, name, "1") == f"{expected}:1"


@pytest.mark.parametrize(
    "tag", ["A", "a:", ":b", "a:b:c", "a/", "/a", "a//b", "a:" + "x" * 129, "a@sha256:0"]
)
def test_invalid(tag: str) -> None:
    with pytest.raises(InvalidArgument, match="is invalid"):
        image_reference(tag, "A", "1")


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_D_tags(text: str) -> None:
    for tag in (text, f"a{text}", f"a:{text}"):
        try:
            reference = image_reference(tag, "A", "1")
        except InvalidArgument:
            continue
        assert reference.isascii() and reference.isprintable() and " " not in reference
        assert not reference.startswith("-")
