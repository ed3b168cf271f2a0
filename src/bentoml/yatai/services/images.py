"""Container images, built on the server's machine with the engine there, one at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence

from bentoml.containers.build import BuiltImage, ImageBuildFailed, containerize
from bentoml.containers.control import BuildControl
from bentoml.exceptions import FailedPrecondition, InvalidArgument, MissingDependencyException, Overloaded
from bentoml.repository.database import Database
from bentoml.yatai.access import DEPLOY, Caller
from bentoml.yatai.db import events

from .bundles import BUNDLE, Bundles

logger = logging.getLogger("bentoml.yatai")

MOST_WAITING = 8
ENGINES = ("docker", "podman", "buildah")
_SHOWN_CHARS = 700


class Images:
    """Use cases about images.

    Args:
        builder: docker, podman or buildah; None takes the first that is installed.
    """

    def __init__(self, database: Database, bundles: Bundles, builder: str | None = None) -> None:
        self._database = database
        self._bundles = bundles
        self._builder = builder
        self._control = BuildControl()
        self._one_at_a_time = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_WAITING)

    def build(
        self,
        caller: Caller,
        name: str,
        version: str,
        tag: str | None,
        build_args: Mapping[str, str],
        push: bool,
        *,
        builder: str | None = None,
        platforms: Sequence[str] = (),
    ) -> BuiltImage:
        """Build an image of a bundle; what its Dockerfile runs, runs on this machine.

        Args:
            builder: the engine; the server's choice if None, and refused if the server has another one set.
            platforms: such as linux/arm64; the server's own if there are none.

        Raises:
            FailedPrecondition: a step failed, or there is no engine here.
            Overloaded: too many builds wait.
            NotFound, InvalidArgument, BundleCorrupted: nothing was started.
        """
        caller.require(DEPLOY)
        chosen = self._chosen(builder)
        record = self._bundles.find(name, version)
        if not self._places.acquire(blocking=False):
            raise Overloaded(f"{MOST_WAITING} images are being built or wait; try again later.")
        try:
            with self._one_at_a_time, self._bundles.directory(record) as path:
                logger.info("Building an image of %s for %s", record.tag, caller.name)
                image = containerize(
                    path,
                    tag=tag,
                    builder=chosen,
                    build_args=build_args,
                    platforms=tuple(platforms),
                    push=push,
                    output=lambda line: logger.debug("%s: %s", record.tag, line),
                    control=self._control,
                )
        except ImageBuildFailed as err:
            logger.warning("Building an image of %s failed: %s", record.tag, err)
            raise FailedPrecondition(_short(err)) from err
        except MissingDependencyException as err:
            raise FailedPrecondition(
                f"This server builds no images: {err}, or pull {record.tag} and build it where an engine is."
            ) from err
        finally:
            self._places.release()
        details: dict[str, object] = {"image": image.reference, "pushed": push}
        if platforms:
            details["platforms"] = list(platforms)
        self._database.write(
            lambda connection: events.record(connection, caller, "image.build", BUNDLE, record.tag, details)
        )
        return image

    def _chosen(self, builder: str | None) -> str | None:
        if builder and builder not in ENGINES:
            raise InvalidArgument(f"A server builds with {', '.join(ENGINES)}, not with '{builder[:32]}'.")
        if builder and self._builder not in (None, builder):
            raise InvalidArgument(
                f"This server builds with {self._builder} (yatai.container_builder), not with {builder}."
            )
        return builder or self._builder

    def cancel(self) -> None:
        """End what is being built; nothing is built afterwards."""
        self._control.cancel()


def _short(error: ImageBuildFailed) -> str:
    """The step and the end of the output: a client gets one short message."""
    lines = "\n".join(error.last_lines)
    cut = lines if len(lines) <= _SHOWN_CHARS else "…" + lines[-_SHOWN_CHARS:]
    return f"{error.summary}. The last lines were:\n{cut}"
