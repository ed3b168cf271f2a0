"""Every error this library raises on purpose, as one shallow tree ordered by who has to act.

    BentoMLException
    ├── InvalidArgument            the caller of the Python API or the CLI
    │   ├── BadInput               the client that sent the request
    │   │   ├── PayloadTooLarge
    │   │   └── UnsupportedMediaType
    │   └── BentoMLConfigException is *not* here: a wrong set-up is the operator's
    ├── NotFound, AlreadyExists    the caller, about something stored
    ├── MissingDependencyException the owner of the environment
    ├── BentoMLConfigException     the operator
    ├── ArtifactLoadingException, BundleCorrupted   the owner of the bundle
    ├── UntrustedBundle            the operator, whose settings refuse the bundle
    ├── FailedPrecondition, LockUnavailable, Unauthenticated, PermissionDenied
    └── Overloaded, DeadlineExceeded, WorkerLost    the server, seen by the client

A class carries the plain numbers each edge needs (`http_status`, `grpc_code`, `exit_code`), so that
no transport library is imported here and the mapping is written once.
"""

from __future__ import annotations

from typing import ClassVar


class BentoMLException(Exception):
    """Root of the tree. `status_code` is the name the 0.13 line used for `http_status`."""

    http_status: ClassVar[int] = 500
    grpc_code: ClassVar[int] = 13  # INTERNAL
    exit_code: ClassVar[int] = 1

    @property
    def status_code(self) -> int:
        return self.http_status


class InvalidArgument(BentoMLException):
    """A value given to the Python API or the command line is not acceptable."""

    http_status = 400
    grpc_code = 3


class BadInput(InvalidArgument):
    """A request body that cannot be decoded or does not fit the API's input adapter."""


class PayloadTooLarge(BadInput):
    """A body, or what it decodes to, is over a limit."""

    http_status = 413


class UnsupportedMediaType(BadInput):
    """A content type, content encoding or charset that the adapter does not accept."""

    http_status = 415


class APIDeprecated(InvalidArgument):
    """A way of calling that was removed; the message names its replacement."""


class NotFound(BentoMLException):
    http_status = 404
    grpc_code = 5


class OutOfRange(InvalidArgument):
    """A position behind the end of something."""

    grpc_code = 11


class AlreadyExists(BentoMLException):
    http_status = 409
    grpc_code = 6


class FailedPrecondition(BentoMLException):
    http_status = 409
    grpc_code = 9


class LockUnavailable(BentoMLException):
    """Somebody else holds what this operation needs, and waiting did not help."""

    grpc_code = 10


class Unauthenticated(BentoMLException):
    http_status = 401
    grpc_code = 16


class PermissionDenied(BentoMLException):
    http_status = 403
    grpc_code = 7


class MissingDependencyException(BentoMLException):
    """A package that an optional part needs is not installed; the message says how to get it."""


class BentoMLConfigException(BentoMLException):
    """A setting, or the definition of a service, contradicts itself."""


class ArtifactLoadingException(BentoMLException):
    """An artifact's files exist but cannot be turned back into the packed object."""


class BundleCorrupted(BentoMLException):
    """A saved bundle differs from its manifest, or lacks a file it must have."""

    grpc_code = 15  # DATA_LOSS


class UntrustedBundle(BentoMLException):
    """The trust settings refuse a bundle: no key of theirs signed it, or an artifact may do too much."""

    http_status = 403
    grpc_code = 7


class CLIException(BentoMLException):
    pass


class Overloaded(BentoMLException):
    """The queue is full; the client should come back after `Retry-After`."""

    http_status = 429
    grpc_code = 8


class DeadlineExceeded(BentoMLException):
    http_status = 504
    grpc_code = 4


class WorkerLost(BentoMLException):
    """The process that held this request died and the request may not be run again."""

    http_status = 503
    grpc_code = 14


class RemoteException(BentoMLException):
    """A remote server answered, with an error that fits no other class."""


class BentoMLRpcError(RemoteException):
    pass


class YataiServiceException(BentoMLException):
    pass


class YataiServiceRpcAborted(YataiServiceException):
    grpc_code = 10


class YataiDeploymentException(YataiServiceException):
    pass


class YataiRepositoryException(YataiServiceException):
    pass


class YataiLabelException(YataiServiceException):
    pass


class AWSServiceError(BentoMLException):
    pass


class AzureServiceError(BentoMLException):
    pass
