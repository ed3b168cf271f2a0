"""References by content: a digest and a size, checked whenever something is read through them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from bentoml.exceptions import InvalidArgument

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z", re.ASCII)
MAX_JSON_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One blob of an image. `extra` holds a platform and annotations."""

    media_type: str
    digest: str
    size: int
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def blob(self) -> str:
        """Its path in an image layout."""
        return blob_path(self.digest)

    def to_dict(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **self.extra}


def blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def check_digest(value: object, what: str) -> str:
    """A digest that can stand in a path. Raises `InvalidArgument`."""
    if not isinstance(value, str) or not _DIGEST.match(value):
        raise InvalidArgument(f"{what} has no SHA-256 digest, but {str(value)[:80]!r}")
    return value


def parse_descriptor(value: object, what: str) -> Descriptor:
    """A descriptor out of a manifest or an index. Raises `InvalidArgument`."""
    if not isinstance(value, dict):
        raise InvalidArgument(f"{what} is no descriptor")
    size, media_type = value.get("size"), value.get("mediaType", "")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0 or not isinstance(media_type, str):
        raise InvalidArgument(f"{what} has no size or type")
    if value.get("urls"):
        raise InvalidArgument(f"{what} lies at a URL and not in the image; such layers are not followed")
    extra = {key: value[key] for key in ("platform", "annotations") if isinstance(value.get(key), dict)}
    return Descriptor(media_type, check_digest(value.get("digest"), what), size, extra)


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """An object. Raises `InvalidArgument`."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise InvalidArgument(f"{what} is no JSON: {err}") from err
    if not isinstance(value, dict):
        raise InvalidArgument(f"{what} is not a JSON object")
    return value


def canonical_json(value: object) -> bytes:
    """The same bytes for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
