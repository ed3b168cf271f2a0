"""Regular clean-up while the server runs: what crashes left, bundles that the retention rules do not keep,
deleted bundles whose time is over, uploads that nobody finished.
"""

from __future__ import annotations

import logging
import threading

from bentoml.exceptions import BentoMLException

from .registry import Registry
from .services.retention import RULES

logger = logging.getLogger("bentoml.yatai")

EVERY_S = 3600.0


class Housekeeping:
    """A thread that cleans up at the start and then every hour."""

    def __init__(self, registry: Registry, every_s: float = EVERY_S) -> None:
        self._registry = registry
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="yatai-housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10.0)

    def clean_up(self) -> None:
        """One round."""
        self._registry.bundles.store.clean_up()
        for tag in self._registry.retention.apply(RULES):
            logger.info("Deleted %s, as the retention rules say; it can be restored", tag)
        for tag in self._registry.bundles.purge():
            logger.info("Removed the deleted bundle %s for good", tag)
        self._registry.uploads.clean_up()

    def _run(self) -> None:
        while True:
            try:
                self.clean_up()
            except (BentoMLException, OSError) as err:
                logger.warning("Cleaning up failed, it is tried again later: %s", err)
            if self._stop.wait(self._every_s):
                return
