"""The gRPC server: handlers, health, reflection, limits and TLS."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from bentoml.exceptions import BentoMLConfigException, BentoMLException
from bentoml.rpc import convert
from bentoml.settings.model import YataiSettings

from .calls import CallContext, method_handler
from .handlers import handler_of

logger = logging.getLogger("bentoml.yatai")

MAX_MESSAGE_BYTES = 4 << 20
_OPEN = ("HealthCheck",)
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    # What may wait in memory for a handler that is slower than its client, for each upload; enough for
    # 80 MB/s at a round trip of 50 ms. Left to itself, gRPC lets it grow to 16 MiB and more.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 4 << 20),
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a silent half
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # How long the system may wait for what was sent to be taken, too: 20 s if nothing is said, and a slow
    # line does not take what the buffers hold in that time.
    ("grpc.keepalive_timeout_ms", 120_000),
]


class RpcServer:
    """The server on one port; started and stopped by the composition root.

    Args:
        groups: objects whose methods are the handlers: `GetBento` is `get_bento`.
    """

    def __init__(self, groups: list[object], shared: CallContext, yatai: YataiSettings) -> None:
        self._shared = shared
        self._health = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(yatai.max_calls, thread_name_prefix="yatai-rpc"),
            options=_OPTIONS,
            maximum_concurrent_rpcs=yatai.max_calls,
        )
        handlers = {
            method.name: method_handler(
                method, handler_of(groups, method.name), shared, is_open=method.name in _OPEN
            )
            for method in convert.methods()
        }
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(convert.SERVICE, handlers)]
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (convert.SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self.port = _bind(self._server, yatai)

    def start(self) -> None:
        self._shared.stalls.start()
        self._server.start()
        for name in ("", convert.SERVICE):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace_s: float) -> None:
        """Refuse new calls, let running ones end within `grace_s`, then end them."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_s).wait()
        self._shared.stalls.stop()


def _bind(server: Any, yatai: YataiSettings) -> int:
    address = f"[{yatai.host}]:{yatai.grpc_port}" if ":" in yatai.host else f"{yatai.host}:{yatai.grpc_port}"
    try:
        if yatai.tls_certificate is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, _credentials(yatai))
    except RuntimeError as err:
        raise _taken(address) from err
    if not port:
        raise _taken(address)
    return int(port)


def _taken(address: str) -> BentoMLException:
    return BentoMLException(
        f"The gRPC address {address} cannot be used: another program has the port, or the address is none "
        "of this machine. Stop that program, or choose another port with --grpc-port."
    )


def _credentials(yatai: YataiSettings) -> Any:
    if yatai.tls_certificate is None or yatai.tls_key is None:
        raise BentoMLConfigException(
            "yatai.tls.certificate and yatai.tls.key belong together; one is missing."
        )
    try:
        pair = (yatai.tls_key.read_bytes(), yatai.tls_certificate.read_bytes())
        authority = yatai.tls_client_ca.read_bytes() if yatai.tls_client_ca else None
    except OSError as err:
        raise BentoMLConfigException(f"A TLS file cannot be read: {err}") from err
    return grpc.ssl_server_credentials(
        [pair], root_certificates=authority, require_client_auth=authority is not None
    )
