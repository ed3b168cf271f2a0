"""What a bundle contains, told without executing, importing or unpickling anything of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bentoml.exceptions import BundleCorrupted, UntrustedBundle

from .descriptor import ApiDescriptor, ArtifactDescriptor, BundleDescriptor, read_descriptor
from .layout import BundleLayout
from .manifest import Manifest, read_manifest, verify_manifest
from .trust.artifact_files import is_data, owner_of, refusal
from .trust.pickle_facts import Global
from .trust.pickle_files import FileFacts, scan_file
from .trust.policy import current_policy
from .trust.signature import Signature, read_signatures

# Names that run commands or code; a hint for readers. Whether a pickle is safe cannot be told by a list.
_RUNS_COMMANDS = (
    "os.", "posix.", "nt.", "subprocess.", "pty.", "shutil.", "sys.", "runpy.", "code.", "importlib.",
    "builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__", "builtins.open",
    "builtins.getattr", "__builtin__.eval", "__builtin__.exec", "__builtin__.getattr", "socket.", "ctypes.",
    "webbrowser.", "pip.", "marshal.", "types.CodeType", "types.FunctionType", "operator.attrgetter",
    "operator.methodcaller", "multiprocessing.", "threading.", "asyncio.", "timeit.", "bdb.", "pdb.",
    "urllib.", "http.", "requests.", "?.",
)  # fmt: skip


@dataclass(slots=True)
class ArtifactFile:
    """One file of an artifact, `path` relative to `artifacts/`. `is_data`: loading it runs nothing of it."""

    path: str
    size: int
    sha256: str
    facts: FileFacts
    is_data: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "size_bytes": self.size,
            "sha256": self.sha256,
            "format": self.facts.format,
            "data_only": self.is_data,
        }


@dataclass(slots=True)
class InspectedArtifact:
    """An artifact with everything that is known about its files."""

    descriptor: ArtifactDescriptor
    files: list[ArtifactFile] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def is_data(self) -> bool:
        """Loading it runs none of its own code. An artifact without files is not loaded at all."""
        return all(file.is_data for file in self.files)

    @property
    def imports(self) -> list[str]:
        return _names(one for file in self.files for one in file.facts.pickles.imported)

    @property
    def calls(self) -> list[str]:
        return _names(one for file in self.files for one in file.facts.pickles.called)

    @property
    def alarming(self) -> list[str]:
        """Imported names that run commands or code."""
        return [name for name in self.imports if name.startswith(_RUNS_COMMANDS)]

    @property
    def problems(self) -> list[str]:
        return [f"{file.path}: {text}" for file in self.files for text in file.facts.pickles.problems]

    @property
    def versions(self) -> dict[str, str]:
        """Package → version that the pickled objects or the bundle state."""
        found: dict[str, str] = {}
        for file in self.files:
            found.update(file.facts.pickles.versions)
        found.update(self.descriptor.packages)
        return found

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.descriptor.name,
            "type": self.descriptor.artifact_type,
            "size_bytes": self.size,
            "data_only": self.is_data,
            "imports": self.imports,
            "calls": self.calls,
            "alarming": self.alarming,
            "not_looked_at": self.problems,
            "packages": self.versions,
            "metadata": self.descriptor.metadata,
            "files": [file.to_dict() for file in self.files],
        }


@dataclass(slots=True)
class Inspection:
    """A bundle as data.

    Attributes:
        integrity: `intact`, `not checked`, `no manifest (0.13)`, or what differs.
        sizes: bytes by part of the bundle.
        code: the bundle's Python files.
        loose: files below `artifacts/` that no declared artifact owns.
    """

    path: Path
    descriptor: BundleDescriptor
    manifest: Manifest | None
    integrity: str
    signatures: list[dict[str, Any]]
    artifacts: list[InspectedArtifact]
    loose: list[ArtifactFile]
    sizes: dict[str, int]
    code: list[str]

    @property
    def is_intact(self) -> bool:
        return self.integrity in ("intact", "not checked", "no manifest (0.13)")

    def to_dict(self) -> dict[str, Any]:
        """Everything, in JSON's types."""
        described = self.descriptor
        env = described.env
        return {
            "name": described.name,
            "version": described.version,
            "path": str(self.path),
            "created_at": described.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "bentoml_version": described.bentoml_version,
            "integrity": self.integrity,
            "digest": self.manifest.digest if self.manifest else None,
            "signatures": self.signatures,
            "size_bytes": sum(self.sizes.values()),
            "sizes_bytes": self.sizes,
            "apis": [_api_dict(api) for api in described.apis],
            "artifacts": [artifact.to_dict() for artifact in self.artifacts],
            "files_of_no_artifact": [file.to_dict() for file in self.loose],
            "code": self.code,
            "environment": {
                "python_version": described.python_version,
                "requirements": requirements_of(described),
                "conda": bool((env.get("conda_env") or {}).get("dependencies")),
                "docker_base_image": str(env.get("docker_base_image") or ""),
                "setup_script": env.get("setup_sh") is not None,
            },
        }


def inspect_bundle(path: Path, *, verify: bool = True) -> Inspection:
    """Look at a bundle.

    Args:
        path: its directory.
        verify: read every file and compare it with the manifest; what differs goes into `integrity`.

    Raises:
        BentoMLException: there is no bundle.
        BundleCorrupted: its description, manifest or signature cannot be read.
    """
    descriptor = read_descriptor(path)
    layout = BundleLayout(path, descriptor.name)
    manifest, integrity = read_manifest(path), "not checked"
    if verify:
        try:
            integrity = "intact" if verify_manifest(path) is not None else "no manifest (0.13)"
        except BundleCorrupted as err:
            integrity = str(err)
    artifacts, loose = inspect_artifacts(layout, descriptor, manifest)
    files = list(_walk(path))
    return Inspection(
        path=path,
        descriptor=descriptor,
        manifest=manifest,
        integrity=integrity,
        signatures=[_signature_dict(one, manifest, descriptor) for one in read_signatures(path)],
        artifacts=artifacts,
        loose=loose,
        sizes=_sizes(layout, files),
        code=sorted(name for name, _ in files if name.endswith(".py")),
    )


def inspect_artifacts(
    layout: BundleLayout, descriptor: BundleDescriptor, manifest: Manifest | None
) -> tuple[list[InspectedArtifact], list[ArtifactFile]]:
    """The artifacts with their files, and the files that belong to none of them."""
    found = {row.name: InspectedArtifact(row) for row in descriptor.artifacts}
    loose: list[ArtifactFile] = []
    if not _has_artifacts(layout):
        return list(found.values()), loose
    prefix = layout.artifacts.relative_to(layout.path).as_posix()
    for name, size in _walk(layout.artifacts):
        owner = owner_of(name, found)
        if name.rpartition("/")[2] == "__init__.py" and not size:
            continue
        entry = manifest.files.get(f"{prefix}/{name}") if manifest else None
        facts = scan_file(layout.artifacts.joinpath(*name.split("/")))
        file = ArtifactFile(name, size, entry.sha256 if entry else "", facts, False)
        if owner is None:
            loose.append(file)
        else:
            artifact = found[owner]
            as_data = is_data(artifact.descriptor.artifact_type, owner, name)
            file.is_data = as_data and not facts.has_pickle
            artifact.files.append(file)
    return list(found.values()), loose


def refuse_code(path: Path, descriptor: BundleDescriptor) -> None:
    """Raise `UntrustedBundle` naming the first artifact that is not data only."""
    artifacts, _ = inspect_artifacts(BundleLayout(path, descriptor.name), descriptor, None)
    for artifact in artifacts:
        bad = next((file for file in artifact.files if not file.is_data), None)
        if bad is not None:
            row = artifact.descriptor
            raise UntrustedBundle(
                f"Artifact '{row.name}' ({row.artifact_type}) of {descriptor.tag} can run code when it is "
                f"loaded: '{bad.path}' is {bad.facts.format}. trust.data_only refuses that; "
                f"{refusal(row.artifact_type)}. Nothing of the bundle was executed"
            )


def requirements_of(descriptor: BundleDescriptor) -> list[str]:
    """The requirement lines that the bundle states, without options and comments."""
    packages = [str(line) for line in descriptor.env.get("pip_packages") or ()]
    text = str(descriptor.env.get("requirements_txt") or "")
    packages += [line.strip() for line in text.splitlines()]
    return [line for line in packages if line and not line.startswith(("#", "-"))]


def _has_artifacts(layout: BundleLayout) -> bool:
    """There is such a folder, and it is the bundle's own: links lead out of it."""
    here = layout.artifacts
    return here.is_dir() and not here.is_symlink() and not here.parent.is_symlink()


def _walk(root: Path, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Regular files by name relative to `root`, with their size; links are not followed."""
    for entry in sorted(root.iterdir()):
        name = prefix + entry.name
        if entry.is_symlink():
            continue
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(entry, name + "/")
        elif entry.is_file():
            yield name, entry.stat().st_size


def _sizes(layout: BundleLayout, files: list[tuple[str, int]]) -> dict[str, int]:
    sizes: Counter[str] = Counter(artifacts=0, code=0, library=0, static=0, other=0)
    artifacts = layout.artifacts.relative_to(layout.path).as_posix() if _has_artifacts(layout) else ""
    for name, size in files:
        if artifacts and name.startswith(artifacts + "/"):
            sizes["artifacts"] += size
        elif name.startswith("bundled_pip_dependencies/"):
            sizes["library"] += size
        elif "/web_static_content/" in name:
            sizes["static"] += size
        else:
            sizes["code" if name.endswith(".py") else "other"] += size
    return dict(sizes)


def _names(found: Iterator[Global]) -> list[str]:
    return sorted({f"{one.module}.{one.name}" for one in found})


def _api_dict(api: ApiDescriptor) -> dict[str, Any]:
    return {
        "name": api.name,
        "route": api.route,
        "input": api.input_type,
        "output": api.output_type,
        "batch": api.batch,
        "docs": api.docs,
    }


def _signature_dict(
    one: Signature, manifest: Manifest | None, descriptor: BundleDescriptor
) -> dict[str, Any]:
    keys = current_policy().keys
    fits = manifest is not None and one.covers(manifest, descriptor)
    return {
        "key": one.key,
        "key_id": one.public_key.id[:16],
        "signed_at": one.signed_at,
        "trusted": None if keys is None else one.public_key in keys,
        "valid": fits and one.is_genuine(),
    }
