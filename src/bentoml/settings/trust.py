"""The group of settings that says whose bundles are accepted."""

from __future__ import annotations

from .options import option
from .values import Group, Words


class TrustSettings(Group):
    """Whose bundles are accepted, and what their artifacts may do. Everything is accepted by default."""

    verify_keys: Words | None = option(
        None,
        "trust.verify_keys",
        "Public keys (files, directories of *.pub, ed25519:...); only bundles they signed are accepted.",
        "BENTOML_TRUST_VERIFY_KEYS",
    )
    pickle_allow: Words | None = option(
        None,
        "trust.pickle_allow",
        "What pickles may import, such as sklearn.*; everything else is refused. Null allows everything.",
        "BENTOML_TRUST_PICKLE_ALLOW",
    )
    data_only: bool = option(
        False,
        "trust.data_only",
        "Refuse artifacts whose files can run code when they are loaded.",
        "BENTOML_TRUST_DATA_ONLY",
    )
