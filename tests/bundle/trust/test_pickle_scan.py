"""The scan finds what a pickle asks for, in every wrapping, and survives every kind of rubbish."""

from __future__ import annotations

import io
import pickle
import random
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from bentoml.bundle.trust import pickle_files
from bentoml.bundle.trust.pickle_facts import NotAPickle
from bentoml.bundle.trust.pickle_files import FileFacts, scan_file
from bentoml.bundle.trust.pickle_machine import scan_pickle
from bentoml.bundle.trust.stream import Stream

from .payloads import Evil, attacks, disguises, dumped, proto4


def scan(content: bytes, tmp_path: Path) -> FileFacts:
    file = tmp_path / "model.bin"
    file.write_bytes(content)
    return scan_file(file)


def imported(facts: FileFacts) -> set[str]:
    return {f"{one.module}.{one.name}" for one in facts.pickles.imported}


@pytest.mark.parametrize("attack", attacks(Path("x")))
def test_every_attack_is_seen_and_none_of_it_runs(attack: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    facts = scan(attacks(mark)[attack][0], tmp_path)
    assert facts.has_pickle
    names = {name.rpartition(".")[2] for name in imported(facts)}
    assert names & {"mkdir", "eval", "runstring", "_make_function", "_builtin_type"}, imported(facts)
    assert not mark.exists()


@pytest.mark.parametrize("disguise", disguises(Path("x")))
def test_disguises_are_seen_through(disguise: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    facts = scan(disguises(mark)[disguise], tmp_path)
    assert facts.has_pickle
    assert {"posix.mkdir", "nt.mkdir"} & imported(facts), (facts.format, imported(facts))
    assert not mark.exists()


def test_a_forest_in_joblib_names_its_classes_and_its_version(tmp_path: Path) -> None:
    import sklearn

    model = RandomForestClassifier(5).fit(np.random.rand(50, 3), np.arange(50) % 3)
    facts = scan(dumped(joblib.dump, model), tmp_path)
    assert facts.pickles.problems == []
    assert "sklearn.ensemble._forest.RandomForestClassifier" in imported(facts)
    assert "joblib.numpy_pickle.NumpyArrayWrapper" in imported(facts)
    assert facts.pickles.versions == {"scikit-learn": sklearn.__version__}
    assert all(name.startswith(("sklearn.", "numpy", "joblib.")) for name in imported(facts))


def test_arrays_of_all_kinds_are_passed_over(tmp_path: Path) -> None:
    values = {
        "float": np.ones((3, 4)), "fortran": np.asfortranarray(np.ones((5, 6))), "empty": np.zeros((0, 3)),
        "text": np.array(["abc", "de"]), "bytes": np.array([b"abc"]), "bool": np.array([True]),
        "record": np.zeros(3, dtype=[("x", "f4"), ("y", "U3")]), "time": np.array(["2020-01-01"], "M8[s]"),
        "objects": np.array([OrderedDict(), 1], dtype=object), "mixed": np.zeros(2, dtype=[("x", "O")]),
        "last": frozenset([1]),
    }  # fmt: skip
    for name, value in values.items():
        facts = scan(dumped(joblib.dump, {name: value, "end": OrderedDict(a=1)}), tmp_path)
        assert facts.pickles.problems == [], name
        assert "collections.OrderedDict" in imported(facts), name
    facts = scan(dumped(joblib.dump, values), tmp_path)
    assert facts.pickles.problems == []


def test_what_is_only_data_is_not_called_a_pickle(tmp_path: Path) -> None:
    from safetensors.torch import save

    tensors = save({"w": torch.ones(100)})
    for content, wanted in (
        (tensors, "safetensors"), (b'{"a": 1}', "JSON"), (b"hello\nworld", "text"), (b"", "text"),
        ("größe ✓".encode() * 100, "text"), (b"N.", "text"), (b"I1\n.", "text"),
        (b"\x89HDF\r\n\x1a\n" + b"x" * 99, "HDF5"),
        (dumped(lambda v, f: np.save(f, v), np.ones(4)), "NumPy array"), (bytes(range(256)), "unknown"),
        (dumped(lambda v, f: np.savez(f, a=v), np.ones(4)), "zip"),
    ):  # fmt: skip
        facts = scan(content, tmp_path)
        assert (facts.format, facts.has_pickle, facts.pickles.imported) == (wanted, False, set()), content[
            :20
        ]


def test_torch_files_and_programs_are_told_apart(tmp_path: Path) -> None:
    assert scan(dumped(torch.save, torch.nn.Linear(2, 2).state_dict()), tmp_path).format == "PyTorch archive"
    script = torch.jit.script(torch.nn.Linear(2, 2))
    torch.jit.save(script, str(tmp_path / "script.pt"))
    facts = scan_file(tmp_path / "script.pt")
    assert facts.format == "TorchScript program"
    assert any("torch" in name for name in imported(facts))


def test_a_cut_pickle_tells_what_came_before_and_that_it_is_cut(tmp_path: Path) -> None:
    facts = scan(pickle.dumps([OrderedDict(), Evil(tmp_path / "m"), list(range(1000))])[:-20], tmp_path)
    assert "collections.OrderedDict" in imported(facts)
    assert facts.pickles.problems == ["it ends too early"]


def test_computed_names_are_a_problem(tmp_path: Path) -> None:
    facts = scan(b"\x80\x04}\x8c\x01x\x93.", tmp_path)
    assert any("computes the name" in text for text in facts.pickles.problems)


def test_compressed_rubbish_and_bombs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    assert scan(gzip.compress(b"x" * 1000)[:-9], tmp_path).format.startswith("gzip")
    monkeypatch.setattr(pickle_files, "MAX_UNPACKED_BYTES", 1 << 20)
    bomb = gzip.compress(pickle.dumps(b"\0" * (8 << 20)))
    facts = scan(bomb, tmp_path)
    assert facts.has_pickle
    assert facts.pickles.problems
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"\0" * (8 << 20))
    assert (
        "larger" in str(scan(buffer.getvalue(), tmp_path).pickles.problems)
        or scan(buffer.getvalue(), tmp_path).pickles.problems
    )
    deep = pickle.dumps(Evil(tmp_path / "m"))
    for _ in range(8):
        deep = gzip.compress(deep)
    assert "too many times" in str(scan(deep, tmp_path).pickles.problems)


def test_A05_safetensors_headers_that_lie(tmp_path: Path) -> None:
    for size in (1 << 63, 1 << 40, 11 << 20, 0, 1):
        facts = scan(struct.pack("<Q", size) + b'{"a":1}' + b"\0" * 100, tmp_path)
        assert facts.format != "safetensors"


@settings(max_examples=300, deadline=None)
@given(
    data=st.binary(max_size=300),
    proto=st.sampled_from([b"", b"\x80\x02", b"\x80\x04", b"PK\x03\x04", b"\x1f\x8b"]),
)
def test_rubbish_never_raises(data: bytes, proto: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    facts = scan(proto + data, tmp_path_factory.getbasetemp())
    assert isinstance(facts.format, str)


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(value=_PLAIN, protocol=st.integers(0, 5))
def test_every_plain_value_is_followed_to_its_end(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    stream = Stream(io.BytesIO(data + b"rest"))  # type: ignore[arg-type]
    facts = scan_pickle(stream)
    assert stream.position == len(data)
    assert {one.name for one in facts.imported} <= {"frozenset", "bytes", "encode"}
    assert facts.problems == []


def test_flipped_bits_of_a_real_model(tmp_path: Path) -> None:
    model = dumped(joblib.dump, RandomForestClassifier(2).fit(np.random.rand(20, 3), np.arange(20) % 2))
    rng = random.Random(7)
    for _ in range(150):
        broken = bytearray(model)
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        assert scan(bytes(broken), tmp_path).has_pickle in (True, False)


def test_a_huge_pickle_is_followed_without_reading_it(tmp_path: Path) -> None:
    """2 GiB of array are announced, and skipped by seeking; the file is sparse."""
    file = tmp_path / "huge.pkl"
    size = 2 << 30
    with file.open("wb") as stream:
        stream.write(b"\x80\x05\x8e" + struct.pack("<Q", size))
        stream.seek(size, io.SEEK_CUR)
        stream.write(proto4("os", "mkdir", "x")[2:])
    facts = scan_file(file)
    assert imported(facts) == {"os.mkdir"}
    assert facts.pickles.problems == []


def test_not_a_pickle_keeps_what_it_found() -> None:
    with pytest.raises(NotAPickle) as caught:
        scan_pickle(Stream(io.BytesIO(proto4("os", "mkdir", "x")[:-1] + b"\xff")))  # type: ignore[arg-type]
    assert {one.name for one in caught.value.facts.imported} == {"mkdir"}  # type: ignore[attr-defined]
