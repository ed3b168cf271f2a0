"""The probe bundle of the server's tests."""

from __future__ import annotations

from tests.server.conftest import probe_bundle

__all__ = ["probe_bundle"]
