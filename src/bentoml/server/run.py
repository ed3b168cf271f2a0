"""The composition root of the model server: where sockets, front, generation and pages meet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import tempfile
from pathlib import Path

from bentoml.bundle.descriptor import BundleDescriptor
from bentoml.bundle.trust.policy import check_bundle
from bentoml.exceptions import BentoMLException
from bentoml.observability.logs import configure
from bentoml.observability.metrics import worker_metrics_env
from bentoml.settings import Settings
from bentoml.workers.slab import Slab

from .app import build_app
from .front import Front, bind
from .generation import Generation
from .handover import inherited, notify_ready
from .hold import held
from .hub import Hub
from .reload import BundleWatcher
from .state import ServerState
from .tracing import FLUSH_S, Tracer, make_tracer

logger = logging.getLogger("bentoml.server")

RESERVED_DESCRIPTORS = 128


def serve(path: Path, settings: Settings, *, reload: bool = False, ends_process: bool = False) -> None:
    """Serve the bundle at `path` until SIGINT or SIGTERM; blocks.

    Args:
        reload: replace the workers whenever a file of the bundle changes, without losing a request.
        ends_process: the caller ends right after; both signals are ignored from then on.

    Raises:
        BentoMLException: the bundle, the port or the service is not usable; nothing is left running.
    """
    configure(settings, background=True)
    _set_own_level(settings)
    descriptor = check_bundle(path)
    if not descriptor.apis:
        raise BentoMLException(f"{descriptor.tag} has no API to serve; decorate a method with @bentoml.api")
    tracer = make_tracer(settings, descriptor)
    server = settings.server
    given = server.fd is not None
    sock = inherited(server.fd) if server.fd is not None else bind(server.host, server.port, server.backlog)
    keep = contextlib.nullcontext(path) if reload else held(path)
    with tempfile.TemporaryDirectory(prefix="bentoml-") as directory, keep as kept:
        main = _serve(
            kept,
            descriptor,
            settings,
            sock,
            Path(directory),
            reload=reload,
            ends_process=ends_process,
            waits=given,
            tracer=tracer,
        )
        error = _run(main)
    if error is not None:
        raise BentoMLException(error)


def _set_own_level(settings: Settings) -> None:
    """Let the server say less than `logging.level` allows (0.13 gave this level to gunicorn)."""
    if settings.logging.advanced_enabled or settings.debug:
        return
    level = logging.getLevelName(settings.server.log_level)
    logger.setLevel(max(level, logging.getLogger("bentoml").level))


def _run(main: object) -> str | None:
    factory = None
    if sys.platform != "win32":
        try:
            import uvloop  # noqa: PLC0415 - a faster loop where it exists

            factory = uvloop.new_event_loop
        except ImportError:
            pass
    loop = factory() if factory is not None else asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)  # type: ignore[arg-type]
    finally:
        asyncio.set_event_loop(None)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _serve(
    path: Path,
    descriptor: BundleDescriptor,
    settings: Settings,
    sock: socket.socket,
    directory: Path,
    *,
    reload: bool,
    ends_process: bool,
    waits: bool,
    tracer: Tracer | None,
) -> str | None:
    """Run until the end; returns the reason if the service could not be served.

    Args:
        waits: accept no connection before the models are loaded; somebody else answers until then.
    """
    hub = Hub(
        settings.server,
        max_connections=_connection_limit(settings),
        cors=settings.cors.enabled,
        slab=Slab.create(),
        tracer=tracer,
    )
    front: Front
    failure: list[str] = []

    def give_up(reason: str) -> None:
        failure.append(reason)
        front.should_exit = True

    def make_generation(number: int, at: Path, described: BundleDescriptor) -> Generation:
        return Generation(
            number,
            at,
            described,
            settings,
            hub.heads,
            environment=worker_metrics_env(directory),
            on_give_up=give_up if number == 0 else _log_failed_reload,
            slab=hub.slab,
            tracer=tracer,
        )

    generation = make_generation(0, path, descriptor)
    state = ServerState(settings, hub, generation, metrics_dir=directory)
    front = Front(build_app(state, tracer), settings, hub, ends_process=ends_process)
    front.generation = generation
    hub.set_routes(generation.routes())
    _announce(descriptor, settings, sock)
    generation.start()
    watcher = asyncio.create_task(_when_ready(generation, hub, sock, settings))
    tasks = [watcher]
    if reload:
        tasks.append(asyncio.create_task(BundleWatcher(state, front, make_generation).run()))
    with front.capture_signals():
        if waits:
            await _until_ready(watcher, front, generation)
        if not waits or not front.should_exit:
            await front.serve_on([sock])
    for task in tasks:
        task.cancel()
    if tracer is not None:
        tracer.sender.close(0 if front.force_exit else FLUSH_S)
    return f"{descriptor.tag} could not be loaded: {failure[0]}" if failure else None


async def _until_ready(ready: asyncio.Task[None], front: Front, generation: Generation) -> None:
    """Wait for the models; told to stop meanwhile, or unable to load them, end the workers."""
    while not ready.done() and not front.should_exit:
        await asyncio.wait([ready], timeout=0.05)
    if front.should_exit:
        await generation.stop("the server is stopping", 0.2)


async def _when_ready(generation: Generation, hub: Hub, sock: socket.socket, settings: Settings) -> None:
    await generation.wait_ready()
    hub.set_routes(generation.routes())  # the workers know the methods of custom adapters
    notify_ready()
    host, port = sock.getsockname()[:2]
    shown = "localhost" if host in ("0.0.0.0", "::") else host
    logger.info(
        "======== Running on http://%s:%d%s ======== (Press CTRL+C to quit)",
        shown,
        port,
        settings.server.prefix or "/",
    )


def _log_failed_reload(reason: str) -> None:
    logger.error("The new version could not be loaded, the old one goes on serving: %s", reason)


def _announce(descriptor: BundleDescriptor, settings: Settings, sock: socket.socket) -> None:
    logger.info(
        "Starting BentoML API server for %s with %d worker(s), pid %d",
        descriptor.tag,
        settings.server.workers,
        os.getpid(),
    )
    for api in descriptor.apis:
        if api.batch:
            logger.info(
                "Micro batch enabled for API `%s` max-latency: %s max-batch-size %s",
                api.route,
                settings.server.max_latency_ms or api.mb_max_latency,
                settings.server.max_batch_size or api.mb_max_batch_size,
            )


def _connection_limit(settings: Settings) -> int:
    if settings.server.max_connections is not None:
        return settings.server.max_connections
    try:
        import resource  # noqa: PLC0415 - POSIX only
    except ImportError:
        return 1 << 30
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return max(16, soft - RESERVED_DESCRIPTORS)
