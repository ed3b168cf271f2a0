"""Forms with named fields: which files and texts a request must have, and where each one goes.

A field is either a file or a text, and the service says which. A file where a text belongs, the
other way round, a field sent twice and a file nobody asked for are the client's errors and name the
field; other text fields are ignored, because browsers send some of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bentoml.exceptions import BadInput, InvalidArgument
from bentoml.types import FileLike

from .content import decode_text
from .multipart import Part
from .schemas import BINARY

TextFields = Sequence[str] | Mapping[str, str | None]


class FormFields(NamedTuple):
    """The fields of a form.

    Attributes:
        files: names of file fields, in the order of the function's arguments.
        optional: those of `files` that may be missing.
        texts: name of each text field → its default; a field of `needed_texts` has none.
        needed_texts: text fields a request must have.
    """

    files: tuple[str, ...]
    optional: frozenset[str]
    texts: Mapping[str, str | None]
    needed_texts: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.files, *self.texts)

    def schema(self) -> dict[str, Any]:
        """The OpenAPI media object of the form."""
        properties: dict[str, Any] = {name: dict(BINARY) for name in self.files}
        for name, default in self.texts.items():
            properties[name] = (
                {"type": "string"} if default is None else {"type": "string", "default": default}
            )
        required = [name for name in self.files if name not in self.optional]
        required += [name for name in self.texts if name in self.needed_texts]
        schema = {"type": "object", "properties": properties}
        return {"schema": {**schema, "required": required} if required else schema}

    def read(self, parts: Iterable[Part], kind: str) -> tuple[FileLike | str | None, ...]:
        """The values of all fields in order; None for an optional one that is missing.

        Args:
            kind: name of the adapter, for messages.

        Raises:
            BadInput: names the field that is missing, unexpected, sent twice or of the wrong sort.
        """
        found = self._sort(parts, kind)
        missing = [
            name
            for name in self.names
            if name not in found and name not in self.optional and name not in self._with_default()
        ]
        if missing:
            raise BadInput(
                f"BentoML#{kind} requires inputs fields {list(self.names)}: "
                f"missing {', '.join(repr(name) for name in missing)}"
            )
        files = [found.get(name) for name in self.files]
        return (*files, *(found.get(name, default) for name, default in self.texts.items()))

    def _with_default(self) -> frozenset[str]:
        return frozenset(self.texts) - self.needed_texts

    def _sort(self, parts: Iterable[Part], kind: str) -> dict[str, FileLike | str]:
        found: dict[str, FileLike | str] = {}
        for part in parts:
            value = self._value(part, kind)
            if value is None:
                continue
            if part.name in found:
                raise BadInput(f"BentoML#{kind}: field {part.name!r} was sent twice; send it once")
            found[part.name] = value
        return found

    def _value(self, part: Part, kind: str) -> FileLike | str | None:
        name = part.name[:128]
        if part.name in self.files:
            if not part.is_file:
                raise BadInput(
                    f"BentoML#{kind} requires inputs fields {list(self.names)}: field {name!r} must be a "
                    f"file, with a filename; it was sent as text"
                )
            if not part.filename and not part.data:  # what a browser sends when no file was chosen
                return None
            return FileLike(bytes_=part.data, name=part.filename)
        if part.name in self.texts:
            if part.is_file:
                raise BadInput(f"BentoML#{kind}: field {name!r} must be text; it was sent as a file")
            return decode_text(part.data, part.charset)
        if part.is_file:
            raise BadInput(
                f"BentoML#{kind} requires inputs fields {list(self.names)}: there is no file field {name!r}"
            )
        return None


def form_fields(files: Sequence[str], text_fields: TextFields, optional: Iterable[str] = ()) -> FormFields:
    """The fields of a form. Raises `InvalidArgument` for names that are missing, doubled or not text."""
    for given in (files, text_fields):
        if isinstance(given, str):
            raise InvalidArgument(f"field names must be a list, not the single text {given!r}")
    needed = frozenset[str]() if isinstance(text_fields, Mapping) else frozenset(text_fields)
    texts = dict(text_fields) if isinstance(text_fields, Mapping) else dict.fromkeys(text_fields)
    names = (*files, *text_fields)
    if not files or not all(isinstance(name, str) and name for name in names):
        raise InvalidArgument(f"field names must be one or more non-empty texts, not {list(names)!r}")
    if len(set(names)) != len(names):
        raise InvalidArgument(f"every field needs a name of its own; {list(names)} has one twice")
    return FormFields(tuple(files), frozenset(optional), texts, needed)
