"""A service for offline runs, written to a folder, saved as a bundle, and read back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SERVICE = """
import os
import time

import bentoml
from bentoml.adapters import DataframeInput, FileInput, ImageInput, JsonInput, StringInput


class Offline(bentoml.BentoService):
    @bentoml.api(input=DataframeInput(columns=["a", "b"]), batch=True)
    def total(self, df):
        return df["a"] * 2 + df["b"]

    @bentoml.api(input=DataframeInput(), batch=True)
    def no_sevens(self, df):
        time.sleep(len(df) * float(os.environ.get("SECONDS_PER_ROW", "0")))
        if (df["a"] % 10 == 7).any():
            raise ValueError("a seven")
        return (df["a"] * 2 + df["b"]).tolist()

    @bentoml.api(input=DataframeInput(), batch=True)
    def dies_at_13(self, df):
        if (df["a"] == 13).any():
            os._exit(3)
        return df["a"]

    @bentoml.api(input=DataframeInput(), batch=True)
    def process(self, df):
        self.loaded = getattr(self, "loaded", None) or f"{os.getpid()}/{id(self)}"
        return [self.loaded] * len(df)

    @bentoml.api(input=DataframeInput(), batch=True)
    def one_result(self, df):
        return [1]

    @bentoml.api(input=JsonInput(), batch=True)
    def objects(self, rows):
        return [{"twice": row["a"] * 2} for row in rows]

    @bentoml.api(input=StringInput(), batch=False)
    def upper(self, text):
        return text.upper()

    @bentoml.api(input=FileInput(), batch=True)
    def size(self, files):
        return [len(file.read()) for file in files]

    @bentoml.api(input=ImageInput(), batch=True)
    def shape(self, images):
        return [list(image.shape) for image in images]
"""


@contextmanager
def imported(folder: Path) -> Iterator[Any]:
    """The class of the service, imported from a module in `folder`."""
    (folder / "offline_service.py").write_text(SERVICE)
    sys.path.insert(0, str(folder))
    try:
        import offline_service  # type: ignore[import-not-found]

        yield offline_service.Offline
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("offline_service", None)
