"""keygen, sign and --verify-key on a really saved service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

SERVICE = """
import os, pathlib
import bentoml
from bentoml.adapters import JsonInput
from bentoml.service.artifacts.common import PickleArtifact

pathlib.Path(os.environ.get("MARKER", os.devnull)).write_text("executed")

@bentoml.artifacts([PickleArtifact("factor")])
class Doubler(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True)
    def predict(self, values):
        return [value * self.artifacts.factor for value in values]

if __name__ == "__main__":
    service = Doubler()
    service.pack("factor", 2)
    service.save(version="1.0")
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the bundle Doubler:1.0."""
    root = tmp_path_factory.mktemp("saved")
    (root / "doubler.py").write_text(SERVICE)
    done = subprocess.run(
        [sys.executable, "doubler.py"],
        cwd=root,
        env={**os.environ, "BENTOML_HOME": str(root / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return root / "home"


@pytest.fixture
def home(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(saved, tmp_path / "home")
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    monkeypatch.delenv("BENTOML_TRUST_VERIFY_KEYS", raising=False)
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    return tmp_path / "home"


def test_keygen_sign_and_a_run_that_wants_the_key(home: Path, run: Run, tmp_path: Path) -> None:
    made = run("keygen", str(tmp_path / "release"))
    assert made.exit_code == 0, made.output
    assert "release.pem (keep it secret)" in made.output
    again = run("keygen", str(tmp_path / "release"))
    assert again.exit_code == 1
    assert "never overwritten" in again.output

    call = ("run", "Doubler:latest", "predict", "--input", "3", "--verify-key", str(tmp_path / "release.pub"))
    refused = run(*call)
    assert refused.exit_code == 1
    assert "is not signed" in refused.output
    assert not (tmp_path / "marker").exists()

    signed = run("sign", "Doubler:latest", "--key", str(tmp_path / "release.pem"))
    assert signed.exit_code == 0, signed.output
    assert signed.output.startswith("Signed Doubler:1.0 with key ")
    answered = run(*call)
    assert answered.exit_code == 0, answered.output
    assert answered.output.strip().splitlines()[-1] == "6"
    assert "BENTOML_TRUST_VERIFY_KEYS" not in os.environ


def test_a_server_with_a_key_refuses_a_foreign_bundle(home: Path, run: Run, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        assert run("keygen", str(tmp_path / name)).exit_code == 0
    assert run("sign", "Doubler:1.0", "--key", str(tmp_path / "theirs.pem")).exit_code == 0
    refused = run("serve", "Doubler:1.0", "--port", "0", "--verify-key", str(tmp_path / "ours.pub"))
    assert refused.exit_code == 1
    assert "not one of the trusted keys" in refused.output
    assert not (tmp_path / "marker").exists()


def test_an_encrypted_key_and_its_password(
    home: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run("keygen", str(tmp_path / "k"), "--encrypt", input="hunter2\nhunter2\n")
    assert made.exit_code == 0, made.output
    command = ("sign", "Doubler:1.0", "--key", str(tmp_path / "k.pem"))
    assert "needs its password" in run(*command).output
    assert run(*command, "--ask-password", input="hunter2\n").exit_code == 0
    monkeypatch.setenv("BENTOML_KEY_PASSWORD", "wrong")
    assert "password is wrong" in run(*command).output
    (signature,) = (home / "repository/Doubler/1.0").glob("bundle-signature.json")
    assert len(json.loads(signature.read_text())["signatures"]) == 1


def test_inspect_tells_and_does_not_run(home: Path, run: Run, tmp_path: Path) -> None:
    shown = run("inspect", "Doubler:latest")
    assert shown.exit_code == 0, shown.output
    for text in ("Doubler:1.0", "integrity  intact", "/predict  JsonInput -> DefaultOutput, micro-batched",
                 "factor  PickleArtifact", "runs code", "Doubler/doubler.py", "signed     no"):  # fmt: skip
        assert text in shown.output
    document = json.loads(run("inspect", "Doubler:latest", "-o", "json").output)
    assert document["artifacts"][0]["name"] == "factor"
    (home / "repository/Doubler/1.0/Doubler/doubler.py").write_text("raise SystemExit\n")
    changed = run("inspect", str(home / "repository/Doubler/1.0"))
    assert changed.exit_code == 1
    assert "doubler.py' was changed" in changed.output
    assert run("inspect", "Doubler:1.0", "--skip-hashing").exit_code == 0
    assert not (tmp_path / "marker").exists()


def test_inspect_prints_what_pickle_allow_takes(home: Path, run: Run, tmp_path: Path) -> None:
    model = home / "repository/Doubler/1.0/Doubler/artifacts/factor.pkl"
    model.write_bytes(b"ccollections\nOrderedDict\n)R.")
    shown = run("inspect", "Doubler:1.0", "--imports-only", "--skip-hashing")
    assert shown.output.splitlines() == ["collections.OrderedDict"]


def test_U_text_of_a_hostile_bundle_does_not_reach_the_terminal(home: Path, run: Run) -> None:
    model = home / "repository/Doubler/1.0/Doubler/artifacts/factor.pkl"
    model.write_bytes(b"cos\x1b[2J\x07\nsystem\xe2\x80\xae\n)R.")
    shown = run("inspect", "Doubler:1.0", "--skip-hashing")
    assert shown.exit_code == 0, shown.output
    assert "os\\x1b[2J\\x07.system\\u202e" in shown.output
    assert "\x1b[2J" not in shown.output
