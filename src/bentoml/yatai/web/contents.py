"""What lies in a bundle's directory: its text, its API document, its files. Nothing of it is executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.layout import BundleLayout
from bentoml.bundle.manifest import Manifest, read_manifest
from bentoml.bundle.trust.signature import read_signatures
from bentoml.exceptions import BentoMLException, MissingDependencyException
from bentoml.repository.base import BundleRecord
from bentoml.yatai.services.bundles import Bundles

MAX_TEXT_BYTES = 1 << 20
SHOWN_FILES = 500
SHOWN_EXAMPLES = 20
SHOWN_CHARS = 2000


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
            "signatures": _signatures(directory, manifest),
            "examples": _examples(_json(layout.examples)),
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


def _signatures(directory: Path, manifest: Manifest | None) -> list[dict[str, Any]]:
    """Who signed the bundle; `valid` is None where it cannot be found out."""
    try:
        found = read_signatures(directory)
        descriptor = read_descriptor(directory)
    except BentoMLException:
        return []
    rows = []
    for one in found:
        try:
            valid = manifest is not None and one.covers(manifest, descriptor) and one.is_genuine()
        except MissingDependencyException:
            valid = None
        rows.append({"key_id": one.public_key.id[:16], "signed_at": one.signed_at, "valid": valid})
    return rows


def _examples(document: Any) -> list[dict[str, Any]]:
    """Requests with their answers that were saved with the bundle, whatever else the file holds."""
    rows = document.get("examples") if isinstance(document, dict) else None
    found = []
    for row in rows[:SHOWN_EXAMPLES] if isinstance(rows, list) else ():
        request, answer = (row.get(key) if isinstance(row, dict) else None for key in ("request", "answer"))
        if isinstance(request, dict) and isinstance(answer, dict):
            found.append(
                {
                    "api": str(row.get("api")),
                    "request": _body(request),
                    "status": answer.get("status"),
                    "answer": _body(answer),
                }
            )
    return found


def _body(part: dict[str, Any]) -> str:
    if "text" in part:
        text = str(part["text"])
        return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"
    return f"{len(str(part.get('base64', ''))) * 3 // 4} bytes that are no text"


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
