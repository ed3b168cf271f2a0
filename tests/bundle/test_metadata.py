"""The record of a bundle, in the two spellings of 0.13."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from bentoml.bundle.descriptor import ApiDescriptor, ArtifactDescriptor, BundleDescriptor
from bentoml.bundle.metadata import metadata_dict, plain_values

from .projects import SavedBundle

DESCRIPTOR = BundleDescriptor(
    "Svc",
    "1",
    datetime(2021, 9, 26, 17, 45, 50, 819000, timezone.utc),
    "svc",
    "svc.py",
    "0.14.0",
    env={
        "setup_sh": b"#!/bin/sh\n",
        "pip_packages": ["bentoml==0.14.0", "click"],
        "conda_env": {"name": "x", "dependencies": []},
        "python_version": "3.11.7",
        "docker_base_image": "python:3.11-slim",
    },
    apis=(
        ApiDescriptor(
            "predict",
            "go",
            "what it does",
            "DataframeInput",
            "DefaultOutput",
            10,
            20,
            True,
            {"typ_of": "frame"},
        ),
    ),
    artifacts=(ArtifactDescriptor("model", "SklearnModelArtifact", {"roc_auc": 0.5}),),
)


def test_record_in_camel_case() -> None:
    assert metadata_dict(DESCRIPTOR) == {
        "name": "Svc",
        "version": "1",
        "createdAt": "2021-09-26T17:45:50.819000Z",
        "env": {
            "setupSh": "#!/bin/sh\n",
            "condaEnv": "name: x\ndependencies: []\n",
            "pythonVersion": "3.11.7",
            "dockerBaseImage": "python:3.11-slim",
            "pipPackages": ["bentoml==0.14.0", "click"],
        },
        "artifacts": [
            {"name": "model", "artifactType": "SklearnModelArtifact", "metadata": {"roc_auc": 0.5}}
        ],
        "apis": [
            {
                "name": "predict",
                "inputType": "DataframeInput",
                "docs": "what it does",
                "inputConfig": {"typ_of": "frame"},
                "outputType": "DefaultOutput",
                "mbMaxLatency": 20,
                "mbMaxBatchSize": 10,
                "batch": True,
                "route": "go",
            }
        ],
    }


def test_record_with_underscores() -> None:
    record = metadata_dict(DESCRIPTOR, camel=False)
    assert record["created_at"] == "2021-09-26T17:45:50.819000Z"
    assert record["env"]["pip_packages"] == ["bentoml==0.14.0", "click"]
    assert record["artifacts"][0]["artifact_type"] == "SklearnModelArtifact"
    assert record["apis"][0]["mb_max_batch_size"] == 10


def test_record_of_a_directory_runs_nothing(
    saved_marked: SavedBundle, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P13: looking at a bundle is a data operation."""
    marker = saved_marked.path.parent / "looked"
    monkeypatch.setenv("MARKER", str(marker))
    record = metadata_dict(saved_marked.path)
    assert [a["name"] for a in record["artifacts"]] == ["model", "notes"]
    assert json.loads(json.dumps(record)) == record
    assert not marker.exists()


def test_values_of_users_become_plain() -> None:
    numpy = pytest.importorskip("numpy")
    value = {
        1: (numpy.float32(0.5), numpy.int64(3)),
        "when": datetime(2020, 1, 2),
        "raw": b"\x00",
        "set": {1},
    }
    assert plain_values(value) == {
        "1": [0.5, 3],
        "when": "2020-01-02T00:00:00",
        "raw": "AA==",
        "set": [1],
    }
