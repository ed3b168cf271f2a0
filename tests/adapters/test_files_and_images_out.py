"""`FileOutput` and `ImageOutput`: names, types, modes, and what may not leak."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from contracts.probe import make_client
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import DataframeInput, FileOutput, ImageOutput, JsonInput
from bentoml.adapters.file_output import disposition
from bentoml.exceptions import InvalidArgument
from bentoml.testing import Response
from bentoml.types import FileLike

numpy = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")


def answer(value: Any, output: Any, accept: str = "") -> Response:
    client = make_client(lambda s, item: value, JsonInput(), output=output, batch=False)
    found: Response = client.post("/predict", json=1, headers={"Accept": accept})
    return found


class TestFiles:
    @pytest.mark.parametrize(
        ("value", "kind", "header"),
        [
            (b"%PDF", "application/octet-stream", "attachment"),
            ("text ä", "text/plain; charset=utf-8", "attachment"),
            (FileLike(b"a,b", name="a.csv"), "text/csv", 'attachment; filename="a.csv"'),
            (FileLike(b"", name="../../x.png"), "image/png", 'attachment; filename="x.png"'),
            (FileLike(b"", name="C:\\dir\\x.png"), "image/png", 'attachment; filename="x.png"'),
            (FileLike(b"", name="a.csv.gz"), "application/gzip", 'attachment; filename="a.csv.gz"'),
            (
                FileLike(b"", name="data:text/html,x"),
                "application/octet-stream",
                'attachment; filename="html,x"',
            ),
            (FileLike(b"", name=".."), "application/octet-stream", "attachment"),
        ],
    )
    def test_type_and_name(self, value: Any, kind: str, header: str) -> None:
        found = answer(value, FileOutput())
        assert (found.status_code, found.headers["content-type"]) == (200, kind)
        assert found.headers["content-disposition"] == header
        assert found.headers["x-content-type-options"] == "nosniff"

    def test_what_the_adapter_says_wins(self) -> None:
        output = FileOutput(content_type="application/pdf", filename="Bericht Mai ä.pdf", inline=True)
        found = answer(FileLike(b"%PDF", name="other.txt"), output)
        assert found.headers["content-type"] == "application/pdf"
        assert found.headers["content-disposition"] == (
            "inline; filename=\"Bericht Mai _.pdf\"; filename*=UTF-8''Bericht%20Mai%20%C3%A4.pdf"
        )

    def test_files_are_read_from_their_start(self, tmp_path: Path) -> None:
        path = tmp_path / "a.bin"
        path.write_bytes(b"12345")
        like = FileLike(uri=str(path))
        like.read(3)
        stream = io.BytesIO(b"67")
        stream.read()
        with path.open("rb") as opened:
            for value, body in ((like, b"12345"), (stream, b"67"), (path, b"12345"), (opened, b"12345")):
                assert answer(value, FileOutput()).content == body

    def test_an_error_tells_no_path(self) -> None:
        found = answer(Path("/srv/secret/model.bin"), FileOutput())
        assert found.status_code == 500 and "srv" not in found.text

    def test_one_file_per_request_with_rows(self) -> None:
        client = make_client(lambda s, df: [b"x"] * len(df), DataframeInput(), output=FileOutput())
        assert client.post("/predict", json=[[1]]).content == b"x"
        several = client.post("/predict", json=[[1], [2]])
        assert (several.status_code, "2 results" in several.text) == (500, True)

    @given(st.text(max_size=300))
    def test_B70_any_name_is_one_safe_line(self, name: str) -> None:
        header = disposition(name, inline=False)
        assert header.isascii() and header.isprintable() and len(header) < 6000
        assert "/" not in header.partition("filename*")[0] and "\\" not in header
        assert header.partition(";")[0] == "attachment"

    def test_a_content_type_cannot_add_a_header(self) -> None:
        from bentoml.types import ReplyHead
        from bentoml.workers.host import _head_bytes

        raw = _head_bytes(ReplyHead(200, "text/plain\r\nset-cookie: a=b", (("x-a", "1\r\nx-b: 2"),)))
        assert raw[2:] == b"content-type: application/octet-stream\r\n"


class TestImages:
    def opened(self, value: Any, accept: str = "", **options: Any) -> Any:
        found = answer(value, ImageOutput(**options), accept)
        assert found.status_code == 200, found.text
        return Image.open(io.BytesIO(found.content))

    @pytest.mark.parametrize(
        ("mode", "kind", "written"),
        [
            *[("RGBA", "image/png", "RGBA"), ("RGBA", "image/jpeg", "RGB"), ("RGBA", "image/webp", "RGBA")],
            *[("LA", "image/png", "LA"), ("LA", "image/jpeg", "RGB"), ("LA", "image/webp", "RGBA")],
            *[("L", "image/png", "L"), ("L", "image/jpeg", "L"), ("L", "image/webp", "RGB")],
            *[("P", "image/png", "P"), ("P", "image/jpeg", "RGB"), ("1", "image/png", "1")],
            *[("1", "image/jpeg", "RGB"), ("CMYK", "image/png", "RGB"), ("CMYK", "image/jpeg", "CMYK")],
            *[("YCbCr", "image/png", "RGB"), ("HSV", "image/webp", "RGB"), ("I;16", "image/png", "I;16")],
        ],
    )
    def test_modes(self, mode: str, kind: str, written: str) -> None:
        image = self.opened(Image.new(mode, (7, 5)), kind)
        assert (image.mode, image.size) == (written, (7, 5))

    def test_16_bits_are_never_clipped_to_8(self) -> None:
        deep = Image.new("I;16", (2, 2), 40000)
        assert self.opened(deep).getpixel((0, 0)) == 40000
        for kind in ("image/jpeg", "image/webp"):
            found = answer(deep, ImageOutput(), kind)
            assert found.status_code == 500 and "I;16" in found.text

    def test_pixels_survive_png(self) -> None:
        pixels = numpy.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype="uint8")
        for view in (pixels, pixels[:, ::-1], numpy.asfortranarray(pixels), pixels[::2, ::3]):
            assert (numpy.asarray(self.opened(view)) == view).all()

    def test_quality(self) -> None:
        pixels = numpy.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype="uint8")
        sizes = [len(answer(pixels, ImageOutput("jpg", quality=q)).content) for q in (5, 95)]
        assert sizes[0] < sizes[1] / 3

    def test_a_truncated_image_of_the_user_fails_alone(self) -> None:
        out = io.BytesIO()
        Image.effect_noise((64, 64), 50).save(out, "PNG")
        cut = Image.open(io.BytesIO(out.getvalue()[:1000]))
        assert answer(cut, ImageOutput()).status_code == 500

    @pytest.mark.parametrize("options", [{"format": "TIFF"}, {"quality": 0}, {"quality": 101}])
    def test_wrong_options(self, options: Any) -> None:
        with pytest.raises(InvalidArgument):
            ImageOutput(**options)
