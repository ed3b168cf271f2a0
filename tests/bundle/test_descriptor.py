"""`bentoml.yml`: written so that 0.13 reads it, read whatever 0.13 wrote."""

from __future__ import annotations

import string
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentoml.bundle.descriptor import (
    ApiDescriptor,
    ArtifactDescriptor,
    BundleDescriptor,
    descriptor_from_dict,
    read_descriptor,
)
from bentoml.bundle.yaml_text import dump_yaml, parse_yaml
from bentoml.exceptions import BentoMLException, BundleCorrupted

CREATED = datetime(2021, 9, 26, 17, 45, 50, 819000, timezone.utc)


def descriptor(version: str = "1", **fields: Any) -> BundleDescriptor:
    return BundleDescriptor("Svc", version, CREATED, "svc", "svc.py", "0.14.0", **fields)


def write(path: Path, text: str) -> Path:
    (path / "bentoml.yml").write_text(text, "utf-8")
    return path


def test_round_trip_with_every_field(tmp_path: Path) -> None:
    one = descriptor(
        env={
            "setup_sh": b"#!/bin/sh\n\xff",
            "pip_packages": ["bentoml==0.14.0"],
            "conda_env": {"name": "x", "dependencies": ["a", {"pip": ["b"]}]},
            "python_version": "3.11.7",
            "docker_base_image": "python:3.11-slim",
        },
        apis=(
            ApiDescriptor(
                "predict", "a/b c", "doc: with\nlines", "JsonInput", input_config={"columns": ["a"]}
            ),
            ApiDescriptor("on", "yes", "", "I", "O", 1, 2, True, {}, {"x": 1}, ("PUT",), True, 3, 0.5),
        ),
        artifacts=(ArtifactDescriptor("m", "PickleArtifact", {"auc": 0.9, "no": None, "1e3": "1e3"}),),
    )
    assert read_descriptor(write(tmp_path, one.to_yaml())) == one


@given(
    st.text(string.ascii_letters + string.digits, min_size=1, max_size=12),
    st.text("0123456789_.eE", max_size=8),
)
def test_any_version_and_name_stay_text(head: str, tail: str) -> None:
    text = dump_yaml(
        {"service_version": head + tail, "names": ["on", "No", "1_0", "1e5", "0x1F", "1:30", "~", ""]}
    )
    assert parse_yaml(text) == {
        "service_version": head + tail,
        "names": ["on", "No", "1_0", "1e5", "0x1F", "1:30", "~", ""],
    }


def test_words_of_yaml_1_2_as_the_old_writer_left_them() -> None:
    text = """
    version: 20210926174550_123456
    name: on
    flag: true
    octal: 010
    sexagesimal: 1:30
    float: 1e-3
    nothing: null
    created: 2021-09-26 17:45:55.819000
    quoted: '2.0'
    """
    assert parse_yaml(text) == {
        "version": "20210926174550_123456",
        "name": "on",
        "flag": True,
        "octal": 10,
        "sexagesimal": "1:30",
        "float": 0.001,
        "nothing": None,
        "created": datetime(2021, 9, 26, 17, 45, 55, 819000),
        "quoted": "2.0",
    }


def test_created_at_is_written_as_the_old_timestamp() -> None:
    assert "  created_at: 2021-09-26 17:45:50.819000\n" in descriptor().to_yaml()


def test_optional_keys_are_left_out() -> None:
    document = descriptor(apis=(ApiDescriptor("p", "p", "", "JsonInput"),)).to_dict()
    assert list(document) == ["version", "kind", "metadata", "env", "apis", "artifacts"]
    assert list(document["apis"][0]) == [
        "name", "docs", "input_type", "output_type", "mb_max_batch_size", "mb_max_latency", "batch", "route",
    ]  # fmt: skip


def test_schema_before_0_8_is_upgraded() -> None:
    found = descriptor_from_dict(
        {
            "version": "0.7.8",
            "metadata": {
                "created_at": datetime(2020, 1, 2),
                "service_name": "Old",
                "service_version": 20200102,
                "module_name": "old",
                "module_file": "old.py",
            },
            "apis": [{"name": "predict", "handler_type": "JsonHandler", "handler_config": {"a": 1}}],
        }
    )
    assert found.version == "20200102"
    assert found.created_at == datetime(2020, 1, 2, tzinfo=timezone.utc)
    assert found.apis == (ApiDescriptor("predict", "predict", "", "JsonHandler", input_config={"a": 1}),)
    api = found.apis[0]
    assert (api.output_type, api.mb_max_batch_size, api.mb_max_latency, api.batch) == (
        "DefaultOutput", 4000, 20000, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- a", "not the mapping"),
        ("", "not the mapping"),
        ("a: [", "not well-formed"),
        ("a: !!python/object/apply:os.system [id]", "not well-formed"),
        ("version: x", "metadata"),
        ("metadata: {service_name: ../x, service_version: '1'}", "BentoService name"),
        ("metadata: {service_name: A, service_version: latest}", "latest"),
        ("metadata: {service_name: A, service_version: a/b}", "version"),
        ("metadata: {service_name: A, service_version: '1', module_name: m}", "module_file"),
        (
            "metadata: {service_name: A, service_version: '1', module_name: [m], module_file: f}",
            "module_name",
        ),
    ],
)
def test_malformed_documents_are_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(BundleCorrupted, match=r"bentoml\.yml") as caught:
        read_descriptor(write(tmp_path, text))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("{}", "name"),
        ("{name: a}", "input_type"),
        ("{name: a, input_type: b, mb_max_latency: -1}", "mb_max_latency"),
        ("{name: a, input_type: b, mb_max_batch_size: true}", "mb_max_batch_size"),
        ("{name: a, input_type: b, input_config: [1]}", "input_config"),
        ("{name: a, input_type: b, timeout_s: 0}", "timeout_s"),
        ("{name: a, input_type: b, max_batch_rows: 0}", "max_batch_rows"),
        ("{name: a, input_type: b, max_batch_rows: many}", "max_batch_rows"),
        ("5", "apis"),
    ],
)
def test_malformed_apis_are_named(tmp_path: Path, row: str, named: str) -> None:
    head = "metadata: {service_name: A, service_version: '1', module_name: m, module_file: m.py}\n"
    with pytest.raises(BundleCorrupted, match=f"'{named}'"):
        read_descriptor(write(tmp_path, f"{head}apis: [{row}]\n"))


def test_multiplying_aliases_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(BundleCorrupted, match="expands to more than"):
        read_descriptor(write(tmp_path, "\n".join(lines)))


def test_no_bundle_there(tmp_path: Path) -> None:
    with pytest.raises(
        BentoMLException, match=r"can't locate config file 'bentoml.yml' in saved bundle in path"
    ):
        read_descriptor(tmp_path)
