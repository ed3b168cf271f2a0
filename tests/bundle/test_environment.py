"""From `@env` to requirements.txt, environment.yml, setup.sh; hostile fields (D) change nothing."""

from __future__ import annotations

import hashlib
import logging
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bentoml import __version__
from bentoml.bundle.dependencies import (
    distributions_of_import,
    infer_requirements,
    merge_requirements,
    pin,
    public_version,
)
from bentoml.bundle.environment import library_requirement, resolve_environment, write_environment
from bentoml.bundle.imports import Import
from bentoml.bundle.own_wheel import build_own_wheel
from bentoml.bundle.yaml_text import parse_yaml
from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.service.env import BentoServiceEnv

from .hostile import HOSTILE_TEXTS
from .projects import ECHO_SERVICE, Project

CLICK = version("click")
LIBRARY = library_requirement()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("bentoml"), "propagate", True)
    caplog.set_level(logging.WARNING, "bentoml")
    return caplog


def lines(env: BentoServiceEnv, inferred: tuple[str, ...] = ()) -> list[str]:
    return resolve_environment(env, inferred).requirements_text.split("\n")


def test_library_comes_first_and_by_path() -> None:
    resolved = resolve_environment(BentoServiceEnv(pip_packages=["click"]))
    assert resolved.requirements_text == f"{LIBRARY}\nclick=={CLICK}"
    assert f"./bundled_pip_dependencies/bentoml-{__version__}-py3-none-any.whl" == LIBRARY
    assert resolved.to_record()["pip_packages"] == [f"bentoml=={__version__}", f"click=={CLICK}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("click", f"click=={CLICK}"),
        ("Click", f"Click=={CLICK}"),
        ("rich[jupyter]", f"rich[jupyter]=={version('rich')}"),
        ("click; python_version >= '3.8'", f'click=={CLICK}; python_version >= "3.8"'),
        ("click>=1.0", "click>=1.0"),
        (
            "thing @ https://example.com/thing.whl#sha256=ab",
            "thing @ https://example.com/thing.whl#sha256=ab",
        ),
        ("spacy[cuda]==3.0 ; sys_platform == 'linux'", "spacy[cuda]==3.0 ; sys_platform == 'linux'"),
    ],
)
def test_pins_keep_extras_markers_and_urls(text: str, expected: str) -> None:
    assert pin(text) == expected


def test_versions_that_differ_are_warned_about_and_kept(log: pytest.LogCaptureFixture) -> None:
    assert pin("click==0.1") == "click==0.1"
    assert f"`click==0.1` does not match the version installed: `click=={CLICK}`" in log.text
    assert pin("not-installed-here==2") == "not-installed-here==2"
    assert "`not-installed-here==2` is not installed here" in log.text


def test_local_version_labels_are_no_pins() -> None:
    assert public_version("2.13.0+cpu") == "2.13.0"
    assert public_version("1.0.post1") == "1.0.post1"
    assert public_version("unknown") == "unknown"


def test_users_pin_wins_and_a_contradiction_names_both(log: pytest.LogCaptureFixture) -> None:
    merged = merge_requirements(["pandas==0.25.1", "click"], ["pandas>=1.0", "CLICK>=7", "idna"])
    assert merged == ["pandas==0.25.1", f"click=={CLICK}", f"idna=={version('idna')}"]
    assert "Using `pandas==0.25.1` as you asked, although `pandas>=1.0` is needed" in log.text


def test_own_name_is_never_a_requirement(log: pytest.LogCaptureFixture) -> None:
    assert merge_requirements(["bentoml==1.4.0", "BentoML"], ["bentoml"]) == []
    assert "`bentoml==1.4.0` is left out: a bundle carries the bentoml that saved it" in log.text


def test_index_options_come_before_everything() -> None:
    env = BentoServiceEnv(
        pip_packages=["click"],
        pip_extra_index_url="https://${TOKEN}@extra.example.com/simple",
        pip_trusted_host="pypi.example.com:8443",
        pip_index_url="https://pypi.example.com/simple?a=b&c=%20",
    )
    assert lines(env) == [
        "--index-url=https://pypi.example.com/simple?a=b&c=%20",
        "--trusted-host=pypi.example.com:8443",
        "--extra-index-url=https://${TOKEN}@extra.example.com/simple",
        LIBRARY,
        f"click=={CLICK}",
    ]


def test_requirements_file_is_copied_as_it_is(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    text = "--find-links ./x\r\n# comment\n  pandas [a]>1 \\\n  --hash=sha256:00\nbentoml==0.13.1\n\n"
    file = tmp_path / "req.txt"
    file.write_bytes(text.encode())
    env = BentoServiceEnv(
        requirements_txt_file=file, pip_packages=["click"], pip_index_url="https://a.example.com"
    )
    env.library_packages.append("pandas")
    resolved = resolve_environment(env)
    target = tmp_path / "out"
    target.mkdir()
    write_environment(env, target)
    assert resolved.to_record()["requirements_txt"] == resolved.requirements_verbatim
    assert "pip_packages" not in resolved.to_record()
    sha256 = hashlib.sha256(build_own_wheel()).hexdigest()
    assert (target / "requirements.txt").read_bytes().decode() == (
        f"{LIBRARY} --hash=sha256:{sha256}\r\n"
        "--find-links ./x\r\n# comment\n  pandas [a]>1 \\\n  --hash=sha256:00\n"
        "# Left out, the bundle brings its own: bentoml==0.13.1\n\n"
    )
    assert "Ignoring pip_packages=['click']" in log.text
    assert "Ignoring the pip index options" in log.text
    assert "asks for bentoml by name; on the package index that is another product line" in log.text


def test_a_saved_requirements_file_saves_again_as_itself(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    (tmp_path / "req.txt").write_text("bentoml[x]>=1 \\\n  --pre\nclick\n-r more.txt\n")
    write_environment(BentoServiceEnv(requirements_txt_file=tmp_path / "req.txt"), first)
    text = (first / "requirements.txt").read_text()
    assert text.splitlines()[0] == LIBRARY
    assert [line for line in text.splitlines() if not line.startswith("#")][1:] == ["click", "-r more.txt"]
    write_environment(BentoServiceEnv(requirements_txt_file=first / "requirements.txt"), second)
    assert (second / "requirements.txt").read_text() == text


def test_included_requirement_files_are_reported(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    (tmp_path / "req.txt").write_text("click\n-c constraints.txt\n")
    resolve_environment(BentoServiceEnv(requirements_txt_file=tmp_path / "req.txt"))
    assert "includes 'constraints.txt', which is not in the bundle" in log.text


def test_complete_conda_environment(tmp_path: Path) -> None:
    env = BentoServiceEnv(conda_channels=["forge"], conda_dependencies=["h2o=3", "Python>=3.9"])
    write_environment(env, tmp_path)
    complete = parse_yaml((tmp_path / "conda-environment.yml").read_text())
    assert complete["dependencies"] == ["h2o=3", "Python>=3.9", "pip", {"pip": ["-r requirements.txt"]}]
    assert complete["channels"] == ["forge"]
    plain = tmp_path / "plain"
    plain.mkdir()
    write_environment(BentoServiceEnv(), plain)
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert parse_yaml((plain / "conda-environment.yml").read_text())["dependencies"] == [
        f"python={minor}", "pip", {"pip": ["-r requirements.txt"]},
    ]  # fmt: skip
    assert parse_yaml((plain / "environment.yml").read_text())["dependencies"] == []


def test_conda_never_brings_the_library(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "environment.yml"
    file.write_text("dependencies: [conda-forge::bentoml=1.4, h2o, {pip: ['BentoML>=1', x]}]\n")
    assert resolve_environment(BentoServiceEnv(conda_env_yml_file=file)).conda_env["dependencies"] == [
        "h2o", {"pip": ["x"]},
    ]  # fmt: skip
    assert "conda dependency 'conda-forge::bentoml=1.4' is left out" in log.text


def test_base_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert resolve_environment(BentoServiceEnv()).docker_base_image == f"python:{minor}-slim"
    conda = resolve_environment(BentoServiceEnv(conda_dependencies=["h2o"]))
    assert conda.docker_base_image.startswith("condaforge/miniforge3:")
    (tmp_path / "config.yml").write_text("bento_bundle:\n  default_docker_base_image: my/base:1\n")
    monkeypatch.setenv("BENTOML_CONFIG", str(tmp_path / "config.yml"))
    assert resolve_environment(BentoServiceEnv()).docker_base_image == "my/base:1"
    mine = BentoServiceEnv(docker_base_image="nvidia/cuda:12.4.1-runtime-ubuntu22.04")
    assert resolve_environment(mine).docker_base_image == "nvidia/cuda:12.4.1-runtime-ubuntu22.04"


def test_files_that_are_missing() -> None:
    for parameter in ("requirements_txt_file", "conda_env_yml_file"):
        env = BentoServiceEnv(**{parameter: "no/such.file"})  # type: ignore[arg-type]
        with pytest.raises(BentoMLException, match=f"{parameter} 'no/such.file' does not exist"):
            resolve_environment(env)


def test_conda_file_channels_and_dependencies(tmp_path: Path) -> None:
    file = tmp_path / "environment.yml"
    file.write_text("name: mine\nchannels: [base]\ndependencies: [h2o, {pip: [x]}]\n")
    env = BentoServiceEnv(conda_env_yml_file=file, conda_channels=["forge"], conda_dependencies=["openjdk"])
    assert resolve_environment(env).conda_env == {
        "name": "mine",
        "channels": ["forge", "base"],
        "dependencies": ["openjdk", "h2o", {"pip": ["x"]}],
    }
    env = BentoServiceEnv(conda_channels=["forge"], conda_override_channels=True)
    assert resolve_environment(env).conda_env["channels"] == ["forge", "nodefaults"]


def test_files_of_an_environment(tmp_path: Path) -> None:
    script = tmp_path / "mine.sh"
    script.write_bytes(b"#!/bin/sh\r\necho \xff\n")
    env = BentoServiceEnv(setup_sh=str(script), conda_dependencies=["a: b", "- c"])
    write_environment(env, tmp_path)
    assert (tmp_path / "setup.sh").read_bytes() == script.read_bytes()
    assert parse_yaml((tmp_path / "environment.yml").read_text())["dependencies"] == ["a: b", "- c"]
    assert resolve_environment(env).to_record()["setup_sh"] == script.read_bytes()


def test_modules_are_mapped_to_distributions(log: pytest.LogCaptureFixture) -> None:
    assert distributions_of_import(Import("yaml")) == ["PyYAML"]
    found = infer_requirements(
        [Import("yaml"), Import("json"), Import("tomllib"), Import("__future__"), Import("bentoml.adapters"),
         Import("nothing_provides_this", (), True), Import("absent_here")]
    )  # fmt: skip
    assert found == [f"PyYAML=={version('PyYAML')}"]
    assert [r.getMessage() for r in log.records] == ["unknown package dependency for module: absent_here"]


def test_inference_in_a_real_project(project: Project) -> None:
    project.write(**{"echo.py": "import helper, yaml\n" + ECHO_SERVICE, "helper.py": "import click\n"})
    body = "svc.env.infer = True; svc.env.add_pip_packages(['click==8.0.0', 'rich[jupyter]'])"
    bundle = project.save("echo", "Echo", pack=body)
    assert bundle.requirements()[1:] == [
        "click==8.0.0",
        f"rich[jupyter]=={version('rich')}",
        f"PyYAML=={version('PyYAML')}",
    ]
    assert f"does not match the version installed: `click=={CLICK}`" in bundle.log


def test_imports_without_a_requirement_are_reported(project: Project) -> None:
    project.write(**{"echo.py": "import packaging.version, iniconfig\n" + ECHO_SERVICE})
    bundle = project.save("echo", "Echo")
    assert "requirements do not install: 'iniconfig'" in bundle.log  # packaging comes with the library


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_D_packages_and_options(text: str) -> None:
    """Every hostile text is refused, or is exactly one requirement line of the expected meaning."""
    for bad in (text, f"click{text}", f"click=={text}"):
        try:
            env = BentoServiceEnv(pip_packages=[bad])
            found = lines(env)
        except InvalidArgument:
            continue
        assert len(found) == 2
        assert not found[1].startswith("-")
    for field in ("pip_index_url", "pip_extra_index_url", "pip_trusted_host"):
        for bad in (text, f"https://a.example.com/{text}"):
            try:
                found = lines(BentoServiceEnv(**{field: bad}))  # type: ignore[arg-type]
            except InvalidArgument:
                continue
            assert len("\n".join(found).splitlines()) == 2
            assert not set("\"'`\\ \t") & set(found[0])
            assert found[1] == LIBRARY


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_D_conda_fields_stay_values(text: str) -> None:
    env = BentoServiceEnv(conda_dependencies=[text], conda_channels=[text])
    try:
        conda = resolve_environment(env).conda_env
    except InvalidArgument:
        return
    from bentoml.bundle.yaml_text import dump_yaml

    assert parse_yaml(dump_yaml(conda)) == conda
    assert conda["dependencies"] == [text]
