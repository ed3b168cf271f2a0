"""Ours for every workload, and what it is compared with for pictures, large bodies and generated text."""

from __future__ import annotations

from .catalogue import make_bundle, serve
from .peer import IRIS, TABLES, Command, Peer, run_app

BOUNDARY = b"----benchmark-9f2c"
EVERYTHING = (*IRIS, *TABLES, "cnn", "bin", "gpt")


def as_form(body: bytes) -> bytes:
    """One file named `image` in a form, for servers that read forms only."""
    head = (
        b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    return b"--" + BOUNDARY + b"\r\n" + head + body + b"\r\n--" + BOUNDARY + b"--\r\n"


def _litserve(window_ms: int, batch: int, workers: int, name: str) -> Peer:
    title = f"LitServe, {window_ms} ms window, batch {batch}, {workers} worker{'s' if workers > 1 else ''}"
    return Peer(
        name=name,
        title=title,
        requirements=("litserve", "torch", "pillow", "numpy", "python-multipart"),
        workloads=("cnn",),
        command=run_app("litserve_images.py", str(window_ms), str(batch), str(workers)),
        body=as_form,
        content_type="multipart/form-data; boundary=" + BOUNDARY.decode(),
        version_of="litserve",
    )


_no_command: Command = lambda start: []  # noqa: E731 - a loop is started by `loops`

OURS = (
    Peer(
        name="ours",
        title="this project",
        workloads=EVERYTHING,
        prepare=make_bundle,
        command=serve(),
    ),
    Peer(
        name="ours-2",
        title="this project, 2 workers",
        workloads=EVERYTHING,
        prepare=make_bundle,
        command=serve("--workers", "2"),
    ),
)
MODEL_SERVERS = (
    _litserve(5, 64, 1, "litserve-cnn"),
    _litserve(50, 64, 1, "litserve-cnn-tuned"),
    _litserve(5, 64, 2, "litserve-cnn-2"),
    _litserve(50, 32, 2, "litserve-cnn-2-tuned"),
    Peer(
        name="uvicorn",
        title="bare uvicorn echo",
        requirements=("uvicorn[standard]",),
        workloads=("bin",),
        command=run_app("uvicorn_echo.py"),
        version_of="uvicorn",
    ),
    Peer(
        name="bare",
        title="bare loop, no server",
        workloads=(*IRIS, *TABLES, "cnn", "gpt"),
        command=_no_command,
        is_loop=True,
    ),
    Peer(
        name="bare-2",
        title="two bare loops, no server",
        workloads=(*IRIS, *TABLES, "cnn", "gpt"),
        command=_no_command,
        is_loop=True,
        processes=2,
    ),
)
