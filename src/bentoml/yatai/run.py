"""The composition root of the management server: gRPC and web pages in one process."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable

from bentoml.exceptions import BentoMLConfigException, MissingDependencyException
from bentoml.observability.logs import configure
from bentoml.settings import Settings
from bentoml.settings.model import YataiSettings

from .access import ADMIN, LOCAL
from .banner import banner
from .housekeeping import Housekeeping
from .registry import Registry, open_registry
from .watch import Watch

logger = logging.getLogger("bentoml.yatai")

GRACE_S = 10.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
BOOTSTRAP_TOKEN = "bootstrap"


def serve_yatai(settings: Settings, announce: Callable[[str], None] = print) -> None:
    """Run the server until SIGINT or SIGTERM; blocks.

    Args:
        announce: gets the text of the start, and a new token if one had to be made.

    Raises:
        BentoMLException: a setting, a port, the database or the store is not usable; nothing is left
            running.
    """
    configure(settings, background=True)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its C core would write to stderr on its own
    try:
        from .server import YataiServer  # noqa: PLC0415 - needs the packages of the extra
    except ModuleNotFoundError as err:
        raise MissingDependencyException(
            f"The server needs the package '{err.name}', which is not installed. "
            "Install it with: pip install 'bentoml[yatai]'"
        ) from err
    registry = open_registry(settings)
    required = needs_tokens(settings.yatai)
    secret = _prepare_tokens(registry, settings.yatai) if required else None
    server = YataiServer(registry, settings, auth_required=required)
    stop = threading.Event()
    housekeeping = Housekeeping(registry)
    watch = Watch(registry, server.history)
    server.start()
    housekeeping.start()
    watch.start()
    try:
        announce(
            banner(settings.yatai, server.grpc_port, server.ui_port, server.prefix, debug=settings.debug)
        )
        if secret is not None:
            announce(f"* A first admin token was made; it is shown only now: {secret}")
        _wait(server.run_web, stop, has_web=server.ui_port is not None)
    finally:
        logger.info("Stopping: running calls have %g seconds to end.", GRACE_S)
        server.stop(GRACE_S)
        housekeeping.stop()
        watch.stop()
        if settings.yatai.deployments_end_with_server:
            registry.operations.suspend_all()


def needs_tokens(yatai: YataiSettings) -> bool:
    """Whether callers must show a token.

    Raises:
        BentoMLConfigException: the server would be open to a network without tokens.
    """
    is_local = yatai.host in LOOPBACK
    if not is_local and yatai.auth_required is False:
        raise BentoMLConfigException(
            f"The server would listen on {yatai.host} and let everybody in (yatai.auth.required is false). "
            "Listen on 127.0.0.1, or let it ask for tokens."
        )
    return bool(yatai.auth_required) or not is_local


def _prepare_tokens(registry: Registry, yatai: YataiSettings) -> str | None:
    """Make sure that somebody can come in; returns the text of a token that had to be made."""
    if registry.tokens.has_any_admin():
        return None
    if not yatai.auth_bootstrap:
        raise BentoMLConfigException(
            f"The server would listen on {yatai.host}, where everybody needs a token, and there is no admin "
            "token yet. Make one with `bentoml yatai token create NAME --scope admin`, or start with "
            "--bootstrap-token."
        )
    _, secret = registry.tokens.create(LOCAL, BOOTSTRAP_TOKEN, [ADMIN])
    return secret


def _wait(run_web: Callable[[], None], stop: threading.Event, *, has_web: bool) -> None:
    if has_web:
        run_web()
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
