"""Calls to a server: address, TLS, token, statuses as errors, and retries that never double an action.

A call is tried again only when its method says that repeating it changes nothing more, and only after
the server could not be reached; the pauses double and vary, and end after `ATTEMPTS`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from bentoml import __version__
from bentoml.exceptions import (
    BentoMLConfigException,
    BentoMLException,
    BentoMLRpcError,
    InvalidArgument,
    MissingDependencyException,
)

from . import convert
from .options import ClientOptions
from .status import error_of

if TYPE_CHECKING:
    from bentoml.settings.model import YataiSettings

logger = logging.getLogger("bentoml.yatai")

T = TypeVar("T")
ATTEMPTS = 5
FIRST_PAUSE_S = 0.3
CALL_TIMEOUT_S = 60.0
UNIMPLEMENTED = 12
_UNREACHED = (1, 14)  # CANCELLED (the connection went away), UNAVAILABLE
_PLAIN = ("", "grpc", "http")
_SECURE = ("grpcs", "https")
_KEY_OF_CLIENT = "bentoml-client"
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 20_000),
    # A ping waits behind what the system's buffers hold: a megabyte takes 100 s at 10 kB/s.
    ("grpc.keepalive_timeout_ms", 120_000),
    ("grpc.http2.ping_timeout_ms", 120_000),
    ("grpc.enable_retries", 0),  # the library's own would not know what may be repeated
]


class Unreachable(BentoMLRpcError):
    """The server did not answer; whether it did the work is not known."""

    grpc_code = 14


class Unsupported(BentoMLRpcError):
    """The server does not know the call: it is older than this client."""

    grpc_code = UNIMPLEMENTED


class RpcClient:
    """A connection to one server; made when it is first used.

    Args:
        url: `host:port`, or with `grpc://`, `http://` (plain), `grpcs://`, `https://` (TLS).

    Attributes:
        direct_host: the host that direct transfers may go to, or None.
    """

    def __init__(self, url: str, yatai: ClientOptions | YataiSettings) -> None:
        self.url = url.strip()
        self._channel = _open_channel(self.url, yatai)
        self.direct_host = _direct_host(self.url, yatai)
        self._metadata = [(_KEY_OF_CLIENT, __version__)]
        if yatai.access_token:
            self._metadata.append((yatai.access_token_header.lower(), yatai.access_token))

    def call(
        self,
        name: str,
        /,
        *,
        repeatable: bool = False,
        timeout_s: float | None = CALL_TIMEOUT_S,
        **fields: Any,
    ) -> dict[str, Any]:
        """One call with one answer.

        Args:
            repeatable: doing it twice is as good as once, so it is tried again if the server is away.

        Raises:
            BentoMLException: the error of the answer, as the class that fits it.
        """
        method = convert.method(name)
        data = convert.write(method.request, fields)
        multi = self._channel.unary_unary(method.path)

        def attempt() -> dict[str, Any]:
            with _Explained(self.url):
                answer = multi(data, metadata=self._metadata, timeout=timeout_s)
            return _checked(convert.read(method.response, answer))

        return retrying(attempt) if repeatable else attempt()

    def send(self, name: str, requests: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """A stream of requests with one answer; no deadline, because only the server knows when it stalls."""
        method = convert.method(name)
        write = convert.write_piece if convert.carries_pieces(method.request) else convert.write
        failures: list[Exception] = []

        def encoded() -> Iterator[bytes]:
            try:
                for fields in requests:
                    yield write(method.request, fields)
            except Exception as err:
                failures.append(err)  # gRPC would say no more than "Exception iterating requests!"
                raise

        try:
            with _Explained(self.url):
                answer = self._channel.stream_unary(method.path)(encoded(), metadata=self._metadata)
        except BentoMLException:
            if failures:
                raise failures[0] from None
            raise
        return _checked(convert.read(method.response, answer))

    def fetch(self, name: str, /, **fields: Any) -> Iterator[dict[str, Any]]:
        """One request with a stream of answers; no deadline."""
        method = convert.method(name)
        read = convert.read_piece if convert.carries_pieces(method.response) else convert.read
        data = convert.write(method.request, fields)
        call = self._channel.unary_stream(method.path)(data, metadata=self._metadata)
        try:
            with _Explained(self.url):
                for answer in call:
                    yield _checked(read(method.response, answer))
        finally:
            call.cancel()

    def close(self) -> None:
        self._channel.close()


def retrying(attempt: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """Run something repeatable until the server is reached; raises the last `Unreachable`."""
    for number in range(1, attempts + 1):
        try:
            return attempt()
        except Unreachable as err:
            if number == attempts:
                raise
            logger.debug("Attempt %d of %d: %s", number, attempts, err)
            pause(number)
    raise AssertionError("unreachable")


def pause(number: int) -> None:
    """The pause after attempt `number`: doubling, up to 8 seconds, spread so that clients do not meet."""
    time.sleep(min(8.0, FIRST_PAUSE_S * 2 ** (number - 1)) * (0.5 + random.random()))


class _Explained:
    """Turns gRPC's errors into this library's."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        import grpc  # noqa: PLC0415 - optional

        if not isinstance(error, grpc.RpcError):
            return
        code, details = error.code().value[0], error.details() or ""
        if code in _UNREACHED:
            raise Unreachable(
                f"The Yatai server at '{self._url}' cannot be reached or broke off: {details}. Check the "
                "address, and that the server runs."
            ) from error
        if code == UNIMPLEMENTED:
            raise Unsupported(
                f"The Yatai server at '{self._url}' does not support this: {details}"
            ) from error
        raise error_of(code, details) from error


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    status = answer.get("status")
    if isinstance(status, dict) and status.get("status_code"):
        raise error_of(status["status_code"], status["error_message"])
    return answer


def _open_channel(url: str, yatai: ClientOptions | YataiSettings) -> Any:
    try:
        import grpc  # noqa: PLC0415 - optional
    except ModuleNotFoundError as err:
        raise MissingDependencyException(
            f"A Yatai server is reached with the package '{err.name}', which is not installed. "
            "Install it with: pip install 'bentoml[yatai]'"
        ) from err
    scheme, target = _split(url)
    if scheme in _PLAIN:
        return grpc.insecure_channel(target, options=_OPTIONS)
    root = yatai.tls_root_ca_cert or yatai.tls_client_certificate_file
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_read(root, "yatai.remote.tls.root_ca_cert"),
        private_key=_read(yatai.tls_client_key, "yatai.remote.tls.client_key"),
        certificate_chain=_read(yatai.tls_client_cert, "yatai.remote.tls.client_cert"),
    )
    return grpc.secure_channel(target, credentials, options=_OPTIONS)


def _direct_host(url: str, yatai: ClientOptions | YataiSettings) -> str | None:
    """None where direct transfers are not wanted, or would leave the encrypted connection."""
    scheme, target = _split(url)
    if not yatai.direct_transfers or scheme not in _PLAIN:
        return None
    return target.rpartition(":")[0].strip("[]")


def _split(url: str) -> tuple[str, str]:
    """Scheme and `host:port` of an address. Raises `InvalidArgument`."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in (*_PLAIN, *_SECURE) or not parts.hostname or parts.path.strip("/"):
        raise InvalidArgument(
            f"'{url}' is no address of a Yatai server; write HOST:PORT, or grpcs://HOST:PORT for TLS."
        )
    if port is None:
        port = 443 if parts.scheme == "https" else 80 if parts.scheme == "http" else 50051
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts.scheme, f"{host}:{port}"


def _read(path: str | None, key: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as err:
        raise BentoMLConfigException(
            f"Key '{key}' names '{path}', which cannot be read: {err.strerror}"
        ) from err


def is_final(error: BentoMLException) -> bool:
    """Whether trying again cannot help."""
    return not isinstance(error, Unreachable)
