"""A ready environment for a bundle, made once and kept below `<home>/environments`.

<home>/environments/<key>/                       one environment
<home>/environments/<key>/bentoml-environment.json   written last: its absence means unfinished
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bentoml.bundle.conda_file import lists_conda_packages
from bentoml.bundle.trust.policy import check_bundle
from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.repository.locks import FileLock
from bentoml.settings import home

from .installers import Installer, InstallerName, choose_installer, find_uv, python_of
from .interpreters import Interpreter, find_interpreter
from .recipe import Recipe, carried_recipe, check_fit, recipe_of
from .source import EnvironmentSource, environment_source
from .wheel_store import CarriedWheels, WheelStore

logger = logging.getLogger("bentoml.environments")

MARKER = "bentoml-environment.json"
LOCK_TIMEOUT_S = 3600.0
_CHECK = """\
import json, sys
from importlib.metadata import distribution
found = distribution("bentoml")
direct = json.loads(found.read_text("direct_url.json") or "{}")
print(json.dumps([found.version, direct.get("url", "").partition("#")[0]]))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """A finished environment. `was_made` is False if it had been there already."""

    path: Path
    was_made: bool

    @property
    def python(self) -> Path:
        return python_of(self.path)


def environments_directory() -> Path:
    return home() / "environments"


def make_environment(
    bundle: Path,
    *,
    path: Path | None = None,
    python: str | None = None,
    installer: InstallerName = "auto",
    wheels: Path | None = None,
    from_index: bool = False,
    recreate: bool = False,
) -> Environment:
    """An environment in which `bundle` can be served.

    Wheels that were imported together with the bundle are what it is made from, without any index.

    Args:
        path: where to make it, instead of the place where it is shared by its content.
        python: interpreter or version, instead of the bundle's own `X.Y`.
        wheels: directory of wheels to install from, without any index.
        from_index: leave out the wheels that came with the bundle.
        recreate: make it anew even if it is there.

    Raises:
        BundleCorrupted, UntrustedBundle: the bundle differs from its manifest, or is not signed as the
            settings ask for; nothing was installed.
        FailedPrecondition: the wheels that came with it are for another machine.
        MissingDependencyException: the Python or the tool is not here.
        BentoMLException: the installation failed; the tool's output is on standard error.
    """
    bundle = bundle.absolute()
    tool = choose_installer(installer)
    carried = None if wheels is not None or from_index else WheelStore().find(bundle)
    with environment_source(bundle) as source, TemporaryDirectory(prefix="bentoml-environment-") as work:
        interpreter = _interpreter(source, carried, python)
        if carried is not None:
            check_fit(carried, interpreter, source.descriptor.tag)
            recipe = carried_recipe(source, carried, Path(work))
        else:
            recipe = recipe_of(source, wheels)
        _warn_about_the_rest(source)
        shared = environments_directory() / recipe.key(interpreter.fingerprint)
        target = path.absolute() if path is not None else shared
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock_of(target), LOCK_TIMEOUT_S):
            if not recreate and (target / MARKER).is_file():
                (target / MARKER).touch()  # when it was used last
                return Environment(target, was_made=False)
            check_bundle(bundle)
            if carried is not None:
                carried.wheels.verify(carried.directory)
            _clear(target)
            tool.make(interpreter, target)
            _fill(tool, source, recipe, target)
    return Environment(target, was_made=True)


def lock_of(target: Path) -> Path:
    """The lock that is held while an environment is made or removed."""
    return target.with_name(target.name + ".lock")


def _interpreter(source: EnvironmentSource, carried: CarriedWheels | None, python: str | None) -> Interpreter:
    wanted = carried.wheels.target.python if carried is not None else source.python_minor
    interpreter = find_interpreter(wanted, python, find_uv())
    if source.python_minor and interpreter.minor != source.python_minor:
        logger.warning(
            "%s was saved with Python %s; its environment gets Python %s",
            source.descriptor.tag,
            source.python_version,
            interpreter.version,
        )
    return interpreter


def _warn_about_the_rest(source: EnvironmentSource) -> None:
    """What a virtual environment cannot hold."""
    env = source.descriptor.env
    if lists_conda_packages(env.get("conda_env") or {}):
        logger.warning(
            "%s lists conda packages, which a virtual environment cannot hold; inside the bundle, "
            "`conda env create -f conda-environment.yml` makes an environment with them",
            source.descriptor.tag,
        )
    if env.get("setup_sh"):
        logger.warning("%s has a setup.sh, which runs in images only", source.descriptor.tag)


def _clear(target: Path) -> None:
    """Remove an old or unfinished environment; nothing that is not one."""
    if not target.exists():
        return
    is_environment = (target / "pyvenv.cfg").is_file() or not any(target.iterdir())
    if not is_environment:
        raise InvalidArgument(f"'{target}' exists and is no virtual environment; give another --path")
    shutil.rmtree(target)


def _fill(tool: Installer, source: EnvironmentSource, recipe: Recipe, target: Path) -> None:
    try:
        tool.install(recipe, target)
        _check_library(source, target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    record = {
        "tag": source.descriptor.tag,
        "installer": tool.name,
        "locked": recipe.is_hashed,
        "content": recipe.content,
    }
    (target / MARKER).write_text(json.dumps(record) + "\n", "utf-8")


def _check_library(source: EnvironmentSource, target: Path) -> None:
    """The library inside must be the bundle's own wheel, whatever an index offered."""
    done = subprocess.run(
        [str(python_of(target)), "-I", "-c", _CHECK], capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise BentoMLException(f"The new environment does not work: {done.stderr.strip()[-500:]}")
    version, url = json.loads(done.stdout)
    if not url.startswith("file:") or not url.endswith("/" + source.wheel.name):
        raise BentoMLException(
            f"The environment got bentoml {version} from '{url or 'a package index'}', not from the bundle's "
            f"own wheel '{source.wheel.name}', and was removed"
        )
