"""One image in, an array of its pixels to the user function."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from bentoml.exceptions import BadInput, MissingDependencyException
from bentoml.types import FileLike, InferenceTask, Payload

from .base_input import Group
from .file_input import FileInput
from .pixels import decode_image
from .schemas import BINARY, one_file


class ImageInput(FileInput):
    """A raw body or a form with one image file.

    The user function gets H×W×C `numpy.ndarray` of `uint8` (H×W for one-channel modes): a list of
    them in batch mode, one otherwise. What the data is decides, not its name or type; see `pixels`
    for formats, limits and colour rules.

    Args:
        accept_image_formats: file name endings a named upload may have; None takes those of the
            setting `adapters.image_input.default_extensions`.
        pilmode: Pillow mode of the result, `"RGB"` by default; None keeps the image's own mode.
    """

    def __init__(
        self,
        accept_image_formats: Sequence[str] | None = None,
        pilmode: str | None = "RGB",
        http_input_example: Any = None,
        **base_config: Any,
    ) -> None:
        if "input_names" in base_config:
            raise TypeError(
                "ImageInput takes one image and no `input_names`; use MultiImageInput for several"
            )
        super().__init__(http_input_example=http_input_example, **base_config)
        self.pilmode = pilmode
        self._endings = [_ending(e) for e in accept_image_formats] if accept_image_formats else None

    @property
    def accept_image_formats(self) -> list[str]:
        """Endings that a named upload may have, those of the configuration where none were given."""
        if self._endings is None:
            from bentoml.settings import load_settings  # noqa: PLC0415 - loads pydantic

            self._endings = [_ending(e) for e in load_settings().adapters.image_extensions]
        return self._endings

    @property
    def config(self) -> dict[str, Any]:
        return {
            **super().config,
            "accept_image_formats": list(self.accept_image_formats),
            "pilmode": self.pilmode,
        }

    @property
    def pip_dependencies(self) -> list[str]:
        return ["pillow", "numpy"]

    def decode(self, payload: Payload) -> Any:
        return self.read_image(self.read_file(payload))

    def parse_task(self, task: InferenceTask) -> Any:
        return self.read_image(task.data)

    def read_image(self, file: FileLike) -> Any:
        """The pixels of a file. Raises `BadInput` or `PayloadTooLarge`."""
        self.check_name(file.name)
        data = file.bytes_ if file.bytes_ is not None else file.read()
        try:
            return decode_image(io.BytesIO(data), self.pilmode, self.limits)
        except ImportError as err:
            raise MissingDependencyException(
                f"ImageInput needs the package '{err.name}'. Install it with: pip install 'bentoml[image]'"
            ) from err

    def check_name(self, name: str) -> None:
        if not name:
            return
        ending = PurePosixPath(name.replace("\\", "/").replace("\0", "")).suffix.lower()
        if ending not in self.accept_image_formats:
            raise BadInput(f"Current service only accepts {self.accept_image_formats} formats")

    def merge(self, values: list[Any]) -> list[Group]:
        return [Group(range(len(values)), (values,), [None] * len(values))]

    def merge_all(self, values: list[Any], tasks: Sequence[InferenceTask]) -> tuple[Any, ...]:
        return (values,)

    def default_schema(self) -> dict[str, Any]:
        return {"image/*": {"schema": dict(BINARY)}, "multipart/form-data": one_file("image_file")}


def _ending(text: str) -> str:
    return text.lower() if text.startswith(".") else f".{text.lower()}"
