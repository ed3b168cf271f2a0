"""`/debug/batching`: what the batcher knows and did, as JSON for people.

The same figures are on `/metrics`; here they are together, with the reasons. Unless it is switched
on or off, the page is there for clients on this machine only: not for those that a proxy on this
machine forwards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bentoml.batching.stats import ApiStats, Histogram

from .app_state import AppState
from .endpoint import endpoint
from .errors import not_found

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def debug_routes(state: AppState) -> list[BaseRoute]:
    """The page, or nothing when it is switched off."""
    if state.settings.server.debug_page is False:
        return []

    async def batching(request: Request) -> Response:
        if state.settings.server.debug_page is None and not is_local(request):
            return not_found()
        text = json.dumps(describe(state), indent=2) + "\n"
        return Response(text, headers={"Cache-Control": "no-store"}, media_type="application/json")

    return [endpoint("/debug/batching", batching, "GET")]


def is_local(request: Request) -> bool:
    """Whether the client itself runs on this machine."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def describe(state: AppState) -> dict[str, Any]:
    """The page's content. Times are seconds."""
    ready, reason = state.is_ready()
    return {
        "service": str(state.descriptor.tag),
        "ready": ready,
        "reason": reason,
        "workers": list(state.worker_table()),
        "apis": [{**row, **_of_stats(state.stats[row["route"]])} for row in state.queue_table()],
    }


def _of_stats(stats: ApiStats) -> Mapping[str, Any]:
    sizes, waits = stats.batch_size, stats.queue_wait
    return {
        "in_progress": stats.in_progress,
        "answers": {str(status): count for status, count in sorted(stats.by_status.items())},
        "refused": dict(stats.refused),
        "left_before_an_answer": stats.dropped,
        "batches": sizes.count,
        "batch_size_mean": round(sizes.total / sizes.count, 2) if sizes.count else None,
        "batch_sizes_up_to": _buckets(sizes),
        "oldest_waited_s_mean": round(waits.total / waits.count, 6) if waits.count else None,
        "worker_s": {"decode": stats.decode_s, "call": stats.call_s, "encode": stats.encode_s},
    }


def _buckets(histogram: Histogram) -> dict[str, int]:
    names = [*(f"{bound:g}" for bound in histogram.bounds), "more"]
    return {name: count for name, count in zip(names, histogram.counts, strict=True) if count}
