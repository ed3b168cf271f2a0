"""Who calls: a token in the metadata, as 0.13 sends it or as a bearer, or nobody in particular."""

from __future__ import annotations

from collections.abc import Iterable

from bentoml.exceptions import Unauthenticated
from bentoml.yatai.access import LOCAL, Caller
from bentoml.yatai.services.tokens import Tokens

TOKEN_KEY = "access_token"
_ABSENT = ("", "None", "null")  # what clients of 0.13 send when they have none


class Authenticator:
    """Recognises callers, of RPCs and of the pages.

    Another way to know them, such as OpenID Connect, belongs here: it ends in a `Caller` with its scopes,
    and nothing behind it asks how that was found.

    Args:
        required: whether a caller without a valid token is refused.
    """

    def __init__(self, tokens: Tokens, *, required: bool) -> None:
        self._tokens = tokens
        self.required = required

    def caller_of(self, secret: str) -> Caller:
        """The caller with that token ("" for none). Raises `Unauthenticated`."""
        if secret:
            try:
                return self._tokens.authenticate(secret)
            except Unauthenticated:
                if self.required:
                    raise
        if self.required:
            raise Unauthenticated(
                "This server needs an access token. Set yatai.remote.access_token (or "
                "BENTOML_YATAI_ACCESS_TOKEN); an administrator makes one with `bentoml yatai token create`."
            )
        return LOCAL

    def caller_of_call(self, metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
        """The caller of an RPC. Raises `Unauthenticated`."""
        return self.caller_of(secret_of(metadata))


def secret_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The token of an RPC's metadata, or ""."""
    for key, value in metadata or ():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if key == "authorization" and text.lower().startswith("bearer "):
            return text[7:].strip()
        if key == TOKEN_KEY and text not in _ABSENT:
            return text
    return ""
