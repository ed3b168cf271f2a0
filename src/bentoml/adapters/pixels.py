"""Bytes of an image to an array of pixels, with Pillow, bounded and the same for everybody.

- The format is what the first bytes say: JPEG, PNG, WebP, BMP, TIFF or GIF. Nothing else is tried,
  so no other decoder and no helper program ever sees a client's bytes.
- The size is read from the header and checked before any pixel is decoded.
- Only the first frame or page is read. Data after the image is ignored; an image that ends early
  or fails its checksum is an error, never a half grey picture.
- EXIF orientation is not applied: pixels come as they are stored, as in the 0.13 line.
- 16-bit samples are scaled to 8 bits (the high byte is kept), never clipped.
- CMYK is converted with the inversion its Adobe marker asks for. Transparency is dropped, not
  blended, by modes without alpha.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from bentoml.exceptions import BadInput, PayloadTooLarge

from .limits import DecodeLimits

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
MAX_JPEG_SCANS = 128
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N")


def image_format(head: bytes) -> str:
    """The format the first 12 bytes name. Raises `BadInput` for any that is not read here."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    raise BadInput("The body is not a JPEG, PNG, WebP, BMP, TIFF or GIF image")


def decode_image(stream: io.BytesIO, pilmode: str | None, limits: DecodeLimits) -> Any:
    """The first frame as H×W×C (H×W for one channel) `uint8`.

    Raises:
        PayloadTooLarge: more pixels than `limits.image_pixels`.
        BadInput: another format, damaged, or cut short.
    """
    from PIL import Image  # noqa: PLC0415

    data = stream.getvalue()
    name = image_format(data[:12])
    _check_structure(name, data)
    if Image.MAX_IMAGE_PIXELS is not None and limits.image_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = limits.image_pixels  # Pillow's own guard must not be the tighter one
    try:
        with Image.open(stream, formats=(name,)) as image:
            check_pixels(image.size, limits)
            image.load()
            return _array(image, pilmode)
    except Image.DecompressionBombError as err:
        raise PayloadTooLarge(f"The image has more than {limits.image_pixels} pixels") from err
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error) as err:
        raise BadInput(f"The image cannot be decoded: {_reason(err)}") from err
    except (IndexError, KeyError, TypeError, OverflowError, AttributeError, NotImplementedError) as err:
        # what Pillow's readers raise for headers that contradict themselves
        raise BadInput("The image cannot be decoded: its header is damaged") from err


def _check_structure(name: str, data: bytes) -> None:
    """What Pillow lets pass: PNG data with a wrong checksum, JPEG files made of endless scans."""
    if name == "PNG":
        _check_png(data)
    elif name == "JPEG" and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise BadInput(f"The image has more than {MAX_JPEG_SCANS} scans")


def _check_png(data: bytes) -> None:
    place = 8
    while place + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, place)
        kind = data[place + 4 : place + 8]
        end = place + 12 + size
        if end > len(data):
            break
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(memoryview(data)[place + 4 : end - 4]) != checksum:
            raise BadInput("The image cannot be decoded: a checksum is wrong")
        if kind == b"IEND":
            return
        place = end
    raise BadInput("The image cannot be decoded: it is cut short")


def check_pixels(size: tuple[int, int], limits: DecodeLimits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise BadInput(f"The image is {width}×{height} pixels")
    if width * height > limits.image_pixels:
        raise PayloadTooLarge(
            f"The image is {width}×{height} pixels; at most {limits.image_pixels} pixels are taken"
        )


def _array(image: Any, pilmode: str | None) -> Any:
    import numpy  # noqa: PLC0415

    if image.mode in _DEEP or image.mode == "I":
        image = _to_8_bit(image)
    wanted = pilmode or image.mode
    if image.mode == "CMYK" and wanted not in ("CMYK", "RGB"):
        image = image.convert("RGB")
    if image.mode != wanted:
        image = image.convert(wanted)
    if image.mode == "1":
        image = image.convert("L")
    return numpy.array(image, dtype=numpy.uint8)


def _to_8_bit(image: Any) -> Any:
    """High byte of 16-bit samples; Pillow's own conversion would clip at 255."""
    import numpy  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    samples = numpy.asarray(image).astype(numpy.int64)
    return Image.fromarray((samples.clip(0, 65535) >> 8).astype(numpy.uint8), "L")


def _reason(err: Exception) -> str:
    text = str(err)
    return "it is damaged or cut short" if not text or "<" in text or "/" in text else text[:120]
