"""A service's own text as safe HTML: CommonMark without HTML, scripts, images or odd links (A33)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_CHARACTERS = 256 * 1024
REL = "noopener noreferrer nofollow"


def render_markdown(text: str) -> str:
    """HTML for a docstring. Whatever it holds, the result has no script, no image and no raw HTML."""
    source = inspect.cleandoc(text)[:MAX_CHARACTERS]
    return str(_parser().render(source))


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule("image", _image)
    parser.add_render_rule("link_open", _link)
    parser.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


def _image(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A link in place of an image, so that reading the page asks no other server for anything."""
    source = str(tokens[at].attrGet("src") or "")
    text = escape(tokens[at].content or source)
    if not source.startswith(("https://", "http://")):
        return text
    return f'<a href="{escape(source)}" rel="{REL}">{text}</a>'


def _link(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    tokens[at].attrSet("rel", REL)
    return str(renderer.renderToken(tokens, at, options, env))
