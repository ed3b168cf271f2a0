"""Both sides of the server, bound to their ports before either starts."""

from __future__ import annotations

import socket
import time
from functools import partial

from bentoml.settings import Settings, home

from .api.admin_calls import AdminCalls
from .api.auth import Authenticator
from .api.bundle_calls import BundleCalls
from .api.calls import CallContext
from .api.deployment_calls import DeploymentCalls
from .api.image_calls import ImageCalls
from .api.metrics import RpcMetrics
from .api.presenting import Presenter
from .api.retention_calls import RetentionCalls
from .api.server import RpcServer
from .api.stalls import StallWatch
from .api.transfer_calls import TransferCalls
from .db.bundles import BundleQuery
from .direct.protocol import TransferProtocol
from .direct.tickets import Tickets
from .direct.transfers import Transfers
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
        present = Presenter((registry.database.address, str(home())))
        shared = CallContext(authenticator, metrics, StallWatch(yatai.stalled_s), present)
        self.history = History()
        state = WebState(registry, authenticator, metrics, settings, self.history)
        self.prefix = state.prefix
        self._socket: socket.socket | None = bind(yatai.host, yatai.ui_port) if yatai.ui_enabled else None
        self.ui_port = self._socket.getsockname()[1] if self._socket else None
        is_plain = yatai.tls_certificate is None
        tickets = Tickets(self.ui_port if is_plain else None, self.prefix)
        self._transfers = Transfers(
            registry.uploads,
            registry.bundles,
            tickets,
            metrics,
            present,
            limit=yatai.max_calls,
            stalled_s=yatai.stalled_s,
        )
        groups = [
            BundleCalls(registry),
            RetentionCalls(registry),
            TransferCalls(registry, tickets),
            DeploymentCalls(registry),
            ImageCalls(registry),
            AdminCalls(registry),
        ]
        self._rpc = RpcServer(list(groups), shared, yatai)
        self._web = make_server(
            build_web_app(state),
            yatai.tls_certificate,
            yatai.tls_key,
            partial(TransferProtocol, self._transfers) if is_plain else None,
        )
        self.grpc_port = self._rpc.port

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
        end = time.monotonic() + grace_s
        self._rpc.stop(grace_s)
        self._transfers.stop(max(0.0, end - time.monotonic()))
        self._registry.images.cancel()
        if self._socket is not None:
            self._socket.close()
