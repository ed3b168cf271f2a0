"""What lies in a bundle's directory: its text, its API document, its files. Nothing of it is executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bentoml.bundle.layout import BundleLayout
from bentoml.bundle.manifest import read_manifest
from bentoml.repository.base import BundleRecord
from bentoml.yatai.services.bundles import Bundles

MAX_TEXT_BYTES = 1 << 20
SHOWN_FILES = 500


def is_near(bundles: Bundles) -> bool:
    """Whether opening a bundle's directory costs nothing: no download."""
    return "://" not in bundles.store.address


def read_contents(bundles: Bundles, record: BundleRecord) -> dict[str, Any]:
    """Text, API document and files of a bundle. Raises `NotFound` if its files are gone."""
    with bundles.directory(record) as directory:
        layout = BundleLayout(directory, record.name)
        manifest = read_manifest(directory)
        files = [
            {"path": path, "size_bytes": entry.size, "sha256": entry.sha256}
            for path, entry in sorted((manifest.files if manifest else {}).items())
        ]
        return {
            "readme": _text(layout.readme),
            "openapi": _json(layout.openapi),
            "files": files[:SHOWN_FILES],
            "file_count": len(files),
            "has_manifest": manifest is not None,
        }


def read_operations(bundles: Bundles, record: BundleRecord) -> dict[str, dict[str, Any]]:
    """`operations` of a bundle's API document. Raises `NotFound` if its files are gone."""
    with bundles.directory(record) as directory:
        return operations(_json(BundleLayout(directory, record.name).openapi))


def digests(bundles: Bundles, record: BundleRecord) -> dict[str, str]:
    """SHA-256 by path, as the manifest has them."""
    with bundles.directory(record) as directory:
        manifest = read_manifest(directory)
        return {path: entry.sha256 for path, entry in (manifest.files if manifest else {}).items()}


def operations(openapi: Any) -> dict[str, dict[str, Any]]:
    """Schema and example of each API's request body, by route, from an API document of any origin."""
    found: dict[str, dict[str, Any]] = {}
    paths = openapi.get("paths") if isinstance(openapi, dict) else None
    for path, methods in (paths or {}).items() if isinstance(paths, dict) else ():
        post = methods.get("post") if isinstance(methods, dict) else None
        body = post.get("requestBody") if isinstance(post, dict) else None
        content = body.get("content") if isinstance(body, dict) else None
        if not isinstance(content, dict) or not content:
            continue
        media_type, value = next(iter(content.items()))
        value = value if isinstance(value, dict) else {}
        found[str(path).strip("/")] = {
            "media_type": str(media_type),
            "schema": value.get("schema"),
            "example": value.get("example"),
        }
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_TEXT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path) or "null")
    except ValueError:
        return None
