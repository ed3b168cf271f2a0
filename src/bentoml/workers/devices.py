"""Which accelerators a worker sees, decided before its process starts.

A CUDA library looks at `CUDA_VISIBLE_DEVICES` when it is first used, so setting it from outside works
for every framework and needs none of them here.
"""

from __future__ import annotations

from collections.abc import Sequence

VARIABLE = "CUDA_VISIBLE_DEVICES"
NONE = "-1"  # an empty variable is lost on some systems


def device_environment(devices: Sequence[str] | None, index: int) -> dict[str, str]:
    """Variables for the worker at `index`: it sees `devices[index % len(devices)]` and no other.

    Args:
        devices: indexes or ids; `cpu` or an empty list hides all; None leaves the environment alone.
    """
    if devices is None:
        return {}
    device = devices[index % len(devices)] if devices else "cpu"
    return {VARIABLE: NONE if device.lower() == "cpu" else device}
