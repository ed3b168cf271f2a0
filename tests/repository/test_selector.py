"""Label queries: meaning against brute force, and errors for everything else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bentoml.exceptions import InvalidArgument
from bentoml.repository.selector import MAX_REQUIREMENTS, Requirement, Selector, parse_selector

KEYS = ["env", "tier", "a", "x.y"]
VALUES = ["prod", "test", "1", "v-2"]
BUNDLES = [{}, {"env": "prod"}, {"env": "test", "tier": "1"}, {"tier": "v-2"}, {"a": "1", "x.y": "test"}]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("env=prod", [1]),
        ("env != prod", [2]),
        ("env In (prod, test)", [1, 2]),
        ("env in(prod)", [1]),
        ("tier NOTIN (1)", [3]),
        ("env", [1, 2]),
        ("env Exists", [1, 2]),
        ("env DoesNotExist", [0, 3, 4]),
        ("env doesnotexist, tier", [3]),
        ("env=test,tier=1", [2]),
        ("", [0, 1, 2, 3, 4]),
    ],
)
def test_meaning_of_each_form(query: str, expected: list[int]) -> None:
    selector = parse_selector(query)
    assert [i for i, labels in enumerate(BUNDLES) if selector.matches(labels)] == expected


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("a=", "empty value"),
        ("a!=", "empty value"),
        ("a==b", 'exactly one "="'),
        ("a=b=c", 'exactly one "="'),
        ("a In ()", "empty value"),
        ("a In (b,,c)", "empty value"),
        ("a In b", "too many words"),
        ("a In", "needs values"),
        ("In", "without a key"),
        ("a b c", "too many words"),
        ("a Foo (b)", "unknown operator"),
        ("a Exists (b)", "unknown operator"),
        ("a Foo", "unknown operator"),
        ("a In (b", "unbalanced"),
        ("a In b)", "unbalanced"),
        ("a In ((b))", "unbalanced"),
        ("(b)", "is needed"),
        (",", "empty requirement"),
        ("a=b,", "empty requirement"),
        ("-a=b", "Invalid label key"),
        ("a='b'", "Invalid value of label"),
        ("a=' OR 1=1 --", 'exactly one "="'),
        ("a=" + "b" * 64, "Invalid value of label"),
    ],
)
def test_errors_say_what_is_wrong(query: str, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        parse_selector(query)


@pytest.mark.parametrize(
    "query",
    [
        ",".join(["env=prod"] * 10_000),
        "(" * 10_000,
        "a In (" + "b," * 10_000,
        "a " * 10_000,
        "=" * 100_000,
        "a" * 199_999,
        " " * 100_000 + "a=" + " " * 99_000,
    ],
)
def test_N_selector_bombs_end_in_a_clear_error_quickly(query: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidArgument) as caught:
        parse_selector(query)
    assert time.process_time() - started < 0.1
    assert len(str(caught.value)) < 400


def test_largest_allowed_query_is_answered() -> None:
    selector = parse_selector(",".join(f"k{i}=v" for i in range(MAX_REQUIREMENTS)))
    assert selector.matches({f"k{i}": "v" for i in range(MAX_REQUIREMENTS)})
    assert not selector.matches({})


def _write(requirement: Requirement, spaced: bool) -> str:
    gap = " " if spaced else ""
    values = sorted(requirement.values)
    if requirement.operator in ("In", "NotIn"):
        if len(values) == 1 and spaced:
            return f"{requirement.key}{'=' if requirement.operator == 'In' else ' != '}{values[0]}"
        return f"{requirement.key} {requirement.operator}{gap}({f',{gap}'.join(values)})"
    return f"{gap}{requirement.key} {requirement.operator}{gap}"


def _brute_force(requirement: Requirement, labels: dict[str, str]) -> bool:
    present = [value for key, value in labels.items() if key == requirement.key]
    if requirement.operator == "Exists":
        return len(present) > 0
    if requirement.operator == "DoesNotExist":
        return len(present) == 0
    inside = any(value == wanted for value in present for wanted in requirement.values)
    return inside if requirement.operator == "In" else len(present) > 0 and not inside


requirements = st.builds(
    lambda key, operator, values: Requirement(key, operator, values if "In" in operator else frozenset()),
    st.sampled_from(KEYS),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.frozensets(st.sampled_from(VALUES), min_size=1),
)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(requirements, min_size=1, max_size=4),
    st.lists(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=8),
    st.booleans(),
)
def test_C5_selector_agrees_with_brute_force(
    wanted: list[Requirement], bundles: list[dict[str, str]], spaced: bool
) -> None:
    selector = parse_selector(",".join(_write(requirement, spaced) for requirement in wanted))
    assert selector == Selector(tuple(wanted))
    for labels in bundles:
        assert selector.matches(labels) == all(_brute_force(requirement, labels) for requirement in wanted)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="ab=!(), InotExsD\n\0é", max_size=60))
def test_C4_any_text_is_a_selector_or_an_invalid_argument(query: str) -> None:
    try:
        parse_selector(query)
    except InvalidArgument:
        return
