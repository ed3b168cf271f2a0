"""An image and what is known about it as JSON, two arguments to the user function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bentoml.exceptions import BadInput
from bentoml.types import FileLike

from .form_fields import TextFields, form_fields
from .json_codec import INVALID, loads
from .multi_image_input import MultiImageInput
from .multipart import Part


class AnnotatedImageInput(MultiImageInput):
    """A `multipart/form-data` request with an image and, optionally, a JSON document.

    The user function gets the array and the parsed JSON, None where a request has none; a tuple of
    each in batch mode. The annotations may be a file or a text field.

    Args:
        image_input_name: the field of the image; its file needs a name with an accepted ending.
        annotation_input_name: the field of the annotations.
        pilmode: Pillow mode of the array; None keeps the image's own mode.
        accept_image_formats: file name endings the image may have.
        text_fields: as of `MultiFileInput`; they follow the annotations.
    """

    def __init__(
        self,
        image_input_name: str = "image",
        annotation_input_name: str = "annotations",
        pilmode: str | None = "RGB",
        accept_image_formats: Sequence[str] | None = None,
        text_fields: TextFields = (),
        http_input_example: Any = None,
        **base_config: Any,
    ) -> None:
        names = (image_input_name, annotation_input_name)
        super().__init__(names, pilmode, accept_image_formats, text_fields, http_input_example, **base_config)
        self.image_input_name, self.annotation_input_name = names
        self.fields = form_fields(names, text_fields, optional=(annotation_input_name,))

    @property
    def config(self) -> dict[str, Any]:
        config = super().config
        del config["input_names"]
        names = {
            "image_input_name": self.image_input_name,
            "annotation_input_name": self.annotation_input_name,
        }
        return {**config, **names}

    def read_parts(self, parts: Sequence[Part]) -> Sequence[Part]:
        """The parts, annotations in a text field as if they had been a file without a name."""
        name = self.annotation_input_name
        return [p._replace(filename=p.filename or "") if p.name == name and p.data else p for p in parts]

    def convert(self, name: str, file: FileLike) -> Any:
        if name == self.annotation_input_name:
            return self._annotations(file)
        if not file.name:
            raise BadInput(
                f"the image needs a filename that ends in one of {', '.join(self.accept_image_formats)}"
            )
        return self.read_image(file)

    def _annotations(self, file: FileLike) -> Any:
        data = file.bytes_ if file.bytes_ is not None else file.read()
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as err:
            raise BadInput("JSON must be in unicode") from err
        try:
            return loads(data.removeprefix(b"\xef\xbb\xbf"), self.limits)
        except BadInput as err:
            reason = str(err).removeprefix(INVALID).removeprefix(": ")
            raise BadInput(f"received invalid JSON file: {reason}") from err
