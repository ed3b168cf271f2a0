"""The revisions of the schema. Standard library only: `peek` reads them too."""

from __future__ import annotations

HEAD = "c93d5e0a7f14"
KNOWN = (  # oldest first
    "a6b00ae45279",
    "719dd2aacc9a",
    "af18f0b83286",
    "370a2bf2e594",
    "5d1c07e9b2a4",
    "8c3b6f1a90d7",
    "b2f94d7c1e63",
    "e47a1b5c90d2",
    HEAD,
)
