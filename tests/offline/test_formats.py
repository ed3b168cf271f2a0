"""Every kind of input to every kind of output gives the same predictions."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pandas
import pyarrow
import pytest
import sqlalchemy
from pyarrow import feather, parquet

from bentoml import offline
from bentoml.exceptions import AlreadyExists, InvalidArgument

ROWS = 700
FRAME = pandas.DataFrame(
    {
        "id": [f"r, {i}" if i % 3 else f'"r"\n{i}' for i in range(ROWS)],
        "a": range(ROWS),
        "b": [i / 4 for i in range(ROWS)],
    }
)
EXPECTED = (FRAME["a"] * 2 + FRAME["b"]).tolist()


def write(kind: str, folder: Path) -> Any:
    path = folder / f"in.{kind}"
    if kind in ("csv", "csv.gz"):
        FRAME.to_csv(path, index=False)
    elif kind == "tsv":
        FRAME.to_csv(path, index=False, sep="\t")
    elif kind in ("jsonl", "jsonl.gz"):
        FRAME.to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        FRAME.to_parquet(path, row_group_size=300)
    elif kind == "feather":
        feather.write_feather(FRAME, str(path))
    elif kind == "arrow":  # a stream, not a file
        table = pyarrow.Table.from_pandas(FRAME)
        with pyarrow.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=100)
    elif kind == "sql":
        url = f"sqlite:///{folder / 'in.db'}"
        FRAME.to_sql("rows", sqlalchemy.create_engine(url), index=False)
        return offline.SqlQuery(url, "SELECT id, a, b FROM rows ORDER BY a")
    elif kind == "memory":
        with fsspec.open("memory://offline/in.csv", "wb") as stream:
            stream.write(FRAME.to_csv(index=False).encode())
        return "memory://offline/in.csv"
    elif kind == "frame":
        return FRAME
    return path


def read(kind: str, folder: Path) -> pandas.DataFrame:
    path = folder / f"out.{kind}"
    if kind == "csv":
        return pandas.read_csv(path)
    if kind == "tsv":
        return pandas.read_csv(path, sep="\t")
    if kind == "jsonl":
        return pandas.read_json(path, lines=True)
    if kind == "parquet":
        return parquet.read_table(path).to_pandas()
    if kind in ("arrow", "feather"):
        return feather.read_feather(path)
    with sqlalchemy.create_engine(f"sqlite:///{folder / 'out.db'}").connect() as connection:
        return pandas.read_sql(sqlalchemy.text("SELECT * FROM predictions"), connection)


SOURCES = [
    "csv",
    "csv.gz",
    "tsv",
    "jsonl",
    "jsonl.gz",
    "parquet",
    "feather",
    "arrow",
    "sql",
    "memory",
    "frame",
]
SINKS = ["csv", "tsv", "jsonl", "parquet", "arrow", "feather", "sql"]


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_source_to_every_sink(source: str, sink: str, service: Any, tmp_path: Path) -> None:
    target: Any = tmp_path / f"out.{sink}"
    if sink == "sql":
        target = offline.SqlTable(f"sqlite:///{tmp_path / 'out.db'}", "predictions")
    done = offline.run(service, "total", write(source, tmp_path), target, keep=["id"], progress=False)
    assert (done.rows, done.failed, done.bad_rows) == (ROWS, 0, None)
    found = read(sink, tmp_path)
    assert found["prediction"].tolist() == EXPECTED
    assert found["id"].tolist() == FRAME["id"].tolist()


@pytest.mark.parametrize("source", SOURCES)
def test_rows_reach_an_api_of_objects(source: str, service: Any, tmp_path: Path) -> None:
    done = offline.run(service, "objects", write(source, tmp_path), keep=["a"], progress=False)
    assert done.table["prediction"].to_pylist() == [{"twice": 2 * i} for i in range(ROWS)]
    assert done.table["a"].to_pylist() == list(range(ROWS))


def test_several_files_and_globs_are_one_input(service: Any, tmp_path: Path) -> None:
    for number in range(3):
        FRAME[number * 100 : number * 100 + 100].to_csv(tmp_path / f"{number}.csv", index=False)
    by_glob = offline.run(service, "total", tmp_path / "*.csv", progress=False)
    by_folder = offline.run(service, "total", tmp_path, progress=False)
    assert by_glob.table["prediction"].to_pylist() == EXPECTED[:300]
    assert by_folder.table.equals(by_glob.table)


def test_a_folder_of_images(service: Any, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number, name in enumerate(["a.png", "b.jpg", "deep/c.png"], 1):
        Image.new("RGB", (4 * number, 2 * number)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "broken.png").write_bytes(b"no image")
    done = offline.run(service, "shape", tmp_path / "in", tmp_path / "out.jsonl", progress=False)
    assert (done.rows, done.failed) == (4, 1)
    found = pandas.read_json(tmp_path / "out.jsonl", lines=True)
    assert [Path(path).name for path in found["path"]] == ["a.png", "b.jpg", "c.png"]
    assert found["prediction"].tolist() == [[2, 4, 3], [4, 8, 3], [6, 12, 3]]
    assert "broken.png" in (tmp_path / "out.jsonl.bad-rows.jsonl").read_text()


def test_a_folder_of_files_to_a_folder(service: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(5):
        (tmp_path / "in" / f"{number}.bin").write_bytes(b"x" * number or b"yy")
    offline.run(service, "size", tmp_path / "in", f"{tmp_path / 'out'}/", progress=False)
    assert {p.name: p.read_text() for p in (tmp_path / "out").iterdir()} == {
        "0.json": "2", "1.json": "1", "2.json": "2", "3.json": "3", "4.json": "4",
    }  # fmt: skip


def test_lines_of_text(service: Any, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("grün\n\nb, c\r\nlast", encoding="utf-8")
    offline.run(service, "upper", tmp_path / "in.txt", tmp_path / "out.csv", progress=False)
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == 'prediction\nGRÜN\n"B, C"\nLAST\n'


@pytest.mark.parametrize("kind", ["csv", "jsonl", "arrow", "parquet"])
def test_standard_input_and_output(kind: str, bundle: Path, tmp_path: Path) -> None:
    data = Path(write(kind, tmp_path)).read_bytes()
    command = [sys.executable, "-m", "bentoml", "run", str(bundle), "total"]
    done = subprocess.run(
        [*command, "--input-file", "-", "--format", kind, "--output-file", "-"],
        input=data,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert pandas.read_json(io.BytesIO(done.stdout), lines=True)["prediction"].tolist() == EXPECTED
    assert b"700 rows in " in done.stderr


def test_an_output_table_must_be_new(service: Any, tmp_path: Path) -> None:
    target = offline.SqlTable(f"sqlite:///{tmp_path / 'out.db'}", "predictions")
    offline.run(service, "total", FRAME, target, progress=False)
    with pytest.raises(AlreadyExists, match="predictions"):
        offline.run(service, "total", FRAME, target, progress=False)


def test_a_job_never_replaces_a_table_of_others(service: Any, tmp_path: Path) -> None:
    target = offline.SqlTable(f"sqlite:///{tmp_path / 'out.db'}", "predictions")
    pandas.DataFrame({"mine": [1, 2]}).to_sql(
        "predictions", sqlalchemy.create_engine(target.url), index=False
    )
    for _ in range(2):
        with pytest.raises(AlreadyExists, match="predictions"):
            offline.run(service, "total", FRAME, target, job=tmp_path / "job", progress=False)
    assert read("sql", tmp_path)["mine"].tolist() == [1, 2]


def test_a_failed_run_leaves_no_table(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bentoml.offline.sinks.base.FLUSH_ROWS", 10)
    target = offline.SqlTable(f"sqlite:///{tmp_path / 'out.db'}", "predictions")
    with pytest.raises(offline.TooManyErrors):
        offline.run(service, "no_sevens", FRAME, target, max_errors=20, batch_size=10, progress=False)
    assert sqlalchemy.inspect(sqlalchemy.create_engine(target.url)).get_table_names() == []


@pytest.mark.parametrize(
    ("source", "sink", "message"),
    [
        ("nothing.csv", "out.csv", "No input file at 'nothing.csv'"),
        (__file__, "out.csv", "Cannot tell what .* holds"),
        (FRAME, "out.xyz", "Cannot tell the format of the output"),
        (FRAME, "no/folder/out.csv", "its folder does not exist"),
    ],
    ids=["missing", "unknown", "output", "folder"],
)
def test_what_cannot_be_read_or_written_is_said_at_once(
    source: Any, sink: str, message: str, service: Any
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        offline.run(service, "total", source, sink, progress=False)


def test_a_column_that_is_not_there_cannot_be_kept(service: Any) -> None:
    with pytest.raises(InvalidArgument, match="no input column 'c' to keep"):
        offline.run(service, "objects", FRAME, keep=["c"], progress=False)


def test_an_output_appears_whole_or_not_at_all(service: Any, tmp_path: Path) -> None:
    with pytest.raises(offline.TooManyErrors):
        offline.run(service, "no_sevens", FRAME, tmp_path / "out.csv", max_errors=3, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv.bad-rows.jsonl"]


def test_a_file_that_is_a_table_is_one_item_whatever_its_length(service: Any, tmp_path: Path) -> None:
    for name, lines in (("1.csv", ["a,b", "1,2"]), ("2.csv", ["a,b", "1,2", "3,4"])):
        (tmp_path / name).write_text("\n".join(lines))
    (tmp_path / "bodies.txt").write_text('[{"a": 1, "b": 2}]\n[{"a": 1, "b": 2}, {"a": 3, "b": 4}]\n')
    found = offline.run(service, "no_sevens", tmp_path / "bodies.txt", progress=False).table
    assert found["prediction"].to_pylist() == [[4], [4, 10]]
    rows = offline.run(service, "total", tmp_path / "*.csv", progress=False).table
    assert rows["prediction"].to_pylist() == [4, 4, 10]
