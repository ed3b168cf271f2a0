"""Ray and Spark give what the local engine gives: the same rows, order, bad rows and jobs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas
import pytest

from bentoml import offline
from bentoml.exceptions import InvalidArgument

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    """Two raylets with one CPU each on this machine."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    tests = str(Path(__file__).parents[1])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [tests, before]))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    assert len([node for node in ray.nodes() if node["Alive"]]) == 2
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def spark_session() -> Iterator[Any]:
    """Spark with two Python workers on this machine."""
    pytest.importorskip("pyspark")
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    yield session
    session.stop()


@pytest.fixture(params=["ray", "spark"])
def engine(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue("ray_cluster" if request.param == "ray" else "spark_session")
    return str(request.param)


FRAME = pandas.DataFrame({"id": [f"r{i}" for i in range(5000)], "a": range(5000), "b": 0.25})


def write(kind: str, folder: Path) -> Any:
    path = folder / f"in.{kind}"
    if kind == "csv":
        FRAME.to_csv(path, index=False)
    elif kind == "jsonl":
        FRAME.to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        FRAME.to_parquet(path, row_group_size=300)
    elif kind == "frame":
        return FRAME
    else:
        (folder / "several").mkdir()
        for number in range(5):
            part = FRAME[number * 1000 : number * 1000 + 1000]
            part.to_csv(folder / "several" / f"{number}.csv", index=False)
        return folder / "several"
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "several", "frame"])
def test_results_are_those_of_the_local_engine(engine: str, kind: str, bundle: Path, tmp_path: Path) -> None:
    source = write(kind, tmp_path)
    done = {}
    for name in ("local", engine):
        out = tmp_path / f"{name}.jsonl"
        done[name] = offline.run(
            str(bundle), "no_sevens", source, out, keep=["id"], engine=name, progress=False
        )
    assert (done[engine].rows, done[engine].failed) == (5000, 500)
    for ending in ("", ".bad-rows.jsonl"):
        found = (tmp_path / f"{engine}.jsonl{ending}").read_bytes()
        assert found == (tmp_path / f"local.jsonl{ending}").read_bytes()


def from_a_shell(bundle: Path, source: Path, sink: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bentoml", "run", str(bundle), "no_sevens", "--keep", "id"]
    command += ["--input-file", str(source), "--output-file", str(sink), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=1500)


@pytest.mark.parametrize("where", ["here", "cluster"])
@pytest.mark.parametrize("kind", ["csv", "several"])
def test_the_command_line(
    engine: str, where: str, kind: str, bundle: Path, tmp_path: Path, request: Any
) -> None:
    source = write(kind, tmp_path)
    here = {"ray": ["--engine", "ray"], "spark": ["--engine", "spark"]}
    there = {
        "ray": ["--ray-address", request.getfixturevalue("ray_cluster").address] if engine == "ray" else [],
        "spark": ["--spark-master", "local[1]"],
    }
    flags = here[engine] if where == "here" else there[engine]
    done = from_a_shell(bundle, source, tmp_path / "engine.jsonl", "--workers", "2", *flags)
    assert done.returncode == 1, done.stderr  # rows failed
    assert re.search(r"^5,000 rows in .*, 500 failed \(see .*written to ", done.stderr, re.MULTILINE)
    assert done.stdout == ""
    assert from_a_shell(bundle, source, tmp_path / "local.jsonl").returncode == 1
    for ending in ("", ".bad-rows.jsonl"):
        found = (tmp_path / f"engine.jsonl{ending}").read_bytes()
        assert found == (tmp_path / f"local.jsonl{ending}").read_bytes()


def test_an_address_where_nobody_listens_is_named(engine: str, bundle: Path, tmp_path: Path) -> None:
    source = write("csv", tmp_path)
    flags = {"ray": ["--ray-address", "127.0.0.1:1"], "spark": ["--spark-master", "nothing://here"]}
    done = from_a_shell(bundle, source, tmp_path / "out.jsonl", *flags[engine])
    assert done.returncode == 1
    assert flags[engine][1] in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_each_process_loads_the_service_once(engine: str, bundle: Path, tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "in.parquet", row_group_size=100)
    done = offline.run(
        str(bundle), "process", tmp_path / "in.parquet", engine=engine, workers=2, progress=False
    )
    processes = set(done.table["prediction"].to_pylist())
    assert 1 <= len(processes) <= 2
    assert os.getpid() not in {int(name.partition("/")[0]) for name in processes}


@pytest.mark.parametrize("kind", ["parquet", "several", "csv"])
def test_a_stopped_job_goes_on(engine: str, kind: str, bundle: Path, tmp_path: Path) -> None:
    source = write(kind, tmp_path)
    arguments: Any = (str(bundle), "no_sevens", source, tmp_path / "out.csv")
    options: dict[str, Any] = {
        "job": tmp_path / "job", "batch_size": 100, "checkpoint_s": 0, "keep": ["id"], "progress": False,
    }  # fmt: skip
    with pytest.raises(offline.TooManyErrors):
        offline.run(*arguments, **options, engine=engine, max_errors=123)
    done = offline.run(*arguments, **options, engine=engine)
    assert 0 < done.resumed < 5000
    assert (done.rows, done.failed) == (5000, 500)
    clean = offline.run(*arguments[:3], tmp_path / "clean.csv", keep=["id"], progress=False)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "clean.csv").read_bytes()
    assert clean.bad_rows is not None
    assert done.bad_rows is not None
    assert done.bad_rows.read_bytes() == clean.bad_rows.read_bytes()


def test_files_are_read_where_they_are_needed(engine: str, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(600):
        (tmp_path / "in" / f"{number:03d}.bin").write_bytes(b"x" * (number + 1))
    done = offline.run(str(bundle), "size", tmp_path / "in", engine=engine, progress=False)
    assert done.table["prediction"].to_pylist() == list(range(1, 601))


def test_errors_of_the_service_are_said(engine: str, bundle: Path) -> None:
    with pytest.raises(Exception, match="it got 5000 rows and returned 1 result"):
        offline.run(str(bundle), "one_result", FRAME, engine=engine, batch_size=5000, progress=False)


def test_live_services_cannot_travel(engine: str) -> None:
    from contracts.probe import echo, make_service

    from bentoml.adapters import DataframeInput

    with pytest.raises(InvalidArgument, match="has to be saved"):
        offline.run(make_service(echo, DataframeInput()), "predict", FRAME, engine=engine, progress=False)


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_a_ray_machine_without_the_bundle_gets_a_copy(ray_cluster: Any, bundle: Path) -> None:
    from bentoml.offline.engines.ray import _Shipped

    shipped = _Shipped(bundle)
    assert shipped.folder() == bundle.absolute()
    shipped._path = bundle / "not there"
    copy = shipped.folder()
    assert copy != bundle
    for path in bundle.rglob("*"):
        if path.is_file():
            assert (copy / path.relative_to(bundle)).read_bytes() == path.read_bytes()
