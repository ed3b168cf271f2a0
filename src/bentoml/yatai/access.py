"""Who calls, and what the caller may do."""

from __future__ import annotations

from dataclasses import dataclass

from bentoml.exceptions import InvalidArgument, PermissionDenied

READ, WRITE, DEPLOY, ADMIN = "read", "write", "deploy", "admin"
SCOPES = (READ, WRITE, DEPLOY, ADMIN)
_IMPLIED = {
    READ: frozenset([READ]),
    WRITE: frozenset([READ, WRITE]),
    DEPLOY: frozenset([READ, DEPLOY]),
    ADMIN: frozenset(SCOPES),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was recognised, by a token or by calling from this machine.

    Attributes:
        name: how the audit log calls them.
        scopes: as given; `write` and `deploy` include `read`, `admin` includes everything.
    """

    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        return any(scope in _IMPLIED[given] for given in self.scopes)

    def require(self, scope: str) -> None:
        """Raises `PermissionDenied` unless the caller has that scope."""
        if not self.may(scope):
            given = ", ".join(sorted(self.scopes)) or "nothing"
            raise PermissionDenied(f"This needs the scope '{scope}'; the token '{self.name}' has: {given}.")


LOCAL = Caller("local", frozenset([ADMIN]))
"""Whoever reaches a server that listens on this machine only and asks for no token."""


def validate_scopes(scopes: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Return the scopes in their usual order, or raise `InvalidArgument`."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        wrong = f"'{unknown[0]}' is no scope" if unknown else "No scope is given"
        raise InvalidArgument(f"{wrong}; choose from {', '.join(SCOPES)}.")
    return tuple(scope for scope in SCOPES if scope in scopes)
