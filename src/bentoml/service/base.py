"""`BentoService`: the class users derive from, holding what was declared and packed.

An instance is cheap and touches nothing outside the process: saving, loading and serving are other
areas, reached from here only by late imports in `save`, `save_to_dir` and the dev server.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from bentoml.exceptions import BentoMLConfigException, BentoMLException, NotFound
from bentoml.tags import validate_labels, validate_service_name, validate_version

from . import saving
from .artifacts.base import BentoServiceArtifact
from .artifacts.collection import ArtifactCollection
from .env import BentoServiceEnv
from .inference_api import InferenceAPI
from .members import api_specs, check_distinct, hooks
from .spec import VersionSpec

if TYPE_CHECKING:
    from .dev_server import DevServer

WEB_STATIC_DIR = "web_static_content"


class _ServiceName:
    """`name`, readable on the class and on its instances."""

    def __get__(self, instance: BentoService | None, owner: type[BentoService]) -> str:
        return validate_service_name(owner._bento_service_name or owner.__name__)


class BentoService:
    """A prediction service: artifacts plus the API functions that use them.

    Derive from it, declare with the decorators of `bentoml`, `pack` the artifacts, then `save`.
    A subclass may define `__init__` if it calls `super().__init__()`.
    """

    _bento_service_name: ClassVar[str | None] = None
    _bento_service_bundle_path: ClassVar[str | None] = None
    _bento_service_bundle_version: ClassVar[str | None] = None

    _declared_artifacts: ClassVar[tuple[BentoServiceArtifact, ...]] = ()
    _env_template: ClassVar[BentoServiceEnv | None] = None
    _version_spec: ClassVar[VersionSpec | None] = None
    _web_static_content: ClassVar[str | None] = None

    name = _ServiceName()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls._bento_service_name is not None:
            validate_service_name(cls._bento_service_name)
        check_distinct(cls.__name__, api_specs(cls))

    def __init__(self) -> None:
        cls = type(self)
        self._labels: dict[str, str] = {}
        self._dev_server: DevServer | None = None
        self._recorded_examples: str | None = None
        self._version: str | None = cls._bento_service_bundle_version
        self._artifacts = ArtifactCollection.fresh(cls._declared_artifacts, cls.__name__)
        if self._bento_service_bundle_path is not None:
            self._artifacts.load_all(_artifacts_dir(os.fspath(self._bento_service_bundle_path), self.name))
        self._inference_apis = [InferenceAPI(self, attribute, spec) for attribute, spec in api_specs(cls)]
        self._env = cls._env_template.copy() if cls._env_template else BentoServiceEnv()
        self._collect_requirements()

    def _collect_requirements(self) -> None:
        with self._env.filling_gaps():
            for api in self._inference_apis:
                self._env.add_pip_packages(api.input_adapter.pip_dependencies)
                self._env.add_pip_packages(api.output_adapter.pip_dependencies)
            for artifact in self._artifacts.get_artifact_list():
                artifact.set_dependencies(self._env)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in (
                "_artifacts",
                "_env",
                "_inference_apis",
                "_labels",
                "_version",
                "_dev_server",
                "_recorded_examples",
            ):
                raise BentoMLConfigException(
                    f"{type(self).__name__}.__init__ did not call super().__init__(), so the service has no "
                    "artifacts, environment or APIs. Make super().__init__() its first line"
                )
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @property
    def artifacts(self) -> ArtifactCollection:
        """`self.artifacts.<name>` is the packed object, `self.artifacts["<name>"]` its wrapper."""
        return self._artifacts

    @property
    def env(self) -> BentoServiceEnv:
        return self._env

    @property
    def inference_apis(self) -> list[InferenceAPI]:
        """The APIs, in alphabetical order of their functions' names."""
        return self._inference_apis

    def get_inference_api(self, api_name: str | None) -> InferenceAPI:
        """The API of that name, the first one for an empty name. Raises `NotFound`."""
        if not api_name and self._inference_apis:
            return self._inference_apis[0]
        for api in self._inference_apis:
            if api.name == api_name:
                return api
        known = ", ".join(api.name for api in self._inference_apis) or "none"
        raise NotFound(f"Can't find API '{api_name}' in service '{self.name}'; its APIs: {known}")

    @property
    def start_hooks(self) -> list[Callable[[], Any]]:
        """Bound `@on_worker_start` methods, in order of definition."""
        return hooks(self, "start")

    @property
    def stop_hooks(self) -> list[Callable[[], Any]]:
        """Bound `@on_worker_stop` methods, in order of definition."""
        return hooks(self, "stop")

    def versioneer(self) -> str:
        """A new version: local time to the second and six random hex digits. Override to taste."""
        return datetime.now().strftime("%Y%m%d%H%M%S") + "_" + uuid.uuid4().hex[:6].upper()

    def set_version(self, version_str: str | None = None) -> str:
        """Set the version (a generated one when None), with the prefix of `@ver`, and return it.

        Raises:
            InvalidArgument: the result is not a version.
        """
        from bentoml.observability.logs import user_logger  # noqa: PLC0415 - adds a console handler

        version = self.versioneer() if version_str is None else version_str
        if self._version_spec is not None:
            version = self._version_spec.apply(version)
        validate_version(version)
        if self._bento_service_bundle_version is not None:
            user_logger().warning(
                "Overriding the version '%s' of a loaded bundle with '%s'", self._version, version
            )
        elif self._version is not None:
            user_logger().warning(
                "Resetting BentoService '%s' version from '%s' to '%s'", self.name, self._version, version
            )
        self._version = version
        return version

    @property
    def version(self) -> str:
        """The version; generated at the first look when none was set."""
        if self._version is None:
            self.set_version()
        assert self._version is not None
        return self._version

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def labels(self) -> dict[str, str]:
        """Labels the next `save` stores with the bundle, next to those given to `save` itself."""
        return self._labels

    @labels.setter
    def labels(self, labels: Mapping[str, str]) -> None:
        self._labels = validate_labels(labels)

    def pack(self, name: str, *args: Any, **kwargs: Any) -> BentoService:
        """Give the declared artifact `name` its object; returns the service, so calls can be chained.

        Raises:
            KeyError: no artifact of that name is declared.
        """
        if not isinstance(self, BentoService):
            raise BentoMLException(
                "BentoService.pack is called on an instance: svc = MyService(); svc.pack('model', model)"
            )
        self.artifacts.require(name).pack(*args, **kwargs)
        return self

    def save(
        self,
        yatai_url: str | None = None,
        version: str | None = None,
        labels: Mapping[str, str] | None = None,
        examples: Mapping[str, Sequence[Any]] | None = None,
        lineage: Mapping[str, str] | None = None,
    ) -> str:
        """Save a bundle to the repository and return where it lies.

        Args:
            yatai_url: address of a repository server; the local repository when None.
            version: replaces the service's version, as `set_version` does.
            labels: names and values stored with the bundle.
            examples: API name → inputs; they are run now and stored with their answers, and
                `bentoml verify` runs them again.
            lineage: where the model comes from, as `{"git_commit": "1f3a…", "parent": "Iris:1",
                "dataset": "s3://data/2026-11"}`; shown beside the bundle, never interpreted.
        """
        return saving.save_to_repository(
            self, yatai_url=yatai_url, version=version, labels=labels, examples=examples, lineage=lineage
        )

    def save_to_dir(
        self,
        path: str | os.PathLike[str],
        version: str | None = None,
        examples: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """Write a bundle into the existing directory `path`; `examples` as for `save`."""
        saving.save_to_directory(self, path, version, examples=examples)

    @property
    def web_static_content(self) -> str | None:
        """The directory given to `@web_static_content`."""
        return self._web_static_content

    def get_web_static_content_path(self) -> str | None:
        """Where the static content lies now: in the bundle, or below the current directory."""
        if not self._web_static_content:
            return None
        bundle = self._bento_service_bundle_path
        if bundle is None:
            return os.path.join(os.getcwd(), self._web_static_content)
        return _inside_bundle(os.fspath(bundle), self.name, WEB_STATIC_DIR)

    def get_bento_service_metadata(self) -> dict[str, Any]:
        """Name, version, environment, APIs and artifacts as one plain dictionary."""
        return saving.metadata_dict(self)

    get_bento_service_metadata_pb = get_bento_service_metadata
    """0.13's name. It returned a protobuf message there; here it is the same plain dictionary."""

    def infer_pip_dependencies_map(self) -> dict[str, str]:
        """Distribution → version of everything the service's modules import, `bentoml` included."""
        return saving.inferred_versions(self)

    def start_dev_server(
        self, port: int | None = None, enable_ngrok: bool = False, debug: bool = False
    ) -> None:
        """Serve this service from a child process, for notebooks. Returns once it answers.

        Args:
            port: 5000 when None.
            enable_ngrok: not available any more; raises `InvalidArgument` when true.
            debug: pass `--debug`-level logging to the child.
        """
        from .dev_server import start  # noqa: PLC0415 - notebooks only

        start(self, port=port, enable_ngrok=enable_ngrok, debug=debug)

    def stop_dev_server(self, skip_log: bool = False) -> None:
        """Stop what `start_dev_server` started."""
        from .dev_server import stop  # noqa: PLC0415 - notebooks only

        stop(self, skip_log=skip_log)


def _artifacts_dir(bundle_path: str, name: str) -> str:
    return _inside_bundle(bundle_path, name, "artifacts")


def _inside_bundle(bundle_path: str, name: str, folder: str) -> str:
    """`bundle_path` is a bundle's root, or (pip-installed) the package directory itself."""
    direct = os.path.join(bundle_path, folder)
    return direct if os.path.isdir(direct) else os.path.join(bundle_path, name, folder)
