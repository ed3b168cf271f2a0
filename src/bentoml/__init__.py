"""Turn a trained model into a fast, versioned prediction service.

Importing this package reads the standard library only; every public name is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.14.0"

if TYPE_CHECKING:
    from .bundle.load import load_from_dir as load_from_dir
    from .bundle.save import save_to_dir as save_to_dir
    from .cli.main import commandline_interface as commandline_interface
    from .observability.logs import configure_logging as configure_logging
    from .service import BentoService as BentoService
    from .service.decorators import api as api
    from .service.decorators import artifacts as artifacts
    from .service.decorators import env as env
    from .service.decorators import on_worker_start as on_worker_start
    from .service.decorators import on_worker_stop as on_worker_stop
    from .service.decorators import ver as ver
    from .service.decorators import web_static_content as web_static_content
    from .service.saving import save as save

    load = load_from_dir

_PUBLIC = {
    "BentoService": "bentoml.service",
    "api": "bentoml.service.decorators",
    "artifacts": "bentoml.service.decorators",
    "commandline_interface": "bentoml.cli.main",
    "configure_logging": "bentoml.observability.logs",
    "env": "bentoml.service.decorators",
    "load": "bentoml.bundle.load:load_from_dir",
    "load_from_dir": "bentoml.bundle.load",
    "on_worker_start": "bentoml.service.decorators",
    "on_worker_stop": "bentoml.service.decorators",
    "save": "bentoml.service.saving",
    "save_to_dir": "bentoml.bundle.save",
    "ver": "bentoml.service.decorators",
    "web_static_content": "bentoml.service.decorators",
}

__all__ = ["__version__", *sorted(_PUBLIC)]  # noqa: PLE0604 - the table above is the one list


def __getattr__(name: str) -> Any:
    target = _PUBLIC.get(name)
    if target is None:
        raise AttributeError(f"module 'bentoml' has no attribute '{name}'")
    module_name, _, attribute = target.partition(":")
    value = getattr(importlib.import_module(module_name), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
