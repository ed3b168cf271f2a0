from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import bentoml
from bentoml.adapters.base_input import BaseInputAdapter
from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.service.artifacts import BentoServiceArtifact
from bentoml.service.env import BentoServiceEnv, distribution_name


class NeedsPandas(BaseInputAdapter):
    @property
    def pip_dependencies(self) -> list[str]:
        return ["pandas", "numpy"]


class OldStyle(BentoServiceArtifact):
    """Written for 0.13: reads the private flag and adds packages through the public method."""

    def set_dependencies(self, env: Any) -> None:
        if env._infer_pip_packages:
            env.add_pip_packages(["torch==1.6.0"])
        env.add_conda_dependencies(["openjdk"])


@bentoml.env(pip_packages=["Pandas==1.1.0"], infer_pip_packages=True)
@bentoml.artifacts([OldStyle("net")])
class Service(bentoml.BentoService):
    @bentoml.api(input=NeedsPandas())
    def predict(self, item: Any) -> Any:
        return item


def test_the_decorator_has_every_parameter_of_the_environment() -> None:
    declared = inspect.signature(bentoml.env).parameters
    accepted = inspect.signature(BentoServiceEnv.__init__).parameters
    assert list(declared) == list(accepted)[1:]
    for name, parameter in declared.items():
        assert parameter.default == accepted[name].default, name


def test_the_users_own_spec_wins_over_adapters_and_artifacts() -> None:
    env = Service().env
    assert env.pip_packages == ["Pandas==1.1.0"]
    assert env.requested_packages() == ["Pandas==1.1.0", "pandas", "numpy", "torch==1.6.0"] or (
        env.requested_packages() == ["Pandas==1.1.0", "numpy", "torch==1.6.0"]
    )


def test_every_instance_has_its_own_environment() -> None:
    first, second = Service(), Service()
    first.env.add_pip_package("flask")
    first.env.add_conda_dependencies(["cmake"])
    assert "flask" not in second.env.pip_packages and "cmake" not in second.env.conda_dependencies
    assert second.env.conda_dependencies == ["openjdk"]
    assert Service._env_template is not None and Service._env_template.library_packages == []


def test_a_service_without_env_has_a_default_one() -> None:
    class Bare(bentoml.BentoService):
        pass

    assert Bare().env.to_dict()["pip_packages"] == []
    assert Bare().env.conda_env() == {"name": "bentoml-default-conda-env", "dependencies": []}


def test_asking_again_replaces_the_earlier_spec() -> None:
    env = BentoServiceEnv(pip_packages=["scikit_learn>=1.0", "numpy"])
    env.add_pip_package("scikit-learn==1.3.2")
    env.add_pip_packages(["Flask"])
    assert env.pip_packages == ["scikit-learn==1.3.2", "numpy", "Flask"]


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("scikit-learn", "scikit-learn"),
        ("Scikit_Learn>=1.0,<2", "scikit-learn"),
        ("spacy[cuda]==3.0; python_version < '3.12'", "spacy"),
        (" ruamel.yaml ", "ruamel-yaml"),
        ("mylib @ https://example.com/mylib.whl", "mylib"),
        ("git+https://example.com/x.git", "git+https://example.com/x.git"),
        ("https://example.com/x-1.0-py3-none-any.whl", "https://example.com/x-1.0-py3-none-any.whl"),
    ],
)
def test_distribution_names(requirement: str, name: str) -> None:
    assert distribution_name(requirement) == name


@pytest.mark.parametrize("old", ["pip_dependencies", "auto_pip_dependencies"])
def test_old_parameters_warn_and_work(old: str) -> None:
    value: Any = ["flask"] if old == "pip_dependencies" else True
    with pytest.warns(DeprecationWarning, match=f"{old}=.*removed in 1.0") as caught:
        env = BentoServiceEnv(**{old: value})
    assert env.pip_packages == ["flask"] or env.infer
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pip_packages": "torch"}, r"write pip_packages=\['torch'\]"),
        ({"pip_packages": [3]}, "contains 3"),
        ({"pip_packages": [" "]}, "requirement string"),
        ({"pip_packages": ["a\n--index-url=http://evil"]}, "one line"),
        ({"conda_channels": "conda-forge"}, "is a list"),
        ({"conda_dependencies": [None]}, "contains None"),
        ({"zipimport_archives": "a.zip"}, "is a list"),
    ],
    ids=str,
)
def test_wrong_values_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        BentoServiceEnv(**options)


def test_conda_environment() -> None:
    env = BentoServiceEnv(
        conda_channels=["forge"], conda_override_channels=True, conda_dependencies=["a", "b"]
    )
    env.add_conda_dependencies(["c", "a"])
    assert env.conda_env() == {
        "name": "bentoml-default-conda-env",
        "channels": ["forge", "nodefaults"],
        "dependencies": ["c", "a", "b"],
    }
    assert BentoServiceEnv(conda_channels=["x"], conda_overwrite_channels=True).conda_override_channels


@pytest.mark.parametrize("alias", ["conda_override_channels", "conda_overwrite_channels"])
def test_overriding_no_channels_is_refused(alias: str) -> None:
    with pytest.raises(BentoMLException, match="leaves no channel"):
        BentoServiceEnv(**{alias: True})  # type: ignore[arg-type]


def test_setup_script_is_a_path_or_the_text(tmp_path: Path) -> None:
    script = tmp_path / "setup.sh"
    script.write_bytes(b"#!/bin/sh\r\necho hi\n")
    assert BentoServiceEnv().setup_script() is None
    assert BentoServiceEnv(setup_sh=str(script)).setup_script() == b"#!/bin/sh\r\necho hi\n"
    assert BentoServiceEnv(setup_sh="#!/bin/sh\necho ü").setup_script() == "#!/bin/sh\necho ü".encode()
    env = BentoServiceEnv()
    env.set_setup_sh(b"bytes")
    assert env.to_dict()["setup_sh"] == b"bytes"


def test_files_are_read_later_not_at_declaration() -> None:
    env = BentoServiceEnv(requirements_txt_file="not/there.txt", conda_env_yml_file="not/there.yml")
    assert "pip_packages" not in env.to_dict()
    assert env.requirements_txt_file == "not/there.txt"
