"""What may have been meant by a name or a version that no bundle has."""

from __future__ import annotations

from difflib import get_close_matches

from bentoml.tags import Tag

from .index import Index


def hint_for_name(index: Index, name: str) -> str:
    """As a sentence; empty if nothing is close."""
    names = index.names()
    close = [] if name in names else get_close_matches(name, names, n=1)
    return f"Did you mean '{close[0]}'?" if close else ""


def tag_hint(index: Index, tag: Tag) -> str:
    """To be put after a message; empty if nothing is close."""
    versions = index.versions(tag.name)
    if not versions:
        return latest_hint(index, tag.name)
    close = get_close_matches(tag.version, versions, n=1, cutoff=0.5) or versions[:1]
    return f". Did you mean '{tag.name}:{close[0]}'?"


def latest_hint(index: Index, name: str) -> str:
    """To be put after a message; the newest bundle of a similar name."""
    close = get_close_matches(name, index.names(), n=1)
    return f". Did you mean '{close[0]}:latest'?" if close else ""
