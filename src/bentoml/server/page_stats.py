"""Counts the answers of the server's own paths, so that `/metrics` knows every answer it gave."""

from __future__ import annotations

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bentoml.batching.stats import ApiStats

OTHER = "other"


class PageStats:
    """One `ApiStats` per known path; every other path shares one, so the number of series is fixed.

    Predictions are not counted here: their dispatcher does it.
    """

    def __init__(self, app: ASGIApp, stats: dict[str, ApiStats]) -> None:
        self.app = app
        self.stats = stats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stats = self.stats.get(page_name(scope["path"])) or self.stats[OTHER]
        start = perf_counter()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        stats.in_progress += 1
        try:
            await self.app(scope, receive, watch)
        finally:
            stats.in_progress -= 1
            if status and "bentoml.prediction" not in scope:
                stats.of_status(status).observe(perf_counter() - start)


def page_name(path: str) -> str:
    """The first part of a path: `"/static_content/main.css"` → `"static_content"`."""
    return path.lstrip("/").partition("/")[0]


def empty_stats(names: tuple[str, ...]) -> dict[str, ApiStats]:
    """Counters for the pages called `names` and for all others."""
    return {name: ApiStats(name) for name in (*names, OTHER)}
