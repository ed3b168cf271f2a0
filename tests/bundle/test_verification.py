"""The check after saving: a clean interpreter imports the bundle and says what is missing."""

from __future__ import annotations

from bentoml.bundle.verification import check_import

from .projects import ECHO_SERVICE, Project, SavedBundle


def test_good_bundle_passes_and_is_not_written_to(saved_marked: SavedBundle) -> None:
    before = sorted(saved_marked.path.rglob("*"))
    report = check_import(saved_marked.path)
    assert report.ok, report
    assert sorted(saved_marked.path.rglob("*")) == before


def test_own_code_behind_a_computed_name(project: Project) -> None:
    """The module is found at save time, not in the bundle: the warning names it and the fix."""
    body = ECHO_SERVICE + "\nimport importlib\nimportlib.import_module('hid' + 'den')\n"
    project.write(**{"echo.py": body, "hidden.py": ""})
    bundle = project.save("echo", "Echo", check_import=True)
    assert bundle.modules() == {"echo.py"}
    assert (
        "cannot be imported in a clean interpreter: module 'hidden' (needed by echo.py) is missing"
        in bundle.log
    )
    assert "add `import hidden` to the service's module" in bundle.log


def test_package_that_is_not_installed(project: Project) -> None:
    body = ECHO_SERVICE + "\nimport importlib\nimportlib.import_module('absent' + '_lib')\n"
    project.write(**{"echo.py": body, "stub/absent_lib.py": ""})
    bundle = project.save("echo", "Echo", import_path=(project.path / "stub",))
    report = check_import(bundle.path)
    assert report.missing == ("absent_lib",)
    assert "@bentoml.env(pip_packages=['absent_lib'])" in report.advice()


def test_missing_module_of_a_packed_object(saved_marked: SavedBundle) -> None:
    report = check_import(saved_marked.path, pickled=["json", "not_here.model"])
    assert report.missing == ("not_here.model",)
    assert report.importer == "a packed object"


def test_service_that_saves_while_it_is_imported(project: Project) -> None:
    """Without the guard every import of the bundle would save another bundle, and so on."""
    body = ECHO_SERVICE + "\nimport os\nos.makedirs('out', exist_ok=True)\nEcho().save_to_dir('out')\n"
    project.write(**{"echo.py": body})
    done = project.python("echo.py")
    assert "saves a bundle while it is imported" in done.stderr + done.stdout
    assert "if __name__ == '__main__':" in done.stderr + done.stdout


def test_module_that_fails_or_ends_the_interpreter(project: Project) -> None:
    for ending, expected in (
        ("raise RuntimeError('no GPU')", "no GPU"),
        ("import os; os._exit(3)", "exit code 3"),
    ):
        name = "b" + str(len(ending))
        in_check = f"if 'BENTOML_IMPORT_CHECK' in os.environ:\n    {ending}\n"
        project.write(**{"echo.py": f"import os\n{ECHO_SERVICE}\n{in_check}"})
        bundle = project.save("echo", "Echo", target=name)
        report = check_import(bundle.path)
        assert not report.ok
        assert expected in report.advice()


def test_hanging_import_is_ended(project: Project) -> None:
    body = ECHO_SERVICE + "\nimport os, time\nwhile 'BENTOML_IMPORT_CHECK' in os.environ: time.sleep(1)\n"
    project.write(**{"echo.py": body})
    bundle = project.save("echo", "Echo")
    report = check_import(bundle.path, timeout_s=3)
    assert report.error == "no end within 3 seconds"


def test_relative_path_and_output_of_the_module(project: Project) -> None:
    project.write(**{"echo.py": ECHO_SERVICE + "\nprint('hello from the module')\n"})
    script = """
    import os
    from echo import Echo
    os.mkdir("out")
    Echo().save_to_dir("out")
    """
    done = project.run(script)
    assert "cannot be imported" not in done.stdout + done.stderr
    assert done.stdout.count("hello from the module") == 1
