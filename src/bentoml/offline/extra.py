"""The packages that offline runs need and the rest of this library does not."""

from __future__ import annotations

from importlib.util import find_spec

from bentoml.exceptions import MissingDependencyException

PACKAGES = ("pyarrow", "fsspec")


def require_packages() -> None:
    """Raises `MissingDependencyException` naming the extra that brings what is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingDependencyException(
            f"Offline runs need the package{'s' * (len(missing) > 1)} {' and '.join(missing)}. "
            f"Install them with: pip install 'bentoml[offline]'"
        )
