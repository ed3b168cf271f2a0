"""A bundle sees its own modules; nobody else sees them in place of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from .projects import Project, SavedBundle

SERVICE = """
import bentoml
from bentoml.adapters import JsonInput
from bentoml.service.artifacts.common import PickleArtifact
import helper

@bentoml.artifacts([PickleArtifact("model", "pickle")])
class Svc(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        import lazy_part
        from deep.inner import where
        model = self.artifacts.model
        return [helper.NAME, lazy_part.NAME, where, type(model).__module__, model.name()]
"""


def save_variant(folder: Path, name: str, **more: str) -> SavedBundle:
    """The same module names with different content."""
    folder.mkdir()
    project = Project(folder).write(
        **{
            "svc.py": SERVICE,
            "helper.py": f"NAME = {name!r}\nclass Model:\n    def name(self): return {name!r}\n",
            "lazy_part.py": f"NAME = 'lazy {name}'\n",
            "deep/__init__.py": "",
            "deep/inner.py": f"where = 'deep {name}'\n",
            **more,
        }
    )
    return project.save("svc", "Svc", pack="from helper import Model; svc.pack('model', Model())")


def answer(name: str) -> list[str]:
    return [name, f"lazy {name}", f"deep {name}", "helper", name]


@pytest.fixture
def two(tmp_path: Path) -> tuple[SavedBundle, SavedBundle]:
    return save_variant(tmp_path / "a", "one"), save_variant(tmp_path / "b", "two")


def run(tmp_path: Path, script: str, *import_path: Path) -> list[str]:
    project = Project(tmp_path / "process")
    project.path.mkdir(exist_ok=True)
    return project.run(script, import_path=import_path).stdout.splitlines()


def test_two_bundles_with_the_same_module_names(two: tuple[SavedBundle, SavedBundle], tmp_path: Path) -> None:
    script = f"""
    import bentoml, sys
    one = bentoml.load({str(two[0].path)!r})
    two = bentoml.load({str(two[1].path)!r})
    print(two.predict(0))
    print(one.predict(0))
    print(sys.modules["helper"].NAME, sys.modules["svc"].Svc is type(one), type(one) is type(two))
    """
    out = run(tmp_path, script)
    assert out == [str(answer("two")), str(answer("one")), "one True False"]


def test_two_bundles_in_many_threads(two: tuple[SavedBundle, SavedBundle], tmp_path: Path) -> None:
    script = f"""
    import bentoml
    from concurrent.futures import ThreadPoolExecutor
    services = [bentoml.load(p) for p in ({str(two[0].path)!r}, {str(two[1].path)!r})]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: (i % 2, str(services[i % 2].predict(0))), range(400)))
    print(sorted(set(found)))
    """
    assert run(tmp_path, script) == [str([(0, str(answer("one"))), (1, str(answer("two")))])]


def test_projects_own_copy_is_not_disturbed(two: tuple[SavedBundle, SavedBundle], tmp_path: Path) -> None:
    """The process has imported the project; a saved bundle of it runs the saved code."""
    script = f"""
    import helper, bentoml, sys
    saved = bentoml.load({str(two[1].path)!r})
    print(saved.predict(0))
    import helper as again, lazy_part
    print(again is helper, helper.NAME, lazy_part.NAME, "svc" in sys.modules)
    """
    out = run(tmp_path, script, two[0].path.parent)
    assert out == [str(answer("two")), "True one lazy one False"]


def test_saved_copy_wins_over_what_is_merely_findable(
    two: tuple[SavedBundle, SavedBundle], tmp_path: Path
) -> None:
    script = f"""
    import bentoml, sys
    saved = bentoml.load({str(two[1].path)!r})
    print(saved.predict(0))
    print(sys.modules["helper"].NAME)
    """
    assert run(tmp_path, script, two[0].path.parent) == [str(answer("two")), "two"]


def test_bundle_never_shadows_libraries_or_python(tmp_path: Path) -> None:
    """Modules called like an installed library: the bundle has its own, everybody else the real one."""
    project = Project(tmp_path / "p")
    project.path.mkdir()
    project.write(
        **{
            "svc.py": SERVICE.replace("import helper", "import helper, click").replace(
                "helper.NAME,", "click.NAME,"
            ),
            "helper.py": "class Model:\n    def name(self): return 'm'\n",
            "click.py": "NAME = 'own click'\n",
            "lazy_part.py": "NAME = 'lazy'\n",
            "deep/inner.py": "where = 'ns'\n",
        }
    )
    bundle = project.save("svc", "Svc", pack="from helper import Model; svc.pack('model', Model())")
    assert "click.py" in bundle.modules()
    script = f"""
    import bentoml
    svc = bentoml.load({str(bundle.path)!r})
    print(svc.predict(0))
    import click
    print(hasattr(click, "command"), hasattr(click, "NAME"))
    """
    assert run(tmp_path, script) == ["['own click', 'lazy', 'ns', 'helper', 'm']", "True False"]


def test_namespace_shared_with_an_installed_one(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    project.path.mkdir()
    project.write(**{"company/rules.py": "NAME = 'bundled'\n"})
    body = """
    import bentoml
    from bentoml.adapters import JsonInput
    from company import rules

    class Svc(bentoml.BentoService):
        @bentoml.api(input=JsonInput(), batch=False)
        def predict(self, value):
            import company.other
            return [rules.NAME, company.other.NAME]
    """
    project.write(**{"svc.py": body})
    bundle = project.save("svc", "Svc")
    elsewhere = Project(tmp_path / "vendor")
    elsewhere.write(**{"company/other.py": "NAME = 'elsewhere'\n"})
    script = f"""
    import bentoml
    print(bentoml.load({str(bundle.path)!r}).predict(0))
    """
    assert run(tmp_path, script, elsewhere.path) == ["['bundled', 'elsewhere']"]


def test_loading_twice_imports_once(saved_echo: SavedBundle) -> None:
    from bentoml.bundle.load import load_from_dir, load_service_class

    first, second = load_from_dir(saved_echo.path), load_from_dir(saved_echo.path, verify=False)
    assert type(first) is type(second) is load_service_class(saved_echo.path)
    assert first is not second


def test_failed_import_leaves_nothing_behind(tmp_path: Path, project: Project) -> None:
    project.write(
        **{
            "svc.py": SERVICE,
            "helper.py": "class Model: pass\n",
            "lazy_part.py": "",
            "deep/inner.py": "where = 0",
        }
    )
    bundle = project.save("svc", "Svc", pack="from helper import Model; svc.pack('model', Model())")
    (bundle.package / "helper.py").write_text("raise RuntimeError('broken')\n")
    script = f"""
    import sys, bentoml
    from bentoml.bundle.manifest import write_manifest
    from pathlib import Path
    path = Path({str(bundle.path)!r})
    write_manifest(path)
    finders = len(sys.meta_path)
    for _ in range(2):
        try:
            bentoml.load(path)
        except RuntimeError as err:
            print(err, len(sys.meta_path) - finders, "svc" in sys.modules, "helper" in sys.modules)
    """
    assert run(tmp_path, script) == ["broken 0 False False"] * 2
