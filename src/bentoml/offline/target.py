"""Which API an offline run calls, and what its adapter says about the input."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.adapters.file_input import FileInput
from bentoml.bundle.load import load_service_class
from bentoml.exceptions import InvalidArgument, NotFound
from bentoml.repository.open import open_repository
from bentoml.service.members import api_specs

from .kept import ALL
from .runner import fields_of, takes_tables
from .sources.base import Wanted
from .values import Mode

if TYPE_CHECKING:
    from bentoml.service import BentoService
    from bentoml.service.spec import ApiSpec


@dataclass(frozen=True, slots=True)
class Target:
    """One API of a service that is saved, live in this process, or both."""

    service_class: type[BentoService]
    spec: ApiSpec
    bundle: Path | None = None
    service: BentoService | None = None

    @property
    def identity(self) -> dict[str, str]:
        version = self.service_class._bento_service_bundle_version
        name = self.service_class.name
        return {"bundle": f"{name}:{version}" if version else name, "api": self.spec.name}

    @property
    def takes_files(self) -> bool:
        return isinstance(self.spec.input_adapter, FileInput)

    def wanted(self, keep: Sequence[str]) -> Wanted:
        """What the source is told: how to read, and which columns are used at all."""
        adapter: Any = self.spec.input_adapter
        fields = fields_of(adapter)
        columns = fields.names if fields else getattr(adapter, "columns", None)
        if columns is not None and ALL not in keep:
            columns = [*columns, *(name for name in keep if name not in columns)]
        else:
            columns = None
        texts = frozenset(fields.names) if fields else adapter.text_columns
        return Wanted(takes_tables(adapter), texts, columns)

    def check(self, mode: Mode) -> None:
        """Raises `InvalidArgument` when rows of that kind are nothing the API can read."""
        fields = fields_of(self.spec.input_adapter)
        if fields and mode == "files":
            raise InvalidArgument(
                f"An item of API '{self.spec.name}' has the fields {', '.join(fields.names)}, so a file is "
                f"none; give a table with a column for each, which holds paths, URLs or bytes"
            )

    def saved(self, who: str) -> Path:
        """The saved service. Raises `InvalidArgument` when it is not saved, saying who needs it."""
        if self.bundle is None:
            raise InvalidArgument(f"For {who} the service has to be saved, to be loaded there; save it first")
        return self.bundle


def find_target(service: Any, api_name: str | None) -> Target:
    """The API `api_name` of `service`, the first one for None.

    Args:
        service: a `BentoService`, or the directory or `Name:version` of a saved one.

    Raises:
        NotFound: there is no such bundle or no such API.
    """
    if isinstance(service, (str, os.PathLike)):
        bundle = Path(service) if os.path.isdir(service) else open_repository().resolve(os.fspath(service))
        cls = load_service_class(bundle)
        return Target(cls, _spec(cls, api_name), bundle)
    cls = type(service)
    path = cls._bento_service_bundle_path
    return Target(cls, _spec(cls, api_name), Path(path) if path else None, service)


def _spec(cls: type[BentoService], api_name: str | None) -> ApiSpec:
    specs = [spec for _, spec in api_specs(cls)]
    for spec in specs:
        if not api_name or spec.name == api_name:
            return spec
    known = ", ".join(spec.name for spec in specs) or "none"
    raise NotFound(f"Can't find API '{api_name}' in service '{cls.name}'; its APIs: {known}")
