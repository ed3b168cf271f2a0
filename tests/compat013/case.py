"""What a case is, and how its request is put together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
BOUNDARY = "--------compat013"

ECHO = "EchoService:1.0.0+cpu"
FRAME = "FrameService:1.0.0"
FILES = "FileService:1.0.0"
FORMS = "../FormService"  # a bundle given by its path
WORDS = "WordCounter:1.0.0"
CENTROID = "NearestCentroid:2.1.7"
IRIS = "IrisClassifier:20210926174550_16DCF9"


@dataclass(frozen=True)
class Case:
    """One request to one service."""

    id: str
    service: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    compare: str = "body"


@dataclass(frozen=True)
class Run:
    """One command line; `files` are written into the working directory first, with those of `DATA`."""

    id: str
    argv: tuple[str, ...]
    files: dict[str, str]


def multipart(*parts: tuple[str, str | None, str, bytes]) -> tuple[dict[str, str], bytes]:
    """Parts are (field, file name or None, content type, bytes)."""
    out = bytearray()
    for field, file_name, kind, data in parts:
        disposition = f'form-data; name="{field}"'
        if file_name is not None:
            disposition += f'; filename="{file_name}"'
        out += f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n".encode()
        out += (f"Content-Type: {kind}\r\n" if kind else "").encode() + b"\r\n" + data + b"\r\n"
    out += f"--{BOUNDARY}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, bytes(out)


JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
CSV = {"Content-Type": "text/csv"}


def json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
