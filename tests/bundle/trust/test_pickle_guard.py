"""The allow list inside the unpickler: no form, library or nesting gets round it."""

from __future__ import annotations

import contextlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from bentoml.bundle.load import load_from_dir
from bentoml.bundle.trust import pickle_guard
from bentoml.bundle.trust.pickle_guard import AllowList, guard_pickles
from bentoml.bundle.trust.policy import PICKLE_VARIABLE
from bentoml.exceptions import BentoMLConfigException, UntrustedBundle
from tests.bundle.projects import SavedBundle, load_elsewhere

from .payloads import attacks, proto4

GENEROUS = [
    "sklearn.*", "numpy.*", "joblib.*", "torch.*", "collections.*", "cloudpickle.*", "pandas.*", "copyreg.*",
    "_codecs.encode", "_pickle.loads", "copyreg._reconstructor",
    "builtins.set", "builtins.object", "itertools.*",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_guard_afterwards() -> Iterator[None]:
    yield
    pickle_guard._active = None


@pytest.mark.parametrize("attack", attacks(Path("x")))
def test_code_of_a_pickle_does_not_run(attack: str, tmp_path: Path) -> None:
    """Even where the whole of sklearn, numpy, torch, joblib and cloudpickle is allowed."""
    mark = tmp_path / "mark"
    content, load = attacks(mark)[attack]
    guard_pickles(AllowList(GENEROUS))
    with pytest.raises((UntrustedBundle, AttributeError)):
        load(content)
    assert not mark.exists()


@pytest.mark.parametrize("attack", [name for name in attacks(Path("x")) if "dots" not in name])
def test_the_same_attack_works_without_the_list(attack: str, tmp_path: Path) -> None:
    """Else the test above proves nothing."""
    mark = tmp_path / "mark"
    content, load = attacks(mark)[attack]
    with contextlib.suppress(Exception):  # what comes after the mark does not matter
        load(content)
    assert mark.exists()


def test_models_load_with_the_names_they_need() -> None:
    model = LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1])
    guard_pickles(AllowList(GENEROUS))
    stream = io.BytesIO()
    joblib.dump(model, stream)
    assert joblib.load(io.BytesIO(stream.getvalue())).predict([[1.0]])[0] == 1
    assert pickle.loads(pickle.dumps(model, 2)).predict([[0.0]])[0] == 0
    assert cloudpickle.loads(cloudpickle.dumps(OrderedDict(a=np.arange(3))))["a"].sum() == 3
    saved = io.BytesIO()
    torch.save({"w": torch.ones(2)}, saved)
    assert torch.load(io.BytesIO(saved.getvalue()), weights_only=False)["w"].sum() == 2
    with pytest.raises(UntrustedBundle, match=r"'decimal\.Decimal'"):
        pickle.loads(pickle.dumps(__import__("decimal").Decimal(1)))


def test_an_empty_list_lets_values_through_and_nothing_else() -> None:
    guard_pickles(AllowList([]))
    assert pickle.loads(pickle.dumps({"a": [1, 2.5, b"x", None, (True,)]}))
    with pytest.raises(UntrustedBundle):
        pickle.loads(pickle.dumps(OrderedDict()))


def test_a_wildcard_is_for_what_the_package_defines() -> None:
    allowed = AllowList(["sklearn.*", "collections.OrderedDict"])
    assert allowed.allows("sklearn.linear_model._logistic", "LogisticRegression")
    assert allowed.allows("sklearn.linear_model", "LogisticRegression")
    assert allowed.allows("collections", "OrderedDict")
    for module, name in (
        ("sklearn.utils", "check_array"), ("sklearn.datasets._base", "os"),
        ("sklearn.datasets._base", "urlretrieve"),
        ("sklearn.datasets._base", "__builtins__"), ("sklearn.datasets._base", "os.system"),
        ("sklearn.linear_model._logistic", "np"), ("sklearnx", "a"), ("sklearn", "absent"),
        ("collections", "OrderedDict.fromkeys"), ("", "x"), ("sklearn", ""), ("os", "system"),
    ):  # fmt: skip
        assert not allowed.allows(module, name), (module, name)
    assert not allowed.allows(None, "x")


def test_names_of_python_2_are_judged_as_what_they_become() -> None:
    assert AllowList(["builtins.object", "copyreg._reconstructor"]).allows("copy_reg", "_reconstructor")
    assert AllowList(["builtins.object"]).allows("__builtin__", "object")
    assert not AllowList(["itertools.*"]).allows("itertools", "imap")  # becomes builtins.map
    assert not AllowList(["commands.*"]).allows("commands", "getoutput")  # becomes subprocess.getoutput


@pytest.mark.parametrize("entry", ["*", "skl*", "", ".*", "os system", "a..b", "a.*.b", "a.*.*"])
def test_entries_that_mean_nothing_are_refused(entry: str) -> None:
    with pytest.raises(BentoMLConfigException, match=r"trust\.pickle_allow"):
        AllowList([entry])


def test_the_extension_registry_is_no_way_round(tmp_path: Path) -> None:
    import copyreg

    copyreg.add_extension("os", "mkdir", 0x70)
    try:
        guard_pickles(AllowList(GENEROUS))
        with pytest.raises(UntrustedBundle):
            pickle.loads(b"\x80\x02\x82\x70X\x01\x00\x00\x00x\x85R.")
    finally:
        copyreg.remove_extension("os", "mkdir", 0x70)


def test_a_bundle_under_the_list(
    marked: SavedBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting alone is enough, in this process and in others."""
    assert (
        load_elsewhere(marked.path, "svc.predict(1)", tmp_path, **{PICKLE_VARIABLE: "sklearn.*"})
        == "[[1], 1]"
    )
    (marked.package / "artifacts/model.pkl").write_bytes(proto4("os", "mkdir", str(tmp_path / "mark")))
    from bentoml.bundle.manifest import write_manifest

    write_manifest(marked.path)
    monkeypatch.setenv(PICKLE_VARIABLE, "sklearn.*,numpy.*")
    with pytest.raises(UntrustedBundle, match=r"'os\.mkdir', which trust\.pickle_allow does not name"):
        load_from_dir(marked.path)
    with pytest.raises(AssertionError, match="UntrustedBundle"):
        load_elsewhere(marked.path, "1", tmp_path, **{PICKLE_VARIABLE: "sklearn.*"})
    assert not (tmp_path / "mark").exists()
