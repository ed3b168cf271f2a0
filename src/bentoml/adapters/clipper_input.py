"""Clipper's adapters are gone; importing one of their names says what to use in its place.

Clipper is no longer developed and its containers do not run on the Pythons this library runs on.
"""

from __future__ import annotations

from typing import NoReturn

REPLACEMENTS = {
    "ClipperBytesInput": "FileInput",
    "ClipperFloatsInput": "NdarrayInput(dtype='float32')",
    "ClipperIntsInput": "NdarrayInput(dtype='int32')",
    "ClipperDoublesInput": "NdarrayInput(dtype='float64')",
    "ClipperStringsInput": "StringInput",
}


def explain(name: str) -> NoReturn:
    """Raises `ImportError` that names the replacement, or `AttributeError` for a name that never was."""
    new = REPLACEMENTS.get(name)
    if new is None:
        raise AttributeError(f"bentoml.adapters never had '{name}'")
    raise ImportError(
        f"{name} was for Clipper, which is no longer developed. Use bentoml.adapters.{new} and serve the "
        f"bundle with `bentoml serve`, which batches requests as Clipper did",
        name=__package__,
    )


def __getattr__(name: str) -> NoReturn:
    if name.startswith("Clipper"):
        explain(name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
