"""Files whose loading runs code, in every form we know of. Each leaves a mark if it comes so far."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import torch


class Evil:
    """Its pickle calls a function of ours when it is loaded."""

    def __init__(self, mark: Path, function: Any = None) -> None:
        self.mark, self.function = mark, function

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        import os

        return (self.function or os.mkdir), (str(self.mark),)


def _text(value: str) -> bytes:
    data = value.encode()
    head = b"\x8c" + bytes([len(data)]) if len(data) < 256 else b"X" + struct.pack("<I", len(data))
    return head + data


def proto4(module: str, name: str, argument: str) -> bytes:
    """`name` of `module` called with a text, written by hand: the names may be anything."""
    return b"\x80\x04" + _text(module) + _text(name) + b"\x93" + _text(argument) + b"\x85R."


def in_zip(data: bytes, name: str = "archive/data.pkl") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/version", "3\n")
        archive.writestr(name, data)
    return buffer.getvalue()


def dumped(dump: Callable[[Any, Any], Any], value: Any) -> bytes:
    buffer = io.BytesIO()
    dump(value, buffer)
    return buffer.getvalue()


def by_pickle(data: bytes) -> Any:
    return pickle.loads(data)


def by_python_pickle(data: bytes) -> Any:
    return pickle._loads(data)  # type: ignore[attr-defined]


def by_cloudpickle(data: bytes) -> Any:
    return cloudpickle.loads(data)


def by_joblib(data: bytes) -> Any:
    return joblib.load(io.BytesIO(data))


def by_torch(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), weights_only=False)


def by_numpy(data: bytes) -> Any:
    return np.load(io.BytesIO(data), allow_pickle=True)


def by_pandas(data: bytes) -> Any:
    import pandas

    return pandas.read_pickle(io.BytesIO(data), compression=None)


Load = Callable[[bytes], Any]


def attacks(mark: Path) -> dict[str, tuple[bytes, Load]]:
    """Name → (content of the file, what loads it)."""
    evil = Evil(mark)
    plain = pickle.dumps(evil)
    os_name = __import__("os").mkdir.__module__  # posix or nt
    found: dict[str, tuple[bytes, Load]] = {
        f"protocol {p}": (pickle.dumps(evil, p), by_pickle) for p in range(6)
    }
    arrays = {"a": np.zeros((3, 3)), "b": evil, "c": np.array([evil, 1], dtype=object)}
    found |= {
        "the Python unpickler": (plain, by_python_pickle),
        "cloudpickle": (cloudpickle.dumps(evil), by_cloudpickle),
        "cloudpickle, a function by value": (
            cloudpickle.dumps(Evil(mark, eval("lambda p: __import__('os').mkdir(p)"))),
            by_cloudpickle,
        ),
        "joblib between arrays": (dumped(joblib.dump, arrays), by_joblib),
        "joblib, in an array of objects": (dumped(joblib.dump, np.array([1, evil], dtype=object)), by_joblib),
        "joblib, zlib": (dumped(lambda v, f: joblib.dump(v, f, compress=3), arrays), by_joblib),
        "joblib, gzip": (dumped(lambda v, f: joblib.dump(v, f, compress=("gzip", 3)), arrays), by_joblib),
        "joblib, bz2": (dumped(lambda v, f: joblib.dump(v, f, compress=("bz2", 3)), arrays), by_joblib),
        "joblib, xz": (dumped(lambda v, f: joblib.dump(v, f, compress=("xz", 3)), arrays), by_joblib),
        "joblib, lzma": (dumped(lambda v, f: joblib.dump(v, f, compress=("lzma", 3)), arrays), by_joblib),
        "torch archive": (dumped(torch.save, {"w": torch.zeros(3), "x": evil}), by_torch),
        "torch, old form": (
            dumped(
                lambda v, f: torch.save(v, f, _use_new_zipfile_serialization=False), [torch.zeros(3), evil]
            ),
            by_torch,
        ),
        "torch in a pickle": (
            proto4_bytes("torch.storage", "_load_from_bytes", dumped(torch.save, evil)), by_pickle,
        ),
        "a pickle in a pickle": (proto4_bytes("_pickle", "loads", plain), by_pickle),
        "an old pickle in a pickle": (proto4_bytes("_pickle", "loads", pickle.dumps(evil, 0)), by_pickle),
        "numpy array of objects": (
            dumped(lambda v, f: np.save(f, v), np.array([evil], dtype=object)), by_numpy,
        ),
        "npz": (
            dumped(lambda v, f: np.savez(f, x=v), np.array([evil], dtype=object)),
            lambda data: by_numpy(data)["x"],
        ),
        "pandas": (plain, by_pandas),
        "INST": (f"(S'{mark}'\ni{os_name}\nmkdir\n.".encode(), by_pickle),
        "OBJ": (f"(c{os_name}\nmkdir\nS'{mark}'\no.".encode(), by_pickle),
        "names from the memo": (
            b"\x80\x04" + _text(os_name) + b"\x94" + _text("mkdir") + b"\x940h\x000h\x00h\x01\x93"
            + _text(str(mark)) + b"\x85R.",
            by_pickle,
        ),
        "a name with dots": (proto4("sklearn.utils", "_joblib.os.mkdir", str(mark)), by_pickle),
        "a module that the package imported": (
            proto4("sklearn.datasets._base", "os.mkdir", str(mark)), by_pickle,
        ),
        "a function of an allowed package": (
            proto4("numpy.testing", "runstring", "x").replace(b"\x8c\x01x\x85R.", b"")
            + _text(f"__import__('os').mkdir({str(mark)!r})") + b"}\x86R.",
            by_pickle,
        ),
        "Python 2's name": (
            f"c__builtin__\neval\n(S'__import__(\"os\").mkdir(\"{mark}\")'\ntR.".encode(), by_pickle,
        ),
    }  # fmt: skip
    return found


def proto4_bytes(module: str, name: str, argument: bytes) -> bytes:
    head = proto4(module, name, "")[: -len(b"\x8c\x00\x85R.")]
    return head + b"B" + struct.pack("<I", len(argument)) + argument + b"\x85R."


def disguises(mark: Path) -> dict[str, bytes]:
    """Evil content that a scan by file name or first bytes would miss."""
    plain = pickle.dumps(Evil(mark))
    return {
        "gzip": gzip.compress(plain),
        "zlib": zlib.compress(plain),
        "bzip2": bz2.compress(plain),
        "xz": lzma.compress(plain),
        "lzma": lzma.compress(plain, format=lzma.FORMAT_ALONE),
        "gzip in gzip": gzip.compress(gzip.compress(plain)),
        "zip": in_zip(plain),
        "zip under another name": in_zip(plain, "archive/weights.bin"),
        "zip in zip": in_zip(in_zip(plain)),
        "behind another pickle": pickle.dumps([1]) + plain,
        "a pickle, and an archive at its end": pickle.dumps([1]) + in_zip(plain),
        "behind what looks like an array of joblib": fake_array(plain),
    }


def fake_array(plain: bytes) -> bytes:
    """A plain loader goes on with the opcodes that joblib takes for the bytes of an array."""
    genuine = dumped(joblib.dump, np.zeros(len(plain) // 8 + 64))
    start = genuine.index(b"\x00" * 400)
    return genuine[:start].rstrip(b"\xff")[:-1] + plain[2:] + b"\0" * 4000
