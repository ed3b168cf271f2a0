"""How much one request may make us decode; every number is an upper bound, checked before the work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Bounds on one item.

    Attributes:
        max_body_bytes: bytes of a body after decompression.
        json_depth: nesting of arrays and objects.
        int_digits: decimal digits of one integer.
        image_pixels: width times height, read from the image's header.
        multipart_parts: parts of one form.
        part_header_bytes: bytes of all header lines of one part.
        gzip_members: concatenated gzip streams in one body.
        table_rows: rows of one request for a data frame.
        table_columns: columns of one request for a data frame.
    """

    max_body_bytes: int = 20 * 1024 * 1024
    json_depth: int = 128
    int_digits: int = 4300
    image_pixels: int = 89_478_485
    multipart_parts: int = 128
    part_header_bytes: int = 8192
    gzip_members: int = 256
    table_rows: int = 1_000_000
    table_columns: int = 16_384


DEFAULT_LIMITS = DecodeLimits()
