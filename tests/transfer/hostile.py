"""Entries (X) that no archive may bring along, added to one that is sound."""

from __future__ import annotations

import tarfile

GREETING = "wheels/greeting-1.5-py3-none-any.whl"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def pax(name: str, **records: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.pax_headers = records
    return info


HOSTILE = {
    "X1": [member("../x")],
    "X1-wheels": [member("wheels/../../x")],
    "X2": [member("/tmp/bentoml-x")],
    "X3": [member("a/../../x")],
    "X4": [member("wheels/out", tarfile.SYMTYPE, "/tmp"), member("wheels/out/x")],
    "X4-top": [member("bundle2", tarfile.SYMTYPE, "/")],
    "X5": [member("wheels/hard", tarfile.LNKTYPE, "/etc/passwd")],
    "X6-fifo": [member("wheels/fifo", tarfile.FIFOTYPE)],
    "X6-device": [member("wheels/null", tarfile.CHRTYPE)],
    "X8": [member(GREETING)],
    "X9": [member("BUNDLE/bentoml.yml")],
    "X10": [member("wheels", tarfile.REGTYPE)],
    "X12": [member("wheels/zeros", size=64 << 20)],
    "X16": [member("wheels/" + "x/" * 5000 + "x")],
    "X18": [pax("wheels/harmless", path="../../x")],
    "X20": [member("Other/bentoml.yml")],
}
