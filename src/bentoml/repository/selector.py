"""The label query language of `--labels` and `labels=`: parsed once, evaluated on plain dicts.

    key=value   key!=value   key In (a, b)   key NotIn (a, b)   key   key Exists   key DoesNotExist

Requirements are separated by commas and all have to hold. `!=` and `NotIn` need the key to be there,
as users of the 0.13 line know them; `DoesNotExist` holds exactly when the key is absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bentoml.exceptions import InvalidArgument
from bentoml.tags import validate_label_key, validate_label_value

MAX_REQUIREMENTS = 1_000
MAX_QUERY_CHARS = 200_000
_OPERATORS = {"in": "In", "notin": "NotIn", "exists": "Exists", "doesnotexist": "DoesNotExist"}
_SHOWN_CHARS = 80

_PART = re.compile(r"[^,()]*(?:\([^()]*\)[^,()]*)?")
_COMPARISON = re.compile(r"([^\s=!()]+)\s*(!=|=)\s*([^\s=!()]+)\Z")
_SET = re.compile(r"(\S+)\s+(\w+)\s*\(([^()]*)\)\Z")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "DoesNotExist":
            return value is None
        if value is None:
            return False
        if self.operator == "In":
            return value in self.values
        return self.operator == "Exists" or value not in self.values


@dataclass(frozen=True, slots=True)
class Selector:
    """A parsed query; an empty one matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


def parse_selector(query: str | None) -> Selector:
    """Parse a label query; `None` and blank text match everything. Raises `InvalidArgument`."""
    if query is None or not query.strip():
        return Selector()
    if len(query) > MAX_QUERY_CHARS:
        raise InvalidArgument(
            f"Label query has {len(query)} characters; at most {MAX_QUERY_CHARS} are allowed."
        )
    requirements: list[Requirement] = []
    for part in _split(query):
        if len(requirements) == MAX_REQUIREMENTS:
            raise InvalidArgument(f"Label query has more than {MAX_REQUIREMENTS} requirements.")
        requirements.append(_requirement(part.strip(), query))
    return Selector(tuple(requirements))


def _split(query: str) -> Iterator[str]:
    position = 0
    while True:
        match = _PART.match(query, position)
        end = match.end() if match else position
        if end < len(query) and query[end] != ",":
            raise _error("unbalanced parentheses", query[position:])
        yield query[position:end]
        if end == len(query):
            return
        position = end + 1


def _requirement(text: str, query: str) -> Requirement:
    if not text:
        raise _error("an empty requirement between commas", query)
    if "(" in text:
        return _set_requirement(text)
    if "=" in text:
        return _comparison(text)
    words = text.split()
    if len(words) > 2:
        raise _error("too many words", text)
    operator = _OPERATORS.get(words[-1].lower())
    if len(words) == 1:
        if operator:
            raise _error(f"the operator {operator} without a key", text)
        return Requirement(validate_label_key(words[0]), "Exists")
    if operator is None:
        raise _error(f'unknown operator "{_short(words[1])}"', text)
    if operator in ("In", "NotIn"):
        raise _error(f"{operator} needs values in parentheses", text)
    return Requirement(validate_label_key(words[0]), operator)


def _comparison(text: str) -> Requirement:
    match = _COMPARISON.match(text)
    if match is None:
        if text.endswith("="):
            raise _error("an empty value", text)
        raise _error('exactly one "=" or "!=" between a key and a value is needed', text)
    key, sign, value = match.groups()
    validate_label_key(key)
    return Requirement(key, "In" if sign == "=" else "NotIn", frozenset([validate_label_value(value, key)]))


def _set_requirement(text: str) -> Requirement:
    match = _SET.match(text)
    if match is None:
        raise _error('"key In (value1, value2)" or "key NotIn (…)" is needed', text)
    key, word, inside = match.groups()
    operator = _OPERATORS.get(word.lower())
    if operator not in ("In", "NotIn"):
        raise _error(f'unknown operator "{_short(word)}" before parentheses', text)
    validate_label_key(key)
    values = [value.strip() for value in inside.split(",")]
    if not all(values):
        raise _error("an empty value in parentheses", text)
    return Requirement(key, operator, frozenset(validate_label_value(value, key) for value in values))


def _error(problem: str, text: str) -> InvalidArgument:
    return InvalidArgument(
        f'Invalid label query at "{_short(text)}": {problem}. '
        "Write for example: env=prod, tier!=test, team In (a, b), owner Exists, draft DoesNotExist"
    )


def _short(text: str) -> str:
    shown = text.strip().encode("unicode_escape").decode("ascii")
    return shown if len(shown) <= _SHOWN_CHARS else shown[:_SHOWN_CHARS] + "…"
