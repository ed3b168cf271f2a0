"""Request ids are random UUIDs, however many are made at a time."""

from __future__ import annotations

import uuid

from bentoml.server.request_ids import BLOCK, RequestIds


def test_ids_are_uuids_of_version_4_and_none_comes_twice() -> None:
    ids = RequestIds()
    made = [ids.next() for _ in range(3 * BLOCK)]

    parsed = [uuid.UUID(text.decode()) for text in made]
    assert all(str(value).encode() == text for value, text in zip(parsed, made, strict=True))
    assert {value.version for value in parsed} == {4}
    assert {value.variant for value in parsed} == {uuid.RFC_4122}
    assert len(set(made)) == len(made)


def test_every_random_bit_is_used() -> None:
    ids = RequestIds()
    values = [uuid.UUID(ids.next().decode()).int for _ in range(2 * BLOCK)]
    fixed = [bit for bit in range(128) if len({value >> bit & 1 for value in values}) == 1]
    assert sorted(fixed) == [62, 63, 76, 77, 78, 79]  # the variant and the version
