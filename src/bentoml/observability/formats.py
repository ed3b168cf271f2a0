"""The text of a log line: 0.13's formats, and one event on one line whatever a client sent."""

from __future__ import annotations

import logging
import re

CONSOLE_FORMAT = "[%(asctime)s] %(levelname)s - %(message)s"
FILE_FORMAT = "[%(asctime)s] {%(filename)s:%(lineno)d} %(levelname)s - %(message)s"

# C0 and C1 controls (ANSI escapes start with one), and what some viewers take for a line break
# or for a change of direction.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROLS_BUT_BREAKS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    """`text` with every control character written as an escape (`\\n`, `\\x1b`)."""
    return _CONTROLS.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


class LineFormatter(logging.Formatter):
    """A formatter whose message is one line.

    The lines of a traceback follow, indented, so that no text from outside can pass for an entry.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        return _indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    lines = _CONTROLS_BUT_BREAKS.sub(_escape, text).split("\n")
    return "\n".join(f"    {line}" for line in lines)
