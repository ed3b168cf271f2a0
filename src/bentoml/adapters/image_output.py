"""Arrays of pixels to PNG, JPEG or WebP."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.types import Reply, ReplyHead, error_reply

from .forms_output import VARY, FormsOutput, one_per_item

_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
}
_FORMATS = {media_type: name for name, media_type in _TYPES.items()}


class ImageOutput(FormsOutput):
    """One image per item: an array of H×W or H×W×1, 3 or 4 (`uint8` or `bool`), or a Pillow image.

    A client's `Accept` header chooses among PNG, JPEG and WebP. JPEG has no transparency: it is left out.

    Args:
        format: `"PNG"`, `"JPEG"` or `"WEBP"`; what a client gets that asks for nothing else.
        quality: 1 to 100, for JPEG and WebP; None takes Pillow's own.
    """

    def __init__(
        self, format: str = "PNG", quality: int | None = None, cors: Any = None, **base_config: Any
    ) -> None:
        super().__init__(cors=cors, **base_config)
        name = {"JPG": "JPEG"}.get(format.upper(), format.upper())
        if name not in _TYPES:
            raise InvalidArgument(f"ImageOutput writes {', '.join(_TYPES)}, not format={format!r}")
        if quality is not None and not 1 <= quality <= 100:
            raise InvalidArgument(f"quality must be from 1 to 100, not {quality!r}")
        self.format = name
        self.quality = quality

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "format": self.format, "quality": self.quality}

    @property
    def pip_dependencies(self) -> list[str]:
        return ["pillow", "numpy"]

    @property
    def forms(self) -> tuple[str, ...]:
        first = _TYPES[self.format]
        return (first, *(form for form in _FORMATS if form != first))

    def encode_form(self, form: str, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        head = ReplyHead(200, form, (VARY,))
        return [self._one(head, value) for value in one_per_item(results, rows, "ImageOutput")]

    def _one(self, head: ReplyHead, value: Any) -> Reply:
        if isinstance(value, Reply):
            return value
        try:
            return Reply(head, self._bytes(_FORMATS[head.content_type], value))
        except ImportError as err:
            return error_reply(
                500,
                f"ImageOutput needs the package '{err.name}'. Install it with: pip install 'bentoml[image]'",
            )
        except (OSError, ValueError, TypeError) as err:
            return error_reply(500, f"The result cannot be written as an image: {str(err)[:200]}")

    def _bytes(self, name: str, value: Any) -> bytes:
        image = _fitted(_to_image(value), name)
        options = {"quality": self.quality} if self.quality is not None and name != "PNG" else {}
        out = io.BytesIO()
        image.save(out, name, **options)
        return out.getvalue()


def _fitted(image: Any, name: str) -> Any:
    """`image` in a mode that the format has. Raises `ValueError` where that would change its values."""
    if image.mode in _MODES[name]:
        return image
    if image.mode[0] in "IF":
        raise ValueError(f"pixels of mode {image.mode} cannot be written as {name}; convert them to 8 bits")
    has_alpha = image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if has_alpha and "RGBA" in _MODES[name] else "RGB")


def _to_image(value: Any) -> Any:
    import numpy  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    if isinstance(value, Image.Image):
        return value
    array = numpy.asarray(value)
    if array.dtype == bool:
        array = array.astype(numpy.uint8) * 255
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype != numpy.uint8:
        raise ValueError(f"pixels must be uint8 from 0 to 255, not {array.dtype}")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise ValueError(f"the shape must be H×W or H×W×1, 3 or 4, not {'×'.join(map(str, array.shape))}")
    return Image.fromarray(numpy.ascontiguousarray(array))
