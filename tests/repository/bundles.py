"""Tiny handmade bundles, so that repository tests need no service and no framework."""

from __future__ import annotations

from pathlib import Path

from bentoml.bundle.manifest import write_manifest

DOCUMENT = """\
version: {library}
kind: BentoService
metadata:
  created_at: {created_at}
  service_name: {name}
  service_version: '{version}'
  module_name: tiny
  module_file: tiny.py
env:
  python_version: 3.11.7
  docker_base_image: python
apis:
- name: predict
  docs: Answers.
  input_type: JsonInput
  output_type: DefaultOutput
  mb_max_batch_size: 4000
  mb_max_latency: 20000
  batch: true
  route: predict
artifacts:
- name: model
  artifact_type: PickleArtifact
  metadata: {{}}
"""


def make_bundle(
    path: Path,
    name: str = "Tiny",
    version: str = "1",
    *,
    content: bytes = b"weights",
    created_at: str = "2021-09-26 17:45:50.123456",
    library: str = "0.14.0",
) -> Path:
    """Write a bundle into `path`: a descriptor, one artifact, an executable, and a manifest."""
    artifacts = path / name / "artifacts"
    artifacts.mkdir(parents=True)
    (path / "bentoml.yml").write_text(
        DOCUMENT.format(name=name, version=version, created_at=created_at, library=library)
    )
    (path / name / "tiny.py").write_text("raise SystemExit('a repository executes nothing')\n")
    (artifacts / "model.pkl").write_bytes(content)
    (path / "entry.sh").write_text("#!/bin/sh\n")
    (path / "entry.sh").chmod(0o755)
    if not library.startswith("0.13"):
        write_manifest(path)
    return path
