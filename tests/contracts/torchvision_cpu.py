"""Lets torchvision be imported beside a PyTorch for CPUs.

The package index has torchvision for CUDA only. Its compiled operators do not load without CUDA and
nothing here calls them, but the package declares further properties of two of them when it is imported.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

OPERATORS = ("nms", "qnms")
_kept: list[Any] = []


def import_torchvision() -> None:
    torch = pytest.importorskip("torch")
    if find_spec("torchvision") is None:
        pytest.skip("could not import 'torchvision'", allow_module_level=True)
    if torch.version.cuda is None and not _kept:
        library = torch.library.Library("torchvision", "DEF")
        for name in OPERATORS:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
