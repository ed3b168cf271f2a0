"""Answers that are given again as long as nobody has changed anything in the database."""

from __future__ import annotations

from collections.abc import Callable

from bentoml.repository.database import Database

_MOST = 256
_MAX_BYTES = 1 << 18


class AnswerCache:
    """Encoded answers by request, all forgotten when the database's mark changes.

    The mark is read before the answer is made, so an answer is never newer than its mark says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: tuple[int, dict[str, bytes]] = (-1, {})

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The answer for `key`, made anew if it may be out of date."""
        mark = self._database.change_mark()
        if mark is None:
            return make()
        known_mark, answers = self._known
        if known_mark != mark:
            answers = {}
            self._known = (mark, answers)
        answer = answers.get(key)
        if answer is None:
            answer = make()
            if len(answers) < _MOST and len(answer) <= _MAX_BYTES:
                answers[key] = answer
        return answer
