"""Both sides of the server, bound to their ports before either starts."""

from __future__ import annotations

import socket

from bentoml.settings import Settings, home

from .api.admin_calls import AdminCalls
from .api.auth import Authenticator
from .api.bundle_calls import BundleCalls
from .api.calls import CallContext
from .api.deployment_calls import DeploymentCalls
from .api.image_calls import ImageCalls
from .api.metrics import RpcMetrics
from .api.retention_calls import RetentionCalls
from .api.server import RpcServer
from .api.stalls import StallWatch
from .api.transfer_calls import TransferCalls
from .db.bundles import BundleQuery
from .history import History
from .registry import Registry
from .web.app import build_web_app
from .web.serve import bind, make_server
from .web.state import WebState


class YataiServer:
    """gRPC in threads, the pages in the thread that calls `run_web`.

    Raises:
        BentoMLException: a port is taken, or the database cannot be used.
    """

    def __init__(self, registry: Registry, settings: Settings, *, auth_required: bool) -> None:
        yatai = settings.yatai
        self._registry = registry
        registry.bundles.keys(BundleQuery(limit=0))  # the database is made or upgraded now, not later
        authenticator = Authenticator(registry.tokens, required=auth_required)
        metrics = RpcMetrics()
        hidden = (registry.database.address, str(home()))
        shared = CallContext(authenticator, metrics, StallWatch(yatai.stalled_s), hidden)
        groups = [
            BundleCalls(registry),
            RetentionCalls(registry),
            TransferCalls(registry),
            DeploymentCalls(registry),
            ImageCalls(registry),
            AdminCalls(registry),
        ]
        self.history = History()
        state = WebState(registry, authenticator, metrics, settings, self.history)
        self.prefix = state.prefix
        self._socket: socket.socket | None = bind(yatai.host, yatai.ui_port) if yatai.ui_enabled else None
        self._rpc = RpcServer(list(groups), shared, yatai)
        self._web = make_server(build_web_app(state), yatai.tls_certificate, yatai.tls_key)
        self.grpc_port = self._rpc.port
        self.ui_port = self._socket.getsockname()[1] if self._socket else None

    def start(self) -> None:
        """Answer gRPC calls."""
        self._rpc.start()

    def run_web(self) -> None:
        """Answer web requests until a signal; blocks."""
        assert self._socket is not None
        self._web.run(sockets=[self._socket])

    def stop(self, grace_s: float) -> None:
        """Refuse new calls and let running ones end."""
        self._web.should_exit = True
        self._rpc.stop(grace_s)
        self._registry.images.cancel()
        if self._socket is not None:
            self._socket.close()
