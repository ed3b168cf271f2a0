"""The steps from a service instance to a bundle that belong to the authoring side.

The bundle and repository areas lie above this one; their imports are the one upward step of the
package and happen inside the functions.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import BentoMLException
from bentoml.tags import validate_labels, validate_lineage

from .env import distribution_name

if TYPE_CHECKING:
    from .base import BentoService
    from .env import BentoServiceEnv

logger = logging.getLogger("bentoml.service")


def check_saveable(service: object) -> None:
    """Refuse what cannot become a bundle, and name artifacts that were declared and never packed.

    Raises:
        BentoMLException: not a service instance, or its class was typed into an interpreter.
    """
    from bentoml.observability.logs import user_logger  # noqa: PLC0415 - adds a console handler

    from .base import BentoService  # noqa: PLC0415 - base imports this module

    user_logger()  # what saving warns about must reach the user
    if not isinstance(service, BentoService) or type(service) is BentoService:
        raise BentoMLException(
            f"save_to_dir only works with instances of custom BentoService class, not {service!r}"
        )
    cls = type(service)
    module = sys.modules.get(cls.__module__)
    if cls.__module__ == "__main__" and not os.path.isfile(getattr(module, "__file__", None) or ""):
        raise BentoMLException(
            f"BentoService '{cls.__name__}' is defined in an interactive session, so there is no file to "
            f"save. Write the class to a file, e.g. {cls.__name__.lower()}.py (in a notebook: "
            "%%writefile), import it from there and pack and save again"
        )
    _warn_about_empty_artifacts(service)


def _warn_about_empty_artifacts(service: BentoService) -> None:
    empty = [artifact.name for artifact in service.artifacts.get_artifact_list() if not artifact.packed]
    for name in empty:
        logger.warning(
            "Missing declared artifact '%s' for BentoService '%s'. "
            "Pack it before saving: svc.pack('%s', ...)",
            name,
            service.name,
            name,
        )


def save_to_repository(
    service: BentoService,
    *,
    yatai_url: str | None,
    version: str | None,
    labels: Mapping[str, str] | None,
    examples: Mapping[str, Sequence[Any]] | None = None,
    lineage: Mapping[str, str] | None = None,
) -> str:
    """Save to the local repository, or to the server at `yatai_url`; returns the location."""
    origin = validate_lineage(lineage)
    with recorded(service, examples):
        return _save(service, yatai_url, version, {**service.labels, **validate_labels(labels)}, origin)


@contextlib.contextmanager
def recorded(service: BentoService, examples: Mapping[str, Sequence[Any]] | None) -> Iterator[None]:
    """Inside, whoever writes the bundle finds the examples with their answers on the service."""
    if not examples:
        yield
        return
    from bentoml.inference.examples import record_examples  # noqa: PLC0415 - upward

    check_saveable(service)
    service._recorded_examples = record_examples(service, examples)
    try:
        yield
    finally:
        service._recorded_examples = None


def _save(
    service: BentoService,
    yatai_url: str | None,
    version: str | None,
    labels: dict[str, str],
    lineage: dict[str, str],
) -> str:
    if yatai_url:
        from bentoml.yatai.client import get_yatai_client  # noqa: PLC0415 - upward

        client: Any = get_yatai_client(yatai_url)
        return str(client.repository.upload(service, version, labels, lineage))
    from bentoml.repository.open import open_repository  # noqa: PLC0415 - upward

    return str(open_repository().save(service, version, labels or None, lineage))


def save_to_directory(
    service: BentoService,
    path: str | os.PathLike[str],
    version: str | None = None,
    *,
    silent: bool = False,
    examples: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write a bundle into the existing directory `path`; `silent` leaves out the closing line."""
    from bentoml.bundle.save import save_to_dir  # noqa: PLC0415 - upward

    save_to_dir(service, path, version=version, silent=silent, examples=examples)


def save(
    bento_service: BentoService,
    base_path: str | os.PathLike[str] | None = None,
    version: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> str:
    """Deprecated: use `bento_service.save()`.

    Args:
        bento_service: the packed service.
        base_path: root directory of another local repository.
        version: replaces the service's version.
        labels: names and values stored with the bundle.
    """
    warnings.warn(
        "bentoml.save is deprecated and will be removed in 1.0; call save() on the service instance",
        DeprecationWarning,
        stacklevel=2,
    )
    if base_path is None:
        return bento_service.save(version=version, labels=labels)
    from pathlib import Path  # noqa: PLC0415 - next to its only use

    from bentoml.repository.local import LocalRepository  # noqa: PLC0415 - upward

    repository = LocalRepository(directory=Path(base_path))
    return str(repository.save(bento_service, version=version, labels=validate_labels(labels) or None))


def metadata_dict(service: BentoService) -> dict[str, Any]:
    """Name, version, environment, APIs and artifacts of an instance, as plain data."""
    return {
        "name": service.name,
        "version": service.version,
        "env": service.env.to_dict(),
        "apis": [
            {
                "name": api.name,
                "route": api.route,
                "docs": api.doc,
                "batch": api.batch,
                "input_type": type(api.input_adapter).__name__,
                "output_type": type(api.output_adapter).__name__,
                "input_config": dict(api.input_adapter.config or {}),
                "output_config": dict(api.output_adapter.config or {}),
                "mb_max_latency": api.mb_max_latency,
                "mb_max_batch_size": api.mb_max_batch_size,
            }
            for api in service.inference_apis
        ],
        "artifacts": [
            {
                "name": artifact.name,
                "artifact_type": type(artifact).__name__,
                "metadata": dict(artifact.metadata),
            }
            for artifact in service.artifacts.get_artifact_list()
        ],
    }


def infer_packages(service: BentoService) -> list[str]:
    """Requirement strings for what the modules of `service` import, as found by the bundle writer."""
    from bentoml.bundle.environment import infer_packages as infer  # noqa: PLC0415 - upward

    return list(infer(service))


def inferred_versions(service: BentoService) -> dict[str, str]:
    """Distribution → installed version of what the service's modules import, `bentoml` included."""
    from importlib.metadata import version  # noqa: PLC0415 - slow to import, rarely needed

    from bentoml import __version__  # noqa: PLC0415 - the package itself is complete by now

    names = [distribution_name(package) for package in infer_packages(service)]
    return {"bentoml": __version__, **{name: version(name) for name in names if name != "bentoml"}}


def write_environment(env: BentoServiceEnv, directory: str | os.PathLike[str]) -> None:
    """Write requirements.txt, environment.yml and the other environment files into `directory`."""
    from bentoml.bundle.environment import write_environment as write  # noqa: PLC0415 - upward

    write(env, directory)
