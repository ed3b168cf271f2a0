"""Images: formats by magic, bounded sizes, colours, damage."""

from __future__ import annotations

import io
import json
import struct
import time
import zlib
from typing import Any

import pytest
from contracts.probe import make_client, send, send_all

from bentoml.adapters import DecodeLimits, ImageInput
from bentoml.testing import Request

Image = pytest.importorskip("PIL.Image")
numpy = pytest.importorskip("numpy")


def corners(self: Any, images: Any) -> Any:
    return [[list(i.shape), str(i.dtype), i[0, 0].tolist(), i[-1, -1].tolist()] for i in images]


def ask(body: bytes, limits: DecodeLimits | None = None, **options: Any) -> Any:
    return send(make_client(corners, ImageInput(**options), limits=limits), body, "image/any")


def saved(image: Any, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def solid(mode: str, size: tuple[int, int], colour: Any, kind: str, **options: Any) -> bytes:
    return saved(Image.new(mode, size, colour), kind, **options)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, *chunks: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_formats_are_known_by_their_first_bytes(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    body = solid("RGB", (8, 6), (255, 255, 255), kind, **options)
    assert ask(body).json() == [[6, 8, 3], "uint8", [255] * 3, [255] * 3]


def test_B85_text_and_wrong_names() -> None:
    client = make_client(corners, ImageInput())
    picture = solid("RGB", (2, 2), (9, 8, 7), "PNG")
    assert client.post("/predict", files={"f": ("a.png", b"plain text")}).status_code == 400
    assert client.post("/predict", files={"f": ("a.jpg", picture)}).json()[2] == [9, 8, 7]
    answer = client.post("/predict", files={"f": ("a.txt", picture)})
    assert (answer.status_code, "only accepts" in answer.text) == (400, True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_B86_cut_images(kind: str) -> None:
    noise = Image.fromarray(numpy.random.default_rng(0).integers(0, 255, (64, 64, 3), numpy.uint8))
    whole = saved(noise, kind)
    assert ask(whole).status_code == 200
    for part in (len(whole) // 2, len(whole) // 4, 20, 12):
        answer = ask(whole[:part])
        assert answer.status_code == 400, part
        assert "/" not in answer.text


def test_B86_png_with_a_wrong_checksum() -> None:
    body = bytearray(solid("RGB", (16, 16), (1, 2, 3), "PNG"))
    place = body.index(b"IDAT") + 4
    body[place + 12] ^= 0xFF
    assert ask(bytes(body)).status_code == 400


def test_B87_claimed_size_is_checked_before_decoding() -> None:
    import resource

    ask(solid("RGB", (2, 2), 0, "PNG"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for width, height in ((50_000, 50_000), (2**31 - 1, 2**31 - 1), (89_478_486, 1)):
        answer = ask(png(width, height, 8, 2, chunk(b"IDAT", zlib.compress(b""))))
        assert answer.status_code == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 32 * 1024


def test_B87_limit_is_configurable() -> None:
    limits = DecodeLimits(image_pixels=100)
    assert ask(solid("RGB", (10, 10), 0, "PNG"), limits).status_code == 200
    assert ask(solid("RGB", (101, 1), 0, "PNG"), limits).status_code == 413


def test_B88_extreme_sizes() -> None:
    assert ask(solid("RGB", (1, 1), (5, 5, 5), "PNG")).json()[0] == [1, 1, 3]
    assert ask(solid("RGB", (1, 65_535), (5, 5, 5), "PNG")).json()[0] == [65_535, 1, 3]
    assert ask(png(0, 0, 8, 2, chunk(b"IDAT", zlib.compress(b"")))).status_code == 400


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 77, [77, 77, 77]),
        ("LA", (77, 10), [77, 77, 77]),
        ("RGBA", (1, 2, 3, 0), [1, 2, 3]),
        ("1", 1, [255, 255, 255]),
        ("P", 0, [0, 0, 0]),
    ],
)
def test_B89_modes_become_rgb(mode: str, colour: Any, expected: list[int]) -> None:
    assert ask(solid(mode, (3, 3), colour, "PNG")).json()[2] == expected


def test_B89_palette_with_transparency() -> None:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    assert ask(saved(image, "PNG", transparency=1)).json()[2] == [200, 100, 50]


@pytest.mark.parametrize(
    ("pilmode", "shape"), [("L", [3, 3]), ("RGBA", [3, 3, 4]), ("RGB", [3, 3, 3]), (None, [3, 3, 4])]
)
def test_pilmode(pilmode: Any, shape: list[int]) -> None:
    assert ask(solid("RGBA", (3, 3), (9, 9, 9, 9), "PNG"), pilmode=pilmode).json()[0] == shape


def test_B90_sixteen_bits_keep_their_high_byte() -> None:
    grey = numpy.array([[0, 255, 256, 65_535]], dtype=numpy.uint16)
    rows = b"\0" + grey.astype(">u2").tobytes()
    body = png(4, 1, 16, 0, chunk(b"IDAT", zlib.compress(rows)))
    picture = send(
        make_client(lambda self, images: [i.tolist() for i in images], ImageInput(pilmode="L")), body
    )
    assert picture.json() == [[0, 0, 1, 255]]
    rgb = b"\0" + numpy.array([[0, 256, 65_535]], dtype=">u2").tobytes()
    assert ask(png(1, 1, 16, 2, chunk(b"IDAT", zlib.compress(rgb)))).json()[2] == [0, 1, 255]


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)])
def test_B91_cmyk_colours(colour: tuple[int, int, int]) -> None:
    body = saved(Image.new("RGB", (16, 16), colour).convert("CMYK"), "JPEG", quality=100)
    assert all(abs(a - b) <= 2 for a, b in zip(ask(body).json()[2], colour, strict=True))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_B92_orientation_is_not_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert ask(solid("RGB", (8, 4), (1, 2, 3), "PNG", exif=exif)).json()[0] == [4, 8, 3]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_B93_B94_first_frame_only(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 255, 255), (0, 0, 0), (9, 9, 9))]
    options = {"lossless": True} if kind == "WEBP" else {}
    body = saved(frames[0], kind, save_all=True, append_images=frames[1:] * 50, **options)
    assert ask(body).json() == [[4, 4, 3], "uint8", [255] * 3, [255] * 3]


@pytest.mark.parametrize(
    "head",
    [
        b"%!PS-Adobe-3.0 EPSF",
        b"%PDF-1.7",
        b"<svg xmlns=",
        b"8BPS\0\1",
        b"icns\0\0",
        b"SIMPLE  =  T",
        b"\xd7\xcd\xc6\x9a",
        b"\0\0\0\x18ftypheic",
        b"P6 1 1 255 ",
        b"",
    ],
)
def test_B95_other_formats(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    monkeypatch.setattr(subprocess, "Popen", pytest.fail)
    assert ask(head + b"\0" * 600 if head else b"").status_code == 400


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_B96_compressed_metadata_bombs(kind: bytes) -> None:
    packer = zlib.compressobj(9)
    bomb = packer.compress(bytes(100 * 1024 * 1024)) + packer.flush()
    pixels = chunk(b"IDAT", zlib.compress(b"\0\5\6\7"))
    started = time.monotonic()
    answer = ask(png(1, 1, 8, 2, chunk(kind, b"name\0\0" + bomb), pixels))
    assert answer.status_code in (200, 400)
    assert time.monotonic() - started < 5


def test_B97_endless_scans() -> None:
    body = saved(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    start = body.index(b"\xff\xda")
    endless = body[:start] + body[start:-2] * 1000 + b"\xff\xd9"
    started = time.monotonic()
    assert ask(body).status_code == 200
    assert ask(endless).status_code == 400
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "tail", [b"<script>alert(1)</script>", b"PK\3\4" + b"\0" * 100, b"<?php system(1); ?>"]
)
@pytest.mark.parametrize("kind", ["GIF", "JPEG", "PNG"])
def test_B98_polyglots_are_images(kind: str, tail: bytes) -> None:
    assert ask(solid("RGB", (4, 4), (255, 255, 255), kind) + tail).json()[2] == [255] * 3


def test_B99_two_images() -> None:
    picture = solid("RGB", (2, 2), 0, "PNG")
    client = make_client(corners, ImageInput())
    answer = client.post("/predict", files={"a": ("a.png", picture), "b": ("b.png", picture)})
    assert (answer.status_code, "2 files" in answer.text) == (400, True)


def test_B100_64_bad_among_64_good() -> None:
    requests = []
    for i in range(64):
        requests += [Request.build(data=b"bad"), Request.build(data=solid("RGB", (1, 1), (i, 0, 0), "PNG"))]
    answers = send_all(make_client(corners, ImageInput()), requests)
    assert [a.status_code for a in answers] == [400, 200] * 64
    assert [a.json()[2][0] for a in answers[1::2]] == list(range(64))


def test_accepted_endings() -> None:
    picture = solid("RGB", (2, 2), 0, "PNG")
    client = make_client(corners, ImageInput(accept_image_formats=["png", ".GIF"]))
    for name, status in (("a.png", 200), ("A.PNG", 200), ("a.gif", 200), ("a.jpg", 400), ("png", 400)):
        assert client.post("/predict", files={"f": (name, picture)}).status_code == status
    assert send(client, picture).status_code == 200  # a raw body has no name


def test_options_of_another_adapter() -> None:
    with pytest.raises(TypeError, match="input_names"):
        ImageInput(input_names=("a", "b"))
    assert json.loads(json.dumps(ImageInput().config))["pilmode"] == "RGB"
    assert ImageInput().pip_dependencies == ["pillow", "numpy"]
