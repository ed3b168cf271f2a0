"""The decorators users write: each checks what it is given, records it and returns the same object.

Nothing is imported, read, installed or logged when a decorator runs; the service instance, the
bundle and the server act on the records later. The attributes 0.13 set on API functions are set too,
for code that looks at them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from bentoml.exceptions import InvalidArgument
from bentoml.keywords import explain_unknown

from .api_options import build_api_spec
from .artifacts.base import BentoServiceArtifact
from .artifacts.collection import check_declared
from .base import BentoService
from .env import BentoServiceEnv
from .spec import API_SPEC, HOOK_KIND, ApiSpec, HookKind, VersionSpec

if TYPE_CHECKING:
    from bentoml.adapters.base_input import BaseInputAdapter
    from bentoml.adapters.base_output import BaseOutputAdapter

Func = TypeVar("Func", bound=Callable[..., Any])
ServiceClass = TypeVar("ServiceClass", bound=type[Any])


def api(
    *args: Any,
    input: BaseInputAdapter | None = None,
    output: BaseOutputAdapter | None = None,
    api_name: str | None = None,
    route: str | None = None,
    api_doc: str | None = None,
    mb_max_batch_size: int = 4000,
    mb_max_latency: int = 20000,
    batch: bool = False,
    timeout_s: float | None = None,
    max_concurrency: int | None = None,
    thread_safe: bool = False,
    isolate: bool = True,
    idempotent: bool = False,
    example: Any = None,
    max_batch_rows: int | None = None,
    **kwargs: Any,
) -> Callable[[Func], Func]:
    """Make a method of a service an API.

    Args:
        args: 0.13's legacy form only: an input adapter class, as in `@api(DataframeInput, orient="split")`;
            further positional and unknown keyword arguments go to its constructor.
        input: the input adapter instance.
        output: the output adapter instance; `DefaultOutput()` when not given.
        api_name: name of the API; the function's name when not given.
        route: URL path; the API's name when not given.
        api_doc: text for people; the function's docstring when not given.
        mb_max_batch_size: most requests in one micro-batch.
        mb_max_latency: latency goal of a micro-batch in milliseconds.
        batch: True when the function takes a whole batch, False when it takes one item.
        timeout_s: seconds after which a request is answered 504; the server's setting when not given.
        max_concurrency: calls of the function one worker may have running at a time. Above 1 it
            needs an `async def` function or `thread_safe=True`.
        thread_safe: the function may be called from several threads at once.
        isolate: repeat a failing batch in parts so that one bad item fails alone. Switch it off
            for functions with side effects.
        idempotent: a request whose worker died may be run again.
        example: an example request value for the API's documentation; `http_input_example=` is
            accepted as another name for it.
        max_batch_rows: most rows in one micro-batch, for inputs whose requests carry several, such as
            `DataframeInput`. A request with more rows is run alone.

    Raises:
        InvalidArgument: a name, route, number, keyword or the function's signature is not usable.
    """
    options = {
        "timeout_s": timeout_s,
        "max_concurrency": max_concurrency,
        "thread_safe": thread_safe,
        "isolate": isolate,
        "idempotent": idempotent,
        "example": example,
        "max_batch_rows": max_batch_rows,
    }

    if args:
        _refuse_bare(args[0], FunctionType, "api(input=JsonInput())")

    def decorate(func: Func) -> Func:
        _refuse_shadowing(func, sys._getframe(1).f_locals)
        spec = build_api_spec(
            func,
            args,
            kwargs,
            input_adapter=input,
            output_adapter=output,
            api_name=api_name,
            route=route,
            api_doc=api_doc,
            mb_max_batch_size=mb_max_batch_size,
            mb_max_latency=mb_max_latency,
            batch=batch,
            **options,
        )
        _record_api(func, spec)
        return func

    return decorate


def _refuse_shadowing(func: Callable[..., Any], namespace: dict[str, Any]) -> None:
    """A second method of the same name silently replaces the first; say so where it is written."""
    name = getattr(func, "__name__", "")
    earlier = namespace.get(name)
    if "__qualname__" in namespace and hasattr(earlier, API_SPEC) and earlier is not func:
        raise InvalidArgument(
            f"Class '{namespace['__qualname__']}' defines the API function '{name}' twice; the second "
            "definition would replace the first. Give one of them another name"
        )


def _record_api(func: Callable[..., Any], spec: ApiSpec) -> None:
    marks = {
        API_SPEC: spec,
        "_is_api": True,
        "_input_adapter": spec.input_adapter,
        "_output_adapter": spec.output_adapter,
        "_api_name": spec.name,
        "_api_route": spec.route,
        "_api_doc": spec.doc,
        "_mb_max_batch_size": spec.mb_max_batch_size,
        "_mb_max_latency": spec.mb_max_latency_ms,
        "_batch": spec.batch,
    }
    for name, value in marks.items():
        setattr(func, name, value)


@explain_unknown("@bentoml.artifacts")
def artifacts(artifacts: Sequence[BentoServiceArtifact]) -> Callable[[ServiceClass], ServiceClass]:
    """Declare the artifacts of a service. Raises `InvalidArgument` for other objects or a double name."""
    _refuse_bare(artifacts, type, "artifacts([PickleArtifact('model')])")
    declared = check_declared(artifacts)

    def decorate(cls: ServiceClass) -> ServiceClass:
        _require_service(cls, "artifacts")._declared_artifacts = declared
        return cls

    return decorate


@explain_unknown("@bentoml.env")
def env(
    pip_dependencies: Sequence[str] | None = None,
    pip_packages: Sequence[str] | None = None,
    pip_index_url: str | None = None,
    pip_trusted_host: str | None = None,
    pip_extra_index_url: str | None = None,
    auto_pip_dependencies: bool | None = None,
    infer_pip_packages: bool = False,
    requirements_txt_file: str | os.PathLike[str] | None = None,
    conda_channels: Sequence[str] | None = None,
    conda_overwrite_channels: bool = False,
    conda_override_channels: bool = False,
    conda_dependencies: Sequence[str] | None = None,
    conda_env_yml_file: str | os.PathLike[str] | None = None,
    setup_sh: str | None = None,
    docker_base_image: str | None = None,
    zipimport_archives: Sequence[str] | None = None,
) -> Callable[[ServiceClass], ServiceClass]:
    """Declare what a service needs around it; the parameters are those of `BentoServiceEnv`."""
    parameters = dict(locals())
    _refuse_bare(pip_dependencies, type, "env(pip_packages=[...])")
    template = BentoServiceEnv(**parameters)

    def decorate(cls: ServiceClass) -> ServiceClass:
        _require_service(cls, "env")._env_template = template
        return cls

    return decorate


@explain_unknown("@bentoml.ver")
def ver(major: int | str, minor: int | str) -> Callable[[ServiceClass], ServiceClass]:
    """Prefix every version of the service: `"{major}.{minor}.{version}"`."""

    def decorate(cls: ServiceClass) -> ServiceClass:
        _require_service(cls, "ver")._version_spec = VersionSpec(major, minor)
        return cls

    return decorate


@explain_unknown("@bentoml.web_static_content")
def web_static_content(
    path: str | os.PathLike[str],
) -> Callable[[ServiceClass], ServiceClass]:
    """Serve a directory with an `index.html` at `/`. The path is taken from the directory of saving."""
    _refuse_bare(path, type, "web_static_content('./static')")

    def decorate(cls: ServiceClass) -> ServiceClass:
        _require_service(cls, "web_static_content")._web_static_content = os.fspath(path)
        return cls

    return decorate


def on_worker_start(func: Func | None = None) -> Any:
    """Run this method once in every worker, after the artifacts are loaded, before it is ready.

    May be `async def`. Used bare or with parentheses.
    """
    return _hook("start", func)


def on_worker_stop(func: Func | None = None) -> Any:
    """Run this method once in every worker when it stops gracefully. May be `async def`."""
    return _hook("stop", func)


def _hook(kind: HookKind, func: Func | None) -> Any:
    if func is None:
        return lambda later: _hook(kind, later)
    if not callable(func):
        raise InvalidArgument(
            f"@bentoml.on_worker_{kind} belongs on a method (def name(self): ...), not on {func!r}"
        )
    setattr(func, HOOK_KIND, kind)
    return func


def _refuse_bare(first: Any, kind: type[Any], usage: str) -> None:
    """`@bentoml.env` without parentheses would take the class for its first argument."""
    if isinstance(first, kind):
        name, where = usage.partition("(")[0], getattr(first, "__name__", first)
        raise InvalidArgument(f"@bentoml.{name} on '{where}' has no parentheses; write @bentoml.{usage}")


def _require_service(cls: Any, decorator: str) -> type[BentoService]:
    if isinstance(cls, type) and issubclass(cls, BentoService):
        return cls
    raise InvalidArgument(
        f"@bentoml.{decorator} can only be used on classes derived from bentoml.BentoService, not on {cls!r}"
    )
