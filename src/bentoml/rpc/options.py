"""What a connection to a server can be told, with its defaults, because settings are slow to import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """The settings `yatai.remote.*` of a client, under the names that the settings have."""

    remote_url: str | None = None
    access_token: str | None = None
    access_token_header: str = "access_token"
    direct_transfers: bool = True
    tls_root_ca_cert: str | None = None
    tls_client_key: str | None = None
    tls_client_cert: str | None = None
    tls_client_certificate_file: str | None = None
