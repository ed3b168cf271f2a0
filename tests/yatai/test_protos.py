"""The wire format: the compiled description is current, and plain values survive the way there and back."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.repository.base import BundleRecord
from bentoml.repository.selector import parse_selector
from bentoml.rpc import convert
from bentoml.rpc.bundles import bento_bytes, record_of, selector_message, selector_of

ROOT = Path(__file__).resolve().parents[2]


def test_compiled_description_is_current() -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    check = [sys.executable, str(ROOT / "scripts" / "generate_protos.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_field_numbers_are_those_of_013() -> None:
    """Written by hand from the protocol of 0.13, byte for byte."""
    assert (
        convert.write("AddBentoRequest", {"bento_name": "A", "bento_version": "1"}) == b"\x0a\x01A\x12\x011"
    )
    assert convert.write("UploadBentoRequest", {"bento_bundle": b"x"}) == b"\x1a\x01x"
    assert (
        convert.write("DownloadBentoResponse", {"bento_bundle": b"x", "status": {}}) == b"\x0a\x01x\x12\x00"
    )
    assert convert.write("BentoUri", {"type": "S3", "s3_presigned_url": "u"}) == b"\x08\x02\x1a\x01u"
    ec2 = convert.write("DeploymentSpec", {"aws_ec2_operator_config": {"ami_id": "a"}})
    assert ec2 == b"\x42\x03\x32\x01a"


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@given(
    name=text,
    labels=st.dictionaries(text, text, max_size=4),
    extra=st.dictionaries(text, json_values, max_size=4),
    created=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
    size=st.integers(1, 2**60),
)
def test_record_survives_the_wire(
    name: str, labels: dict[str, str], extra: dict[str, object], created: datetime, size: int
) -> None:
    record = BundleRecord(
        name=name,
        version="1",
        uri="/somewhere",
        created_at=created,
        labels=labels,
        artifacts=({"name": "model", "artifact_type": "P", "metadata": extra},),
        metadata={"artifacts": [{"name": "model", "artifact_type": "P", "metadata": extra}]},
        size_bytes=size,
        note=name,
    )
    back = record_of(convert.read("Bento", bento_bytes(record)))
    assert (back.name, back.labels, back.created_at, back.size_bytes, back.note) == (
        name,
        labels,
        created,
        size,
        name,
    )
    assert back.artifacts[0]["metadata"] == extra


@given(st.binary(max_size=200))
def test_B104_any_bytes_are_a_message_or_a_clear_error(data: bytes) -> None:
    for method in convert.methods():
        with contextlib.suppress(InvalidArgument):
            convert.read(method.request, data)


def test_label_queries_survive_the_wire() -> None:
    selector = parse_selector("a=1, b!=2, c In (x, y), d NotIn (z), e, f DoesNotExist")
    message = convert.read("LabelSelectors", convert.write("LabelSelectors", selector_message(selector)))
    assert selector_of(message) == selector


def test_a_wrong_field_is_an_error() -> None:
    with pytest.raises(BentoMLException, match="no field 'nothing'"):
        convert.write("Bento", {"nothing": 1})
    with pytest.raises(InvalidArgument, match="'name'"):
        convert.write("Bento", {"name": 3})
