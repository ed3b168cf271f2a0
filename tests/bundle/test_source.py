"""Which of the user's modules end up in a bundle. Every save is a real script in a real project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bentoml.bundle.imports import imports_of

from .projects import ECHO_SERVICE, Project, load_elsewhere

PICKLE_SERVICE = """
import bentoml
from bentoml.adapters import JsonInput
from bentoml.service.artifacts.common import PickleArtifact

@bentoml.artifacts([PickleArtifact("model")])
class Svc(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        return self.artifacts.model.predict(value)
"""
SERVICE_USING = """
import bentoml
from bentoml.adapters import JsonInput
{imports}

class Svc(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        return {expression}
"""


def service(imports: str, expression: str) -> str:
    return SERVICE_USING.format(imports=imports, expression=expression)


@pytest.mark.parametrize("folder", ["lib", "python", "plat", "bin", "site-packages", "anaconda", "packages"])
def test_project_folder_of_any_name(tmp_path: Path, folder: str) -> None:
    project = Project(tmp_path / folder)
    project.path.mkdir()
    project.write(**{"svc.py": service("import helper", "helper.double(value)")})
    project.write(**{"helper.py": "def double(x): return 2 * x\n"})
    bundle = project.save("svc", "Svc")
    assert bundle.modules() == {"svc.py", "helper.py"}
    assert load_elsewhere(bundle.path, "svc.predict(4)", tmp_path) == "8"


def test_relative_imports_and_service_inside_a_package(project: Project, tmp_path: Path) -> None:
    project.write(
        **{
            "app/__init__.py": "LEVEL = 3\n",
            "app/services/__init__.py": "",
            "app/services/svc.py": service(
                "from ..math import ops\nfrom .. import LEVEL", "ops.add(value, LEVEL)"
            ),
            "app/math/__init__.py": "",
            "app/math/ops.py": "from ._impl.plus import add\n",
            "app/math/_impl/__init__.py": "",
            "app/math/_impl/plus.py": "def add(a, b): return a + b\n",
            "app/unused.py": "",
        }
    )
    bundle = project.save("app.services.svc", "Svc")
    assert bundle.modules() == {
        "app/__init__.py",
        "app/services/__init__.py",
        "app/services/svc.py",
        "app/math/__init__.py",
        "app/math/ops.py",
        "app/math/_impl/__init__.py",
        "app/math/_impl/plus.py",
    }
    assert load_elsewhere(bundle.path, "svc.predict(4)", tmp_path) == "7"


def test_module_needed_only_by_a_pickle(project: Project, tmp_path: Path) -> None:
    project.write(**{"svc.py": PICKLE_SERVICE})
    project.write(
        **{
            "models/__init__.py": "",
            "models/net.py": "from .layers import Layer\nclass Net(Layer):\n    inner = None\n",
            "models/layers.py": "class Layer:\n    def predict(self, x): return self.inner.run(x)\n",
            "parts.py": "class Part:\n    def run(self, x): return ['part', x]\n",
        }
    )
    pack = """
    from models.net import Net
    from parts import Part
    net = Net(); net.inner = Part(); svc.pack('model', {'a': [net]}['a'][0])
    """
    bundle = project.save("svc", "Svc", pack=pack, check_import=True)
    assert bundle.modules() == {
        "svc.py",
        "models/__init__.py",
        "models/net.py",
        "models/layers.py",
        "parts.py",
    }
    assert load_elsewhere(bundle.path, "svc.predict(1)", tmp_path) == "['part', 1]"
    assert "cannot be imported" not in bundle.log


def test_module_named_only_by_a_pickled_lambda(project: Project, tmp_path: Path) -> None:
    project.write(**{"svc.py": PICKLE_SERVICE, "tools.py": "def plus(x): return x + 1\n"})
    pack = """
    import tools
    class Model:
        def __init__(self): self.predict = lambda x: tools.plus(x)
    svc.pack('model', Model())
    """
    bundle = project.save("svc", "Svc", pack=pack)
    assert bundle.modules() == {"svc.py", "tools.py"}
    assert load_elsewhere(bundle.path, "svc.predict(1)", tmp_path) == "2"


def test_service_in_a_script_that_is_run(project: Project, tmp_path: Path) -> None:
    project.write(**{"helper.py": "def double(x): return 2 * x\n"})
    script = service("import helper", "helper.double(value)")
    script += """
if __name__ == "__main__":
    import os
    os.mkdir("bundle")
    svc = Svc()
    svc.set_version("1")
    svc.save_to_dir("bundle")
"""
    project.write(**{"train-model.py": script})
    project.python("train-model.py")
    package = project.path / "bundle/Svc"
    assert {f.name for f in package.glob("*.py")} == {"__init__.py", "train_model.py", "helper.py"}
    assert load_elsewhere(project.path / "bundle", "svc.predict(4)", tmp_path) == "8"


def test_service_run_with_dash_m_keeps_its_dotted_name(project: Project, tmp_path: Path) -> None:
    script = service("from . import helper", "helper.double(value)")
    script += 'if __name__ == "__main__":\n    import os; os.mkdir("bundle"); Svc().save_to_dir("bundle")\n'
    project.write(
        **{"app/__init__.py": "", "app/helper.py": "def double(x): return 2 * x\n", "app/run.py": script}
    )
    project.python("-m", "app.run")
    assert (project.path / "bundle/Svc/app/run.py").is_file()
    assert load_elsewhere(project.path / "bundle", "svc.predict(4)", tmp_path) == "8"


def test_namespace_package_stays_one(project: Project, tmp_path: Path) -> None:
    project.write(**{"svc.py": service("from company.team import rules", "rules.check(value)")})
    project.write(**{"company/team/rules.py": "def check(x): return [x]\n"})
    bundle = project.save("svc", "Svc")
    assert bundle.modules() == {"svc.py", "company/team/rules.py"}
    assert load_elsewhere(bundle.path, "svc.predict(4)", tmp_path) == "[4]"


def test_editable_install_is_local_code(project: Project, tmp_path: Path) -> None:
    """A package of the user's, installed with `pip install -e` into a fresh environment."""
    library = Project(tmp_path / "mylib-checkout")
    library.write(
        **{
            "pyproject.toml": """
                [build-system]
                requires = ["setuptools"]
                build-backend = "setuptools.build_meta"
                [project]
                name = "my-lib"
                version = "1.0"
                [tool.setuptools.packages.find]
                where = ["src"]
            """,
            "src/mylib/__init__.py": "",
            "src/mylib/calc.py": "def triple(x): return 3 * x\n",
        }
    )
    python = fresh_environment(tmp_path)
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "-e", str(library.path)],
        check=True,
        timeout=120,
    )
    project.write(**{"svc.py": service("from mylib.calc import triple", "triple(value)")})
    script = "import os; from svc import Svc; os.mkdir('bundle'); Svc().save_to_dir('bundle')"
    done = project.run(script, python=str(python))
    bundle = project.path / "bundle"
    assert (bundle / "Svc/mylib/calc.py").is_file()
    assert (bundle / "Svc/mylib/__init__.py").is_file()
    assert "my-lib" not in (bundle / "requirements.txt").read_text()
    assert "cannot be imported" not in done.stdout + done.stderr
    assert load_elsewhere(bundle, "svc.predict(2)", tmp_path) == "6"


def fresh_environment(tmp_path: Path) -> Path:
    """A virtual environment that sees the packages of this interpreter."""
    target = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(target)], check=True, timeout=120)
    python = target / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    import packaging

    (Path(found.stdout.strip()) / "outer.pth").write_text(str(Path(packaging.__file__).parents[1]) + "\n")
    return python


def test_packages_installed_elsewhere_are_not_copied(project: Project, tmp_path: Path) -> None:
    """`pip install --target`: installed by its metadata, although it lies in no site directory."""
    target = Project(tmp_path / "vendor")
    target.write(
        **{
            "vendored.py": "def f(x): return x\n",
            "vendored-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: vendored\nVersion: 1.2\n",
            "vendored-1.2.dist-info/RECORD": "vendored.py,,\nvendored-1.2.dist-info/METADATA,,\n",
            "vendored-1.2.dist-info/top_level.txt": "vendored\n",
        }
    )
    project.write(**{"svc.py": "import bentoml\n" + service("import vendored", "vendored.f(value)")})
    bundle = project.save("svc", "Svc", pack="svc.env.infer = True", import_path=(target.path,))
    assert bundle.modules() == {"svc.py"}
    assert bundle.requirements()[1:] == ["vendored==1.2"]


def test_missing_module_is_named_at_save(project: Project) -> None:
    body = "try:\n    import absent_guarded\nexcept ImportError:\n    pass\n"
    body += "def later():\n    import absent_module\n"
    project.write(**{"svc.py": service(body, "value")})
    bundle = project.save("svc", "Svc")
    assert "Module 'absent_module', imported by 'svc', was not found" in bundle.log
    assert "absent_guarded" not in bundle.log


def test_saving_a_loaded_bundle_again(project: Project, tmp_path: Path) -> None:
    project.write(**{"svc.py": service("import helper", "helper.double(value)")})
    project.write(**{"helper.py": "def double(x): return 2 * x\n"})
    first = project.save("svc", "Svc")
    again = Project(tmp_path / "again")
    again.path.mkdir()
    script = f"""
    import bentoml, os
    svc = bentoml.load({str(first.path)!r})
    os.mkdir("second")
    svc.save_to_dir("second", version="2")
    """
    again.run(script)
    assert (again.path / "second/Svc/helper.py").is_file()
    assert load_elsewhere(again.path / "second", "svc.version, svc.predict(1)", tmp_path) == "2 2"


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_A13_link_out_of_the_project_is_refused(project: Project, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password = 'x'\n")
    project.write(**{"svc.py": service("import linked", "value")})
    (project.path / "linked.py").symlink_to(secret)
    script = "import os; from svc import Svc; os.mkdir('bundle'); Svc().save_to_dir('bundle')"
    done = project.run(script, check=False)
    assert done.returncode == 1
    assert "Module 'linked' is a link out of its project" in done.stderr
    assert list((project.path / "bundle").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_A13_static_content_with_a_link_to_a_system_file(project: Project) -> None:
    body = ECHO_SERVICE.replace("class Echo", "@bentoml.web_static_content('www')\nclass Echo")
    project.write(**{"echo.py": body, "www/index.html": "<p>hi</p>", "www/img/a.txt": "a"})
    bundle = project.save("echo", "Echo")
    assert (bundle.package / "web_static_content/img/a.txt").read_text() == "a"
    (project.path / "www/img/passwd").symlink_to("/etc/passwd")
    script = "import os; from echo import Echo; os.mkdir('b2'); Echo().save_to_dir('b2')"
    done = project.run(script, check=False)
    assert "is a link out of" in done.stderr
    assert list((project.path / "b2").iterdir()) == []


def test_static_content_must_exist(project: Project) -> None:
    body = ECHO_SERVICE.replace("class Echo", "@bentoml.web_static_content('nowhere')\nclass Echo")
    project.write(**{"echo.py": body})
    script = "import os; from echo import Echo; os.mkdir('b'); Echo().save_to_dir('b')"
    assert "nowhere' is not a directory" in project.run(script, check=False).stderr


def test_imports_of_every_kind() -> None:
    source = b"""
import a.b, c as d
from e import f, g as h
from . import i
from ..j import k
from ....too_far import l
import importlib
importlib.import_module("m.n"); importlib.import_module(".o", __package__); __import__("p")
importlib.import_module(variable); importlib.import_module("not a name")
try:
    import q
except (ImportError, ValueError):
    import r
else:
    import s
try:
    import t
finally:
    pass
if TYPE_CHECKING:
    import u
else:
    import v
def function():
    class Inner:
        import w
from x import *
"""
    found = {(i.module, i.names, i.guarded) for i in imports_of(source, "top.mid.mod", False)}
    plain = {"a.b", "c", "importlib", "m.n", "top.mid.o", "p", "t", "v", "w", "x"}
    assert found == {(name, (), False) for name in plain} | {
        ("e", ("f", "g"), False),
        ("top.mid", ("i",), False),
        ("top.j", ("k",), False),
        ("q", (), True),
        ("r", (), True),
        ("s", (), True),
    }
