"""The pictures of the image workload and the small network that tells them apart."""

from __future__ import annotations

import io
from typing import Any

import numpy

SIDE, KINDS = 224, 10


def draw(kind: int, seed: int) -> Any:
    """H×W×3 `uint8`: a colour and a stripe width of its own for each kind, under noise."""
    source = numpy.random.default_rng(1000 * kind + seed)
    colour = numpy.random.default_rng(kind).uniform(40, 215, 3)
    stripes = numpy.sin(numpy.arange(SIDE) * (0.05 + 0.06 * kind))[:, None, None] * 40
    coarse = source.normal(0, 12, (SIDE // 8, SIDE // 8, 3)).repeat(8, 0).repeat(8, 1)
    fine = source.normal(0, 10, (SIDE, SIDE, 1))
    return numpy.clip(colour + stripes + coarse + fine, 0, 255).astype(numpy.uint8)


def jpeg(pixels: Any) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return file.getvalue()


def decode(data: bytes) -> Any:
    from PIL import Image

    return numpy.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def train_cnn() -> Any:
    """Random convolutions and a last layer fitted to their features by least squares."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    last = nn.Linear(64, KINDS)
    kinds = [kind for kind in range(KINDS) for _ in range(8)]
    with torch.no_grad():
        features = body(as_tensor([draw(kind, 100 + i) for i, kind in enumerate(kinds)]))
        scale = features.std(0) + 1e-3
        shown = torch.cat([(features - features.mean(0)) / scale, torch.ones(len(kinds), 1)], 1)
        wanted = torch.eye(KINDS)[torch.tensor(kinds)]
        ridge = 0.1 * torch.eye(shown.shape[1])
        fitted = torch.linalg.solve(shown.T @ shown + ridge, shown.T @ wanted)
        last.weight.copy_((fitted[:-1] / scale[:, None]).T)
        last.bias.copy_(fitted[-1] - (features.mean(0) / scale) @ fitted[:-1])
    return nn.Sequential(body, last).eval()


def as_tensor(pictures: list[Any]) -> Any:
    import torch

    return torch.from_numpy(numpy.stack(pictures)).permute(0, 3, 1, 2).float().div_(255)


def classify(model: Any, pictures: list[Any]) -> Any:
    """The kind of each picture, from one forward pass."""
    import torch

    with torch.inference_mode():
        return model(as_tensor(pictures)).argmax(1).tolist()
