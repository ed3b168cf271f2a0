from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bentoml
from bentoml.adapters.json_input import JsonInput
from bentoml.exceptions import BentoMLConfigException, BentoMLException, InvalidArgument
from bentoml.service.artifacts.common import JSONArtifact, PickleArtifact, TextFileArtifact


@bentoml.artifacts([PickleArtifact("model"), JSONArtifact("labels")])
class Classifier(bentoml.BentoService):
    @bentoml.api(input=JsonInput())
    def predict(self, item: Any) -> Any:
        return self.artifacts.model[item]


class Plain(bentoml.BentoService):
    pass


def test_name_is_readable_on_class_and_instance() -> None:
    class Named(Plain):
        _bento_service_name = "SomethingElse"

    assert (Classifier.name, Classifier().name) == ("Classifier", "Classifier")
    assert (Named.name, Named().name) == ("SomethingElse", "SomethingElse")


@pytest.mark.parametrize("name", ["not valid", "1st", "", "a-b", "x" * 129, "../up"])
def test_invalid_names_are_errors_at_definition(name: str) -> None:
    with pytest.raises(InvalidArgument, match="Invalid BentoService name"):
        type("Wrong", (bentoml.BentoService,), {"_bento_service_name": name})


def test_pack_is_chainable_and_use_is_by_attribute() -> None:
    service = Classifier()
    assert service.pack("model", {"a": 1}, metadata={"f1": 0.5}).pack("labels", ["x"]) is service
    assert service.artifacts.model == {"a": 1} and service.artifacts["model"].metadata == {"f1": 0.5}
    assert service.predict("a") == 1


def test_instances_do_not_share_artifacts() -> None:
    first, second = Classifier(), Classifier()
    first.pack("model", 1)
    assert not second.artifacts["model"].is_ready
    assert not Classifier._declared_artifacts[0].is_ready


def test_packing_an_unknown_artifact_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="Did you mean 'model'"):
        Classifier().pack("modle", 1)


def test_packing_on_the_class_is_refused() -> None:
    with pytest.raises(BentoMLException, match="on an instance"):
        Classifier.pack("model", "x")  # type: ignore[arg-type]


def test_a_skipped_base_init_is_explained() -> None:
    class Skips(Classifier):
        def __init__(self) -> None:
            self.own = 1

    service = Skips()
    for attribute in ("artifacts", "inference_apis", "env", "version", "labels"):
        with pytest.raises(
            BentoMLConfigException, match=r"Skips\.__init__ did not call super\(\).__init__\(\)"
        ):
            getattr(service, attribute)
    with pytest.raises(BentoMLConfigException, match="super"):
        service.pack("model", 1)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        service.nothing  # type: ignore[attr-defined] # noqa: B018


def test_an_own_init_that_calls_super_works() -> None:
    class Own(Classifier):
        def __init__(self) -> None:
            super().__init__()
            self.own = self.artifacts["model"].name

    assert Own().own == "model"


def test_a_service_without_anything_works() -> None:
    service = Plain()
    assert service.inference_apis == [] and service.artifacts.get_artifact_list() == []
    assert service.get_web_static_content_path() is None and service.start_hooks == []


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (PickleArtifact("a"), "takes a list"),
        ("ab", "takes a list"),
        ([PickleArtifact("a"), "b"], "instances of artifact classes"),
        ([PickleArtifact], "instances of artifact classes"),
        ([PickleArtifact("a"), JSONArtifact("a")], "Duplicated artifact name 'a'"),
        ([JSONArtifact("aé"), JSONArtifact("aè")], "would write the same files"),
    ],
    ids=str,
)
def test_wrong_artifact_declarations(declared: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        bentoml.artifacts(declared)


@pytest.mark.parametrize(
    "decorator", [bentoml.artifacts([]), bentoml.env(), bentoml.ver(1, 2), bentoml.web_static_content(".")]
)
def test_class_decorators_refuse_other_objects(decorator: Any) -> None:
    for target in (object, lambda: None, 3):
        with pytest.raises(InvalidArgument, match=r"derived from bentoml\.BentoService"):
            decorator(target)
    assert decorator(type("Sub", (bentoml.BentoService,), {})).name == "Sub"


def test_decorating_a_subclass_leaves_the_base_alone() -> None:
    @bentoml.artifacts([TextFileArtifact("prompt")])
    @bentoml.ver(1, 0)
    class Child(Classifier):
        pass

    assert list(Child().artifacts) == ["prompt"] and list(Classifier().artifacts) == ["model", "labels"]
    assert Classifier._version_spec is None


# -- versions -----------------------------------------------------------------------------------


def test_generated_version_has_the_known_form_and_stays() -> None:
    service = Classifier()
    assert re.fullmatch(r"\d{14}_[0-9A-F]{6}", service.version)
    assert service.version == service.version and service.tag == f"Classifier:{service.version}"
    assert Classifier().version != service.version


def test_ver_prefixes_every_version() -> None:
    @bentoml.ver(2, 1)
    class Versioned(Plain):
        def versioneer(self) -> str:
            return "nightly"

    service = Versioned()
    assert service.version == "2.1.nightly"
    assert service.set_version("7") == "2.1.7" == service.version


@pytest.mark.parametrize("version", ["latest", "LATEST", "", "a/b", "../x", "a b", "x" * 129, "é"])
def test_invalid_versions(version: str) -> None:
    service = Plain()
    with pytest.raises(InvalidArgument, match="Invalid BentoService version"):
        service.set_version(version)
    service.set_version("1.0.0")
    assert service.version == "1.0.0"


@given(
    st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,60}\Z", fullmatch=True).filter(
        lambda v: v.lower() != "latest"
    )
)
def test_plain_versions_are_kept_as_they_are(version: str) -> None:
    assert Plain().set_version(version) == version


def test_setting_a_version_again_warns(caplog: pytest.LogCaptureFixture) -> None:
    service = Plain()
    service.set_version("1")
    assert not caplog.records
    service.set_version("2")
    assert "Resetting BentoService 'Plain' version from '1' to '2'" in caplog.text


def test_loaded_bundle_keeps_its_version_and_loads_its_artifacts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = Classifier().pack("model", {"k": "v"}).pack("labels", ["l"])
    for inner in ("Loaded/artifacts", "artifacts"):
        root = tmp_path / inner.replace("/", "_")
        (root / inner).mkdir(parents=True)
        saved.artifacts.save(root / inner)
        cls = type(
            "Loaded",
            (Classifier,),
            {"_bento_service_bundle_path": str(root), "_bento_service_bundle_version": "3.2.1"},
        )
        service = cls()
        assert service.version == "3.2.1" and service.artifacts.model == {"k": "v"}
        service.set_version("4")
        assert "Overriding the version '3.2.1' of a loaded bundle with '4'" in caplog.text


# -- static content, labels, metadata ------------------------------------------------------------


def test_web_static_content_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @bentoml.web_static_content("./page")
    class Page(Plain):
        pass

    monkeypatch.chdir(tmp_path)
    assert Page().web_static_content == "./page"
    assert os.path.normpath(str(Page().get_web_static_content_path())) == str(tmp_path / "page")
    monkeypatch.setattr(Page, "_bento_service_bundle_path", str(tmp_path / "bundle"))
    (tmp_path / "bundle/Page/web_static_content").mkdir(parents=True)
    assert Page().get_web_static_content_path() == str(tmp_path / "bundle/Page/web_static_content")


def test_labels_are_checked() -> None:
    service = Plain()
    assert service.labels == {}
    service.labels = {"team": "vision"}
    assert service.labels == {"team": "vision"}
    with pytest.raises(InvalidArgument):
        service.labels = {"bad key": "x"}


def test_metadata_is_plain_data_under_both_names() -> None:
    import json

    service = Classifier().pack("model", 1, metadata={"f1": 0.5})
    service.set_version("1.0")
    record = service.get_bento_service_metadata()
    assert (record["name"], record["version"]) == ("Classifier", "1.0")
    assert record["apis"][0]["name"] == "predict" and record["apis"][0]["input_type"] == "JsonInput"
    assert record["artifacts"][0] == {
        "name": "model", "artifact_type": "PickleArtifact", "metadata": {"f1": 0.5},
    }  # fmt: skip
    assert json.loads(json.dumps(record)) == record == service.get_bento_service_metadata_pb()


# -- hooks ----------------------------------------------------------------------------------------


def test_hooks_are_bound_in_order_of_definition_and_inherited() -> None:
    seen: list[str] = []

    class Base(Plain):
        @bentoml.on_worker_start
        def warm_up(self) -> None:
            seen.append("base warm_up")

        @bentoml.on_worker_stop()
        def close(self) -> None:
            seen.append("close")

    class Child(Base):
        @bentoml.on_worker_start()
        def another(self) -> None:
            seen.append("another")

        @bentoml.on_worker_start
        def warm_up(self) -> None:
            seen.append("child warm_up")

        @bentoml.on_worker_start
        async def connect(self) -> None:
            seen.append("connect")

    service = Child()
    assert [hook.__name__ for hook in service.start_hooks] == ["warm_up", "another", "connect"]
    for hook in [*service.start_hooks[:2], *service.stop_hooks]:
        hook()
    assert seen == ["child warm_up", "another", "close"]


def test_a_hook_on_something_else_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="belongs on a method"):
        bentoml.on_worker_start(3)  # type: ignore[type-var]


# -- saving ----------------------------------------------------------------------------------------


def test_unpacked_artifacts_are_named_before_saving(caplog: pytest.LogCaptureFixture) -> None:
    from bentoml.service.saving import check_saveable

    with caplog.at_level(logging.WARNING, "bentoml"):
        check_saveable(Classifier().pack("model", 1))
    assert [r.getMessage() for r in caplog.records] == [
        "Missing declared artifact 'labels' for BentoService 'Classifier'. "
        "Pack it before saving: svc.pack('labels', ...)"
    ]


@pytest.mark.parametrize("service", [object(), Classifier, None, bentoml.BentoService()])
def test_only_instances_of_own_classes_can_be_saved(service: Any) -> None:
    from bentoml.service.saving import check_saveable

    with pytest.raises(
        BentoMLException, match="save_to_dir only works with instances of custom BentoService class"
    ):
        check_saveable(service)
