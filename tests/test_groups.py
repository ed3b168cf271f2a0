"""Tests that share something of the machine run one after the other."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("a group of its own")
def test_groups_are_told_to_the_scheduler(request: pytest.FixtureRequest) -> None:
    """Versions of pytest and pytest-xdist that do not fit together drop them silently."""
    if not hasattr(request.config, "workerinput") or not request.config.getvalue("loadgroup"):
        pytest.skip("tests are not distributed by group")
    assert request.node.nodeid.endswith("@a group of its own")
