"""Where every file of a saved bundle lies, in one place.

Two shapes exist. A *saved* bundle has `bentoml.yml` at its root and again inside the folder named
after the service. A *pip-installed* bundle is that inner folder alone, inside a site directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONFIG_FILE = "bentoml.yml"
MANIFEST_FILE = "bundle-manifest.json"
SIGNATURE_FILE = "bundle-signature.json"
BUNDLED_DEPENDENCIES = "bundled_pip_dependencies"
LOCK_FILE = "requirements.lock"
EXAMPLES_FILE = "examples.json"
ARTIFACTS = "artifacts"
STATIC_CONTENT = "web_static_content"
ZIP_IMPORTS = "zipimports"

# At the top of an archive that `bentoml export` made.
EXPORT_FILE = "bentoml-export.json"
EXPORT_SIGNATURE_FILE = "bentoml-export-signature.json"
EXPORTED_BUNDLE = "bundle"
EXPORTED_WHEELS = "wheels"


@dataclass(frozen=True, slots=True)
class BundleLayout:
    """The paths of one bundle.

    Args:
        path: the bundle's root directory.
        name: the service's name, which is also the name of the inner package.
    """

    path: Path
    name: str

    @property
    def is_installed_package(self) -> bool:
        """True when `path` is the inner package itself, as `pip install <bundle>` leaves it."""
        return not (self.path / self.name).is_dir() and (self.path / "__init__.py").is_file()

    @property
    def package(self) -> Path:
        """The folder that holds the service's modules and artifacts."""
        return self.path if self.is_installed_package else self.path / self.name

    @property
    def config(self) -> Path:
        return self.path / CONFIG_FILE

    @property
    def package_config(self) -> Path:
        return self.package / CONFIG_FILE

    @property
    def manifest(self) -> Path:
        return self.path / MANIFEST_FILE

    @property
    def artifacts(self) -> Path:
        """`<path>/artifacts` if it exists (pip-installed), else `<path>/<name>/artifacts`."""
        direct = self.path / ARTIFACTS
        return direct if direct.is_dir() else self.path / self.name / ARTIFACTS

    @property
    def static_content(self) -> Path:
        return self.package / STATIC_CONTENT

    @property
    def examples(self) -> Path:
        """Requests with their answers at the time of saving, if there are any."""
        return self.package / EXAMPLES_FILE

    @property
    def zip_imports(self) -> Path:
        return self.package / ZIP_IMPORTS

    @property
    def bundled_dependencies(self) -> Path:
        return self.path / BUNDLED_DEPENDENCIES

    @property
    def requirements(self) -> Path:
        return self.path / "requirements.txt"

    @property
    def openapi(self) -> Path:
        return self.path / "docs.json"

    @property
    def readme(self) -> Path:
        return self.path / "README.md"

    def file(self, name: str) -> Path:
        """A file at the bundle's root, by name."""
        return self.path / name
