"""Finds the code blocks of a Markdown page: files, programs and console sessions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
INCLUDED = re.compile(r"^--8<-- \"(?P<path>[^\"]+)\"$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block; `title` is the file that it is, or empty."""

    language: str
    title: str
    code: str


def blocks(page: Path) -> list[Block]:
    text = INCLUDED.sub(lambda match: (ROOT / match["path"]).read_text(), page.read_text())
    return [Block(m["language"], m["title"] or "", m["code"]) for m in FENCE.finditer(text)]


def console_session(block: Block) -> list[tuple[str, str]]:
    """(command, expected output) pairs of a console block; a trailing backslash joins lines."""
    session: list[tuple[str, str]] = []
    for line in block.code.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            session.append((re.sub(r"\s+", " ", line[2:]), ""))
        else:
            command, output = session[-1]
            session[-1] = (command, output + line + "\n")
    return session
