"""Looks after deployments while the server runs: resumes what lost its keeper, and keeps recent figures."""

from __future__ import annotations

import contextlib
import logging
import threading
import time

from bentoml.exceptions import BentoMLException

from .db.deployments import DeploymentQuery
from .history import History
from .registry import Registry

logger = logging.getLogger("bentoml.yatai")

EVERY_S = 5.0


class Watch:
    """A thread that looks at every deployment, again and again."""

    def __init__(self, registry: Registry, history: History, every_s: float = EVERY_S) -> None:
        self._registry = registry
        self._history = history
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="yatai-deployments", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10.0)

    def look(self) -> None:
        """One round."""
        self._registry.operations.resume_all()
        found = self._registry.deployments.find_all(DeploymentQuery(limit=2**31 - 1))
        self._history.forget_others({deployment.resource for deployment in found})
        for deployment in found:
            if self._stop.is_set():
                return
            with contextlib.suppress(BentoMLException):
                counters = self._registry.operations.metrics(deployment.namespace, deployment.name)
                if counters is not None:
                    self._history.add(deployment.resource, time.monotonic(), counters)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except (BentoMLException, OSError) as err:
                logger.warning("Looking after deployments failed, it is tried again: %s", err)
            self._stop.wait(self._every_s)
