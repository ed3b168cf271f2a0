"""Which accelerators the workers see: the rule, and the settings and options that lead to it."""

from __future__ import annotations

import pytest

from bentoml.exceptions import BentoMLConfigException
from bentoml.settings import load_settings
from bentoml.workers.devices import device_environment


@pytest.mark.parametrize(
    ("devices", "seen"),
    [
        (None, [None, None, None]),
        (("0", "1"), ["0", "1", "0"]),
        (("3",), ["3", "3", "3"]),
        (("0", "cpu"), ["0", "-1", "0"]),
        (("cpu",), ["-1", "-1", "-1"]),
        ((), ["-1", "-1", "-1"]),
    ],
    ids=["unset", "two", "one", "mixed", "cpu", "empty"],
)
def test_workers_take_the_devices_in_turn(devices: tuple[str, ...] | None, seen: list[str | None]) -> None:
    assert [device_environment(devices, i).get("CUDA_VISIBLE_DEVICES") for i in range(3)] == seen


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("0,1", ("0", "1")),
        (" 2 ", ("2",)),
        ("", ()),
        ("CPU", ("CPU",)),
        ([0, 1], ("0", "1")),
        (1, ("1",)),
        ("GPU-8c3f-1,MIG-1/2/0", ("GPU-8c3f-1", "MIG-1/2/0")),
    ],
    ids=str,
)
def test_what_a_file_or_an_option_may_say(given: object, read: tuple[str, ...]) -> None:
    assert load_settings(devices=given).server.devices == read


def test_a_variable_of_the_environment_says_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_DEVICES", "1,0")
    assert load_settings().server.devices == ("1", "0")


def test_a_device_that_cannot_be_is_refused() -> None:
    with pytest.raises(BentoMLConfigException, match="device is a number"):
        load_settings(devices="cuda:0")
