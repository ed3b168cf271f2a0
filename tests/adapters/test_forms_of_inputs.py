"""The contract suite for adapters whose items are forms with several fields."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest
from contracts import served
from contracts.form_contract import FormAdapterContract, Item

from bentoml.testing import Request


def form(item: Item, **texts: str) -> Request:
    return Request.build(files=item, data=texts)


def picture(size: tuple[int, int], colour: tuple[int, int, int], kind: str = "PNG") -> bytes:
    image = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


class TestMultiFileInput(FormAdapterContract):
    MODULE = "bentoml.adapters.multi_file_input"
    CLASS = "MultiFileInput"

    def adapter(self, **options: Any) -> Any:
        return super().adapter(**{"input_names": ["left", "right_one"], **options})

    ONE = served.two_files
    SERVED = "two_files"

    def files(self) -> list[Item]:
        return [
            {"left": ("a.bin", b"\xff\x00"), "right_one": ("b.bin", b"1")},
            {"left": ("c d.txt", b"\r\n--x"), "right_one": ("ä.bin", b"")},
        ]

    def good(self) -> list[Request]:
        swapped = {name: self.files()[0][name] for name in ("right_one", "left")}
        packed = form(self.files()[1])
        headers = {**packed.headers, "Content-Encoding": "gzip"}
        return [
            *map(form, self.files()),
            form(swapped),
            form(self.files()[0], note="ignored"),
            Request.build(data=gzip.compress(packed.body), headers=headers),
        ]

    def bad(self) -> list[Request]:
        first = self.files()[0]
        return [
            Request.build(data=b"raw"),
            Request.build(json={"left": "a"}),
            form({"left": first["left"]}),
            form({"left": first["left"], "wrong": first["right_one"]}),
            form({**first, "third": ("c", b"3")}),
            form({"left": first["left"]}, right_one="http://127.0.0.1/x"),
        ]

    def test_import_reads_the_standard_library_only(self) -> None:
        _imports_nothing(self.MODULE, f"{self.CLASS}(['a', 'b'])")


class TestMultiImageInput(FormAdapterContract):
    MODULE = "bentoml.adapters.multi_image_input"
    CLASS = "MultiImageInput"

    def adapter(self, **options: Any) -> Any:
        return super().adapter(**{"input_names": ("first", "second"), **options})

    ONE = served.two_images
    SERVED = "two_images"

    def files(self) -> list[Item]:
        return [
            {"first": ("a.png", picture((2, 1), (1, 2, 3))), "second": ("b.BMP", picture((1, 1), (4, 5, 6)))},
            {"first": ("a.png", picture((3, 3), (0, 0, 9))), "second": ("b.png", picture((1, 4), (7, 0, 0)))},
        ]

    def good(self) -> list[Request]:
        return [*map(form, self.files()), form(self.files()[1], note="x"), form(self.files()[0])]

    def bad(self) -> list[Request]:
        first = self.files()[0]
        return [
            form({"first": first["first"]}),
            form({**first, "second": ("b.txt", first["second"][1])}),
            form({**first, "second": ("b.png", b"no picture")}),
            form({**first, "second": ("b.png", first["first"][1][:30])}),
            form({**first, "third": first["first"]}),
            Request.build(data=first["first"][1], headers={"Content-Type": "image/png"}),
        ]


class TestAnnotatedImageInput(FormAdapterContract):
    MODULE = "bentoml.adapters.annotated_image_input"
    CLASS = "AnnotatedImageInput"

    ONE = served.annotated
    SERVED = "annotated"

    def files(self) -> list[Item]:
        return [
            {"image": ("a.png", picture((2, 1), (1, 2, 3))), "annotations": ("n.json", b'{"x": [1, 2.5]}')},
            {"image": ("b.jpg", picture((2, 2), (0, 0, 0))), "annotations": ("n.json", '["ä"]'.encode())},
        ]

    def good(self) -> list[Request]:
        image = {"image": self.files()[0]["image"]}
        return [*map(form, self.files()), form(image), form(image, annotations='{"as": "text"}')]

    def bad(self) -> list[Request]:
        first = self.files()[0]
        return [
            form({"annotations": first["annotations"]}),
            form({**first, "annotations": ("n.json", b"{bad")}),
            form({**first, "annotations": ("n.json", b'"\xff"')}),
            form({**first, "image": ("", first["image"][1])}),
            form({**first, "image": ("a.exe", first["image"][1])}),
        ]


def _imports_nothing(module: str, made: str) -> None:
    import subprocess
    import sys

    probe = (
        f"import sys, {module} as m; m.{made};"
        "print([n for n in ('numpy', 'pandas', 'orjson', 'PIL', 'yaml') if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
