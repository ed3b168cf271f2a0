"""Examples in a bundle: recorded when it is saved, replayed in a fresh process, alone and in a batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bentoml.bundle.manifest import write_manifest
from bentoml.cli.main import commandline_interface
from bentoml.exceptions import BundleCorrupted, InvalidArgument
from bentoml.inference.examples import examples_text, payload_of, read_examples, record_examples
from bentoml.inference.verify import Limits, verify_bundle
from bentoml.types import Payload, RequestHead

SERVICE = """
import os, time
import bentoml
from bentoml.adapters import FileInput, JsonInput
from bentoml.service.artifacts.common import PickleArtifact

@bentoml.artifacts([PickleArtifact("factor")])
class Scaler(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True)
    def predict(self, rows):
        if {centred}:
            middle = sum(rows) / len(rows)
            return [row - middle for row in rows]
        return [row * self.artifacts.factor for row in rows]

    @bentoml.api(input=JsonInput(), batch=False)
    async def slow(self, value):
        return {{"value": value}}

    @bentoml.api(input=FileInput(), batch=False)
    def size(self, file):
        return len(file.read())

if __name__ == "__main__":
    from bentoml.types import Payload
    service = Scaler().pack("factor", 0.1)
    os.mkdir("bundle")
    service.save_to_dir("bundle", version="1", examples={{
        "predict": [1, 2.5, 3], "slow": ["x"], "size": [b"\\xff\\x00abc"],
    }})
"""
Save = Callable[..., Path]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_in(tmp_path_factory.mktemp("scaler"))


def save_in(root: Path, *, centred: bool = False) -> Path:
    (root / "scaler.py").write_text(SERVICE.format(centred=centred))
    done = subprocess.run([sys.executable, "scaler.py"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root / "bundle"


@pytest.fixture
def bundle(saved: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(saved, tmp_path / "bundle"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commandline_interface, arguments, prog_name="bentoml")


def test_a_sound_bundle_passes_and_tells_what_it_costs(saved: Path) -> None:
    report = verify_bundle(saved, require_examples=True, limits=Limits(60.0, 8 << 30))
    assert report.reasons == []
    rows = {row["api"]: row for row in report.apis}
    assert {name: row["examples"] for name, row in rows.items()} == {"predict": 3, "size": 1, "slow": 1}
    assert rows["predict"]["batch"] >= 8
    assert rows["slow"]["batch"] == 0
    assert all(row["latency_s"] > 0 for row in rows.values())
    assert report.peak_bytes > 0
    assert report.load_s > 0


def test_answers_that_changed_are_named(bundle: Path) -> None:
    (bundle / "Scaler/artifacts/factor.pkl").write_bytes(b"F0.2\n.")
    with pytest.raises(BundleCorrupted, match=r"factor\.pkl"):
        verify_bundle(bundle)
    write_manifest(bundle)
    report = verify_bundle(bundle)
    assert not report.ok
    assert report.reasons[0].startswith("API 'predict', example 0, alone: $: 0.1 and 0.2")
    assert any("in a batch of" in reason for reason in report.reasons)
    assert verify_bundle(bundle, tolerance=0.6).ok


def test_a_function_that_mixes_its_batch_fails_in_the_batch_only(tmp_path: Path) -> None:
    report = verify_bundle(save_in(tmp_path, centred=True))
    assert report.reasons
    assert all("in a batch of" in reason for reason in report.reasons)


def test_a_bundle_that_cannot_be_loaded_fails_with_its_reason(bundle: Path) -> None:
    (bundle / "Scaler/artifacts/factor.pkl").write_bytes(b"not a pickle")
    write_manifest(bundle)
    (reason,) = verify_bundle(bundle).reasons
    assert "cannot be loaded" in reason
    assert "factor" in reason
    (bundle / "Scaler/scaler.py").write_text("import os\nos._exit(3)\n")
    write_manifest(bundle)
    (reason,) = verify_bundle(bundle).reasons
    assert "exit code 3" in reason
    (bundle / "Scaler/scaler.py").write_text("import time\ntime.sleep(600)\n")
    write_manifest(bundle)
    (reason,) = verify_bundle(bundle, timeout_s=3).reasons
    assert "not done within 3 seconds" in reason


def test_limits_and_the_lack_of_examples(bundle: Path) -> None:
    report = verify_bundle(bundle, limits=Limits(latency_s=1e-9, memory_bytes=1))
    assert sum("takes" in reason for reason in report.reasons) == 3
    assert any("MiB of memory" in reason for reason in report.reasons)
    (bundle / "Scaler/examples.json").unlink()
    write_manifest(bundle)
    assert verify_bundle(bundle).ok
    (reason,) = verify_bundle(bundle, require_examples=True).reasons
    assert "stores no examples" in reason


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": 9, "examples": []}', '{"format": 1, "examples": [{}]}']
)
def test_damaged_examples_are_a_reason(text: str, bundle: Path) -> None:
    (bundle / "Scaler/examples.json").write_text(text)
    write_manifest(bundle)
    (reason,) = verify_bundle(bundle).reasons
    assert "examples cannot be read" in reason


def test_the_command_and_its_exit_codes(bundle: Path) -> None:
    good = run("verify", str(bundle))
    assert good.exit_code == 0, good.output
    assert "predict: 3 examples" in good.output
    assert "OK: every answer is the stored one" in good.output
    document = json.loads(run("verify", str(bundle), "-o", "json").output)
    assert document["ok"] and document["examples"] == 5
    bad = run("verify", str(bundle), "--max-latency", "0.000001")
    assert bad.exit_code == 1
    assert "FAILED:" in bad.output
    (bundle / "README.md").write_text("x")
    changed = run("verify", str(bundle))
    assert changed.exit_code == 1
    assert "README.md" in changed.output


def test_examples_are_checked_when_they_are_recorded() -> None:
    import bentoml
    from bentoml.adapters import JsonInput

    class Picky(bentoml.BentoService):
        @bentoml.api(input=JsonInput(), batch=False)
        def predict(self, value):  # type: ignore[no-untyped-def]
            return 1 / value

    service = Picky()
    for examples, why in (
        ({"predcit": [1]}, "Did you mean 'predict'"),
        ({"predict": 1}, "are a list"),
        ({"predict": "text"}, "are a list"),
        ([1], "a dictionary"),
        ({"predict": [1, 0]}, "Example 1 of API 'predict' fails"),
        ({"predict": [object()]}, "cannot be sent as JSON"),
    ):
        with pytest.raises(InvalidArgument, match=why):
            record_examples(service, examples)  # type: ignore[arg-type]
    kept = read_examples(record_examples(service, {"predict": [4, Payload(b"{nonsense")]}))
    assert [example.reply.head.status for example in kept] == [200, 400]
    assert json.loads(kept[0].reply.body) == 0.25


def test_inputs_of_all_kinds_survive_the_file() -> None:
    import numpy
    import pandas

    head = RequestHead.build({"Content-Type": "text/csv", "X-Own": "é"})
    values = [
        b"\xff\x00",
        {"a": [1]},
        numpy.eye(2),
        pandas.DataFrame({"x": [1, 2]}),
        Payload(b"a,b\n1,2\n", head),
    ]
    payloads = [payload_of(value) for value in values]
    assert payloads[2].body == b"[[1.0, 0.0], [0.0, 1.0]]"
    assert json.loads(payloads[3].body) == [{"x": 1}, {"x": 2}]
    from bentoml.inference.examples import Example
    from bentoml.types import Reply, ReplyHead

    reply = Reply(ReplyHead(200, "image/png", (("x-a", "b"),)), b"\x89PNG")
    text = examples_text([Example("predict", payload, reply) for payload in payloads])
    again = read_examples(text)
    assert [(e.payload.body, e.payload.head.raw) for e in again] == [(p.body, p.head.raw) for p in payloads]
    assert {e.reply for e in again} == {reply}


@pytest.mark.slow
def test_isolated_uses_the_environment_of_the_bundle(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    done = run("verify", str(bundle), "--isolated", "-o", "json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert Path(document["python"]).is_relative_to(tmp_path / "home")
    assert document["ok"] and document["examples"] == 5
    assert os.path.isdir(tmp_path / "home/environments")
