"""Development reload: when a file of the bundle changes, a new generation takes over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bentoml.bundle.descriptor import BundleDescriptor, read_descriptor
from bentoml.exceptions import BentoMLException

from .front import Front
from .generation import Generation

if TYPE_CHECKING:
    from .state import ServerState

logger = logging.getLogger("bentoml.server")

POLL_S = 0.5
IGNORED_SUFFIXES = (".pyc", ".pyo")


class BundleWatcher:
    """Watches the bundle that is being served and swaps generations.

    Args:
        make: builds a generation for a number, a directory and its descriptor.
    """

    def __init__(
        self, state: ServerState, front: Front, make: Callable[[int, Path, BundleDescriptor], Generation]
    ) -> None:
        self._state = state
        self._front = front
        self._make = make
        self._seen = snapshot(state.bundle_path)

    async def run(self) -> None:
        """Until cancelled."""
        logger.info("Watching %s for changes.", self._state.bundle_path)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(POLL_S)
            try:
                now = await loop.run_in_executor(None, snapshot, self._state.bundle_path)
            except OSError:  # a folder that is being replaced; it is there again next time
                continue
            if now == self._seen:
                continue
            changed = sorted(set(now.items()) ^ set(self._seen.items()))
            self._seen = now
            logger.info("%s changed, loading the new version.", changed[0][0])
            try:
                await self.swap(self._state.bundle_path)
            except BentoMLException as err:
                logger.error("The old version goes on serving: %s", err)

    async def swap(self, path: Path) -> None:
        """Load `path` beside the running generation, then point the routes at it.

        Raises:
            BentoMLException: it could not be loaded; the running generation is untouched.
        """
        old = self._state.generation
        new = self._make(old.number + 1, path, read_descriptor(path))
        new.start()
        try:
            await new.wait_ready()
        except BentoMLException:
            await new.stop("it could not be loaded")
            raise
        self._state.generation = self._front.generation = new
        self._state.hub.set_routes(new.routes())
        logger.info("Generation %d is serving.", new.number)
        await old.drain(self._state.settings.server.grace_s)
        await old.stop("a newer version took over")


def snapshot(path: Path) -> dict[str, tuple[int, int]]:
    """Modification time (ns) and size of every source file below `path`, by relative name."""
    found = {}
    for file in path.rglob("*"):
        if file.suffix in IGNORED_SUFFIXES or "__pycache__" in file.parts:
            continue
        try:
            info = file.stat()
        except OSError:
            continue
        if file.is_file():
            found[str(file.relative_to(path))] = (info.st_mtime_ns, info.st_size)
    return found
