"""Throw-away projects: files on disk, and real interpreters that run in them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import bentoml

SOURCE_ROOT = Path(bentoml.__file__).parents[1]

ECHO_SERVICE = """
import bentoml
from bentoml.adapters import JsonInput

class Echo(bentoml.BentoService):
    \"\"\"Says what it was told.\"\"\"

    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        return value
"""


@dataclass
class Project:
    """A directory with a user's code in it."""

    path: Path

    def write(self, **files: str) -> Project:
        """`write(**{"pkg/mod.py": text})`; texts are dedented."""
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text).lstrip(), "utf-8")
        return self

    def run(
        self,
        script: str,
        *,
        import_path: tuple[Path, ...] = (),
        python: str = sys.executable,
        check: bool = True,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a script in the project's folder, as `python script.py` there would."""
        (self.path / "_run.py").write_text(textwrap.dedent(script), "utf-8")
        return self.python("_run.py", import_path=import_path, python=python, check=check, **env)

    def python(
        self,
        *arguments: str,
        import_path: tuple[Path, ...] = (),
        python: str = sys.executable,
        check: bool = True,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join(str(p) for p in (*import_path, SOURCE_ROOT))
        done = subprocess.run(
            [python, *arguments],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": paths, **env},
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def save(
        self,
        module: str,
        name: str,
        *,
        pack: str = "",
        check_import: bool = False,
        target: str = "bundle",
        import_path: tuple[Path, ...] = (),
        **env: str,
    ) -> SavedBundle:
        """Import the class from its module, run `pack` on `svc` and write the bundle."""
        script = f"""
import logging, pathlib, sys
logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s")
from {module} import {name}
from bentoml.bundle.save import write_bundle
svc = {name}()
{textwrap.dedent(pack)}
target = pathlib.Path({target!r})
target.mkdir()
write_bundle(svc, target, check_import={check_import})
"""
        done = self.run(script, import_path=import_path, **env)
        return SavedBundle(self.path / target, name, done.stdout + done.stderr)


@dataclass
class SavedBundle:
    """What a save left, and what it said on the way."""

    path: Path
    name: str
    log: str

    @property
    def package(self) -> Path:
        return self.path / self.name

    def modules(self) -> set[str]:
        """The Python files of the user in the bundle."""
        found = {f.relative_to(self.package).as_posix() for f in self.package.rglob("*.py")}
        return found - {"__init__.py"}

    def requirements(self) -> list[str]:
        return (self.path / "requirements.txt").read_text("utf-8").splitlines()


def load_elsewhere(bundle: Path, expression: str, tmp_path: Path, **env: str) -> str:
    """Load a bundle in an interpreter that knows nothing of the project; print an expression of `svc`."""
    elsewhere = Project(tmp_path / "elsewhere")
    elsewhere.path.mkdir(exist_ok=True)
    script = f"import bentoml\nsvc = bentoml.load({str(bundle)!r})\nprint({expression})\n"
    return elsewhere.run(script, **env).stdout.strip()
