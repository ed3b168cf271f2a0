"""Models written by the real MLflow become services; bundles are loaded by the real MLflow."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
import yaml

from bentoml import load
from bentoml.bundle.load import load_from_dir
from bentoml.exceptions import AlreadyExists, BundleCorrupted, InvalidArgument, NotFound
from bentoml.exchange import export_mlflow, import_mlflow
from bentoml.exchange.mlflow_model import read_model
from bentoml.testing import Client
from tests.e2e.processes import run, serving

mlflow = pytest.importorskip("mlflow")
pytestmark = pytest.mark.xdist_group("mlflow")

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
SERVICE = """
import bentoml
from bentoml.adapters import DataframeInput, JsonInput, NdarrayInput, StringInput

class Sums(bentoml.BentoService):
    @bentoml.api(
        input=DataframeInput(columns=["a", "b"], dtype={"a": "float64", "b": "int64"}), batch=True
    )
    def table(self, frame):
        return (frame["a"] - frame["b"]).tolist()

    @bentoml.api(input=NdarrayInput(dtype="float32", shape=[2]), batch=True)
    def array(self, arrays):
        return arrays.sum(axis=1)

    @bentoml.api(input=JsonInput(), batch=False)
    def item(self, value):
        return {"sum": value["a"] + value["b"]}

    @bentoml.api(input=JsonInput(), batch=True)
    async def waits(self, values):
        return [value["a"] for value in values]

    @bentoml.api(input=StringInput(), batch=True)
    def text(self, texts):
        return [text.upper() for text in texts]

    @bentoml.api(input=DataframeInput(), batch=True)
    def told(self, frame, tasks):
        return [0] * len(frame)
"""


@pytest.fixture(scope="module")
def iris() -> tuple[pd.DataFrame, Any, Any]:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris(as_frame=True)
    frame = data.data.set_axis(FEATURES, axis="columns")
    return frame, data.target, LogisticRegression(max_iter=500).fit(frame, data.target)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, iris: Any) -> Path:
    """Four directories written by MLflow: a table, an array, named arrays, and no signature."""
    folder = tmp_path_factory.mktemp("models")
    frame, target, model = iris
    by_place = type(model)(max_iter=500).fit(frame.to_numpy(), target)

    class Difference(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return {"difference": (model_input["to"] - model_input["from"]).tolist()}

    signature = mlflow.models.infer_signature
    save: Callable[..., None] = mlflow.sklearn.save_model
    plain = {"serialization_format": "cloudpickle", "pip_requirements": ["scikit-learn"]}
    answers = model.predict(frame)
    save(model, folder / "iris-table", signature=signature(frame, answers), input_example=frame[:2], **plain)
    array = frame.to_numpy()
    save(
        by_place, folder / "iris-array", signature=signature(array, answers), input_example=array[:2], **plain
    )
    save(model, folder / "unsigned", **plain)
    mlflow.pyfunc.save_model(
        folder / "named",
        python_model=Difference(),
        signature=signature({"from": np.zeros((2, 3)), "to": np.zeros((2, 3))}),
        pip_requirements=["numpy"],
    )
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    return tmp_path / "home"


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """A bundle with one API of each kind."""
    module = "sums_for_mlflow"
    (tmp_path / f"{module}.py").write_text(SERVICE)
    sys.path.insert(0, str(tmp_path))
    try:
        return Path(__import__(module).Sums().save())
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop(module, None)


def test_a_model_of_tables_is_imported_served_and_verified(models: Path, home: Path, tmp_path: Path) -> None:
    printed = run(["bentoml", "mlflow", "import", str(models / "iris-table"), "--label", "from=mlflow"],
                  tmp_path, home)  # fmt: skip
    assert "BentoService bundle 'IrisTable:" in printed
    listed = json.loads(run(["bentoml", "list", "-o", "json"], tmp_path, home))
    assert '"from": "mlflow"' in json.dumps(listed)
    rows = [dict(zip(FEATURES, values, strict=True)) for values in FLOWERS]
    with serving(["bentoml", "serve", "IrisTable:latest", "--port", "0"], tmp_path, home) as server:
        answer = requests.post(f"{server.address}/predict", json=rows, timeout=60)
        wrong = requests.post(f"{server.address}/predict", json=[{"sepal_length": 1}], timeout=60)
    assert answer.json() == [0, 2]
    assert wrong.status_code == 400
    assert "sepal_width" in wrong.text
    assert "OK: every answer" in run(["bentoml", "verify", "IrisTable:latest"], tmp_path, home)


def test_its_bundle_needs_what_the_model_needs_and_keeps_the_example(models: Path) -> None:
    bundle = Path(import_mlflow(models / "iris-table", "Flowers"))
    requirements = (bundle / "requirements.txt").read_text()
    assert "scikit-learn" in requirements
    assert "mlflow" in requirements
    [example] = json.loads((bundle / "Flowers" / "examples.json").read_text())["examples"]
    assert "sepal_width" in json.dumps(example)


def test_a_model_of_arrays_takes_one_array_a_request(models: Path) -> None:
    client = Client(load(import_mlflow(models / "iris-array")))
    assert client.post("/predict", json=FLOWERS[0]).json() == 0
    many = client.post_many("/predict", [{"json": row} for row in FLOWERS])
    assert [answer.json() for answer in many] == [0, 2]
    assert client.post("/predict", json=FLOWERS[0][:2]).status_code == 400


def test_a_model_of_named_arrays_names_the_one_that_is_missing(models: Path) -> None:
    client = Client(load(import_mlflow(models / "named", "Difference")))
    body = {"from": [[1, 2, 3]], "to": [[2, 4, 6]]}
    assert client.post("/predict", json=body).json() == {"difference": [[1.0, 2.0, 3.0]]}
    refused = client.post("/predict", json={"from": [[1, 2, 3]]})
    assert refused.status_code == 400
    assert "to" in refused.text


def test_a_model_without_a_signature_takes_any_table(models: Path) -> None:
    client = Client(load(import_mlflow(models / "unsigned")))
    rows = [dict(zip(FEATURES, values, strict=True)) for values in FLOWERS]
    assert client.post("/predict", json=rows).json() == [0, 2]


@pytest.mark.parametrize("name", ["class", "bentoml", "a b", "1x"])
def test_names_that_no_class_can_have_are_refused(models: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match="name"):
        import_mlflow(models / "unsigned", name)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file 'MLmodel'"):
        import_mlflow(tmp_path)
    with pytest.raises(NotFound, match="MLflow has no model at"):
        import_mlflow("models:/nobody/1")
    (tmp_path / "MLmodel").write_text("flavors: {keras: {}}")
    with pytest.raises(InvalidArgument, match="flavors keras and not 'python_function'"):
        read_model(tmp_path)
    for wrong in ("flavors: [", "flavors: 3", "flavors: {python_function: {}}\nsignature: {inputs: '[{}]'}"):
        (tmp_path / "MLmodel").write_text(wrong)
        with pytest.raises(BundleCorrupted, match="MLmodel"):
            read_model(tmp_path)


def test_hostile_names_of_columns_stay_texts(tmp_path: Path, models: Path) -> None:
    """N: a signature is data, whatever its names look like."""
    text = (models / "iris-table" / "MLmodel").read_text()
    document = yaml.safe_load(text)
    names = ["'); import os; os._exit(3)  #", '"""', "\\", "{api}"]
    inputs = [{"type": "double", "name": name, "required": True} for name in names]
    copy = tmp_path / "copy"
    import shutil

    shutil.copytree(models / "unsigned", copy)
    document.update(signature={"inputs": json.dumps(inputs)}, saved_input_example_info=None)
    document["flavors"] = yaml.safe_load((models / "unsigned" / "MLmodel").read_text())["flavors"]
    (copy / "MLmodel").write_text(yaml.safe_dump(document))
    service = load(import_mlflow(copy, "Hostile"))
    assert service.get_inference_api("predict").input_adapter.columns == names


def test_an_example_outside_of_the_model_is_not_read(tmp_path: Path, models: Path) -> None:
    document = yaml.safe_load((models / "iris-table" / "MLmodel").read_text())
    (tmp_path / "secret.json").write_text('{"columns": ["a"], "data": [[1]]}')
    document["saved_input_example_info"]["artifact_path"] = "../secret.json"
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text(yaml.safe_dump(document))
    assert read_model(tmp_path / "model").example is None


def test_mlflow_loads_an_exported_bundle(sums: Path, tmp_path: Path, home: Path) -> None:
    target = tmp_path / "out"
    printed = run(
        ["bentoml", "mlflow", "export", "Sums:latest", "-o", str(target), "--api", "table"], tmp_path, home
    )
    assert str(target) in printed
    assert {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "bundle"} == {
        path.name for path in target.iterdir()
    }
    assert "./bundle/bundled_pip_dependencies/bentoml-" in (target / "requirements.txt").read_text()
    code = (
        "import mlflow, pandas as pd\n"
        f"model = mlflow.pyfunc.load_model({str(target)!r})\n"
        "print(model.metadata.signature.inputs.input_names())\n"
        "print(model.predict(pd.DataFrame({'b': [1, 2], 'a': [1.5, 2.5], 'c': [0, 0]})))\n"
        f"model = mlflow.pyfunc.load_model({str(target)!r}, model_config={{'api': 'item'}})\n"
        "print(model.predict(pd.DataFrame({'a': [1.0], 'b': [2]})))\n"
    )
    printed = run([sys.executable, "-W", "ignore", "-c", code], tmp_path, home)
    assert printed.splitlines() == ["['a', 'b']", "[0.5, 0.5]", "[{'sum': 3.0}]"]


@pytest.mark.parametrize(
    ("api", "value", "answer"),
    [
        ("item", [{"a": 1, "b": 2}, {"a": 3, "b": 4}], [{"sum": 3}, {"sum": 7}]),
        ("item", {"a": 1, "b": 2}, [{"sum": 3}]),
        ("item", pd.DataFrame({"a": [1], "b": [np.int64(2)]}), [{"sum": 3}]),
        ("waits", [{"a": "x"}, {"a": None}], ["x", None]),
        ("text", ["a", "b"], ["A", "B"]),
        ("text", pd.DataFrame({"t": ["a"]}), ["A"]),
        ("table", [[1.5, 1]], [0.5]),
    ],
)
def test_predict_of_each_kind_of_api(sums: Path, tmp_path: Path, api: str, value: Any, answer: Any) -> None:
    from bentoml.exchange.mlflow_pyfunc import BundleModel

    assert BundleModel(str(sums), api).predict(value) == answer


def test_predict_of_arrays(sums: Path, tmp_path: Path) -> None:
    model = mlflow.pyfunc.load_model(str(export_mlflow(sums, tmp_path / "out", "array")))
    assert model.predict(np.array([[1, 2], [3, 4]], dtype="float32")).tolist() == [3.0, 7.0]


def test_wrong_input_of_predict_says_where(sums: Path) -> None:
    from bentoml.exchange.mlflow_pyfunc import BundleModel

    with pytest.raises(InvalidArgument, match="needs the columns b, got a"):
        BundleModel(str(sums), "table").predict(pd.DataFrame({"a": [1.0]}))
    with pytest.raises(InvalidArgument, match="Item 1 was not answered"):
        BundleModel(str(sums), "item").predict([{"a": 1, "b": 2}, {}])
    with pytest.raises(InvalidArgument, match="takes no params"):
        BundleModel(str(sums), "item").predict([], {"temperature": 1})


def test_export_refuses_with_the_reason_and_leaves_nothing(sums: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"has the APIs .*say which.*--api"):
        export_mlflow(sums, tmp_path / "out")
    with pytest.raises(NotFound, match="nothing"):
        export_mlflow(sums, tmp_path / "out", "nothing")
    with pytest.raises(InvalidArgument, match="takes 'tasks'"):
        export_mlflow(sums, tmp_path / "out", "told")
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    with pytest.raises(AlreadyExists, match="out"):
        export_mlflow(sums, tmp_path / "out", "item")


def test_there_and_back(models: Path, tmp_path: Path) -> None:
    """An imported model that is exported again is a model that MLflow imports."""
    exported = export_mlflow(import_mlflow(models / "iris-table"), tmp_path / "again")
    again = import_mlflow(exported, "Again")
    rows = [dict(zip(FEATURES, values, strict=True)) for values in FLOWERS]
    assert Client(load_from_dir(again)).post("/predict", json=rows).json() == [0, 2]
