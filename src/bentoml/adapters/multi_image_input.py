"""Several named images in one form, one array each to the user function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bentoml.types import FileLike

from .form_fields import TextFields
from .image_input import ImageInput
from .multi_file_input import MultiFileInput


class MultiImageInput(MultiFileInput):
    """A `multipart/form-data` request with one image per name; all of them are required.

    The user function gets one argument per name, in order: a tuple of arrays each in batch mode, one
    array each otherwise. Formats, limits and colour rules are those of `ImageInput`.

    Args:
        input_names: the form's file fields.
        pilmode: Pillow mode of the arrays; None keeps each image's own mode.
        accept_image_formats: file name endings an upload may have.
        text_fields: as of `MultiFileInput`.
    """

    def __init__(
        self,
        input_names: Sequence[str] = ("image",),
        pilmode: str | None = "RGB",
        accept_image_formats: Sequence[str] | None = None,
        text_fields: TextFields = (),
        http_input_example: Any = None,
        **base_config: Any,
    ) -> None:
        super().__init__(
            input_names, text_fields=text_fields, http_input_example=http_input_example, **base_config
        )
        self._reader = ImageInput(accept_image_formats, pilmode)

    @property
    def pilmode(self) -> str | None:
        return self._reader.pilmode

    @property
    def accept_image_formats(self) -> list[str]:
        return self._reader.accept_image_formats

    @property
    def config(self) -> dict[str, Any]:
        config = {**super().config, **self._reader.config}
        del config["allow_none"]
        return config

    @property
    def pip_dependencies(self) -> list[str]:
        return self._reader.pip_dependencies

    def convert(self, name: str, file: FileLike) -> Any:
        return self.read_image(file)

    def read_image(self, file: FileLike) -> Any:
        """The pixels of a file. Raises `BadInput` or `PayloadTooLarge`."""
        self._reader.limits = self.limits
        return self._reader.read_image(file)
