"""A registry full of bundles, and a server over it in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import insert

from bentoml import __version__
from bentoml.bundle.manifest import write_manifest
from bentoml.repository.models import bentos, labels, utc_now
from bentoml.settings import home, load_settings
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.registry import open_registry

WITH_FILES = (42, 142)  # two versions of one name when there are 100 names
_REQUIREMENTS = "".join(f"package-{number}==1.{number}\n" for number in range(40))


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    pid: int
    address: str
    url: str

    def rss_peak_mib(self) -> float:
        """The most memory that the process has had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return round(int(found.group(1)) / 1024, 1) if found else 0.0

    def cpu_s(self) -> float:
        """Seconds of CPU that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(db_url: str | None, bundles: int, names: int) -> None:
    """Rows of bundles as real ones have them; their files are not needed to list them."""
    registry = open_registry(load_settings(yatai__database_url=db_url))
    registry.bundles.keys(BundleQuery(limit=0))
    rows = [_row(number, names) for number in range(bundles)]
    tags = [
        {"resource_type": "bento", "resource_id": number + 1, "key": key, "value": value}
        for number in range(bundles)
        for key, value in (("env", "prod" if number % 10 == 0 else "dev"), ("team", f"t{number % 7}"))
    ]
    registry.database.write(lambda connection: connection.execute(insert(bentos), rows))
    registry.database.write(lambda connection: connection.execute(insert(labels), tags))

    for number in WITH_FILES:
        if number < bundles:
            row = rows[number]
            _make_files(home() / "repository" / str(row["name"]) / str(row["version"]), row)


def _make_files(path: Path, row: Mapping[str, Any]) -> None:
    """A bundle as small as one can be, for the pages that show what is in it."""
    (path / str(row["name"]) / "artifacts").mkdir(parents=True)
    (path / "README.md").write_text("# A service\n\nIt predicts something from something else.\n" * 20)
    (path / str(row["name"]) / "artifacts" / "model.pkl").write_bytes(bytes(1 << 16))
    described = {"service_name": row["name"], "service_version": row["version"]}
    document = {
        "version": __version__,
        "kind": "BentoService",
        "metadata": {**described, "created_at": "2026-11-25 10:00:00", "module_name": "service"},
        "env": {"python_version": "3.11.7", "requirements_txt": _REQUIREMENTS},
        "apis": [],
        "artifacts": [],
    }
    (path / "bentoml.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    write_manifest(path)


def _row(number: int, names: int) -> dict[str, object]:
    name, version = f"Service{number % names:03d}", f"20261125{number:06d}_ABCDEF"
    metadata = {
        "name": name,
        "version": version,
        "created_at": "2026-11-25T10:00:00.000000Z",
        "env": {"python_version": "3.11.7", "docker_base_image": "python", "requirements_txt": _REQUIREMENTS},
        "artifacts": [{"name": "model", "artifact_type": "SklearnModelArtifact", "metadata": {"auc": 0.93}}],
        "apis": [
            {
                "name": api,
                "route": api,
                "docs": "Predicts something from something else.",
                "input_type": "DataframeInput",
                "output_type": "DefaultOutput",
                "mb_max_latency": 20000,
                "mb_max_batch_size": 4000,
                "batch": True,
            }
            for api in ("predict", "explain")
        ],
    }
    return {
        "name": name,
        "version": version,
        "uri": f"/nowhere/{name}/{version}",
        "uri_type": "LOCAL",
        "bento_service_metadata": metadata,
        "upload_status": {"status": "DONE"},
        "created_at": utc_now(),
        "deleted": False,
        "size_bytes": 1 << 20,
    }


@contextmanager
def running_server(home: Path, db_url: str | None) -> Iterator[Server]:
    """`bentoml yatai-service-start` on free ports."""
    log = home.parent / "server.log"
    command = [sys.executable, "-m", "bentoml", "yatai-service-start", "--grpc-port", "0", "--ui-port", "0"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, *(["--db-url", db_url] if db_url else [])], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield _wait(process, log)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(process: subprocess.Popen[bytes], log: Path) -> Server:
    while process.poll() is None:
        text = log.read_text("utf-8", "replace")
        address = re.search(r"Running on (\S+) ", text)
        url = re.search(r"Web UI: running on (\S+)", text)
        if address and url:
            return Server(process.pid, address.group(1), url.group(1))
        time.sleep(0.05)
    raise SystemExit(log.read_text("utf-8", "replace"))
