"""What the operator accepts: the `trust` settings, and the check that every way of loading passes.

The settings come from the environment and the configuration file, so that they hold in every process
of a server and in user code that calls `bentoml.load`, too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bentoml.bundle.descriptor import BundleDescriptor, read_descriptor
from bentoml.bundle.manifest import Manifest, read_manifest, verify_manifest
from bentoml.exceptions import UntrustedBundle
from bentoml.settings.paths import config_file

if TYPE_CHECKING:
    from .keys import PublicKey
    from .pickle_guard import AllowList

KEYS_VARIABLE = "BENTOML_TRUST_VERIFY_KEYS"
PICKLE_VARIABLE = "BENTOML_TRUST_PICKLE_ALLOW"
DATA_VARIABLE = "BENTOML_TRUST_DATA_ONLY"
_VARIABLES = (KEYS_VARIABLE, PICKLE_VARIABLE, DATA_VARIABLE)


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """What a bundle must fulfil.

    Attributes:
        keys: somebody of these must have signed it; None accepts every bundle.
        pickle_allow: what pickles may import; None lets them import anything.
        data_only: artifacts that can run code are refused.
    """

    keys: tuple[PublicKey, ...] | None = None
    pickle_allow: AllowList | None = None
    data_only: bool = False

    def check_signature(self, path: Path, manifest: Manifest | None, descriptor: BundleDescriptor) -> None:
        """Raise `UntrustedBundle` unless a trusted key vouches for exactly this manifest."""
        if self.keys is None:
            return
        from .signature import read_signatures  # noqa: PLC0415 - only where keys are required

        if manifest is None:
            raise _refused(descriptor, path, "was saved by 0.13, which has nothing that could be signed")
        signatures = read_signatures(path)
        if not signatures:
            raise _refused(descriptor, path, "is not signed")
        ours = [one for one in signatures if one.public_key in self.keys]
        if not ours:
            names = ", ".join(one.public_key.id[:16] for one in signatures[:5])
            raise _refused(
                descriptor, path, f"is signed by key {names}, which is not one of the trusted keys"
            )
        if not any(one.covers(manifest, descriptor) and one.is_genuine() for one in ours):
            raise _refused(
                descriptor, path, f"was changed after key {ours[0].public_key.id[:16]} had signed it"
            )

    def guard_pickles(self) -> None:
        """Have this process refuse what pickles may not import, from now on."""
        if self.pickle_allow is not None:
            from .pickle_guard import guard_pickles  # noqa: PLC0415 - only where there is a list

            guard_pickles(self.pickle_allow)


OPEN = TrustPolicy()


def current_policy() -> TrustPolicy:
    """What the settings ask for now. Raises `BentoMLConfigException` for keys that cannot be read."""
    if not any(os.environ.get(name, "").strip() for name in _VARIABLES) and config_file() is None:
        return OPEN
    from bentoml.settings import load_settings  # noqa: PLC0415 - slow to import, rarely needed here

    trust = load_settings().trust
    keys = None
    if trust.verify_keys is not None:
        from .keys import load_public_keys  # noqa: PLC0415

        keys = load_public_keys(trust.verify_keys)
    allowed = None
    if trust.pickle_allow is not None or trust.data_only:
        from .pickle_guard import AllowList  # noqa: PLC0415

        allowed = AllowList(() if trust.data_only else trust.pickle_allow or ())
    return TrustPolicy(keys, allowed, trust.data_only)


def check_bundle(path: Path) -> BundleDescriptor:
    """Everything that must hold before anything of the bundle in `path` is executed.

    Raises:
        BundleCorrupted: a file differs from the manifest, or `bentoml.yml` is malformed.
        UntrustedBundle: the settings ask for a signature that it does not have.
    """
    manifest = verify_manifest(path)
    descriptor = read_descriptor(path)
    current_policy().check_signature(path, manifest, descriptor)
    return descriptor


def require_signature(path: Path) -> None:
    """The signature alone, against the manifest as it is written; the files are the caller's to check."""
    policy = current_policy()
    if policy.keys is not None:
        policy.check_signature(path, read_manifest(path), read_descriptor(path))


def _refused(descriptor: BundleDescriptor, path: Path, why: str) -> UntrustedBundle:
    return UntrustedBundle(
        f"The bundle {descriptor.tag} in '{path}' {why}. Only bundles signed by a key of trust.verify_keys "
        "are accepted here. Nothing of it was executed"
    )
