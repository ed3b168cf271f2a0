"""Runs under the real 0.13.1: does with a server what a user's script does, and prints what it saw as JSON.

Usage: BENTOML_HOME=HOME PYTHON013 yatai_client013.py ADDRESS TAG
"""

import json
import os
import sys
import tempfile

from bentoml.exceptions import BentoMLException
from bentoml.yatai.client import get_yatai_client

address, tag = sys.argv[1:]
name, version = tag.split(":")
local, remote = get_yatai_client(), get_yatai_client(address)
seen = {}


def refused(call):
    try:
        call()
    except BentoMLException as err:
        return str(err)
    return None


def files(directory):
    return {
        os.path.relpath(os.path.join(folder, name), directory): os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(directory)
        for name in names
        if "__pycache__" not in folder
    }


seen["location"] = remote.repository.push(tag)
seen["again"] = refused(lambda: remote.repository.push(tag))
seen["listed"] = [f"{one.name}:{one.version}" for one in remote.repository.list()]
seen["by_labels"] = [one.version for one in remote.repository.list(labels="team=core")]
seen["by_other_labels"] = [one.version for one in remote.repository.list(labels="team NotIn (core)")]
record = remote.repository.get(f"{name}:latest")
seen["record"] = {
    "uri_type": record.uri.type,
    "labels": dict(record.bento_service_metadata.labels),
    "apis": [[api.name, api.input_type, api.output_type] for api in record.bento_service_metadata.apis],
    "artifacts": [[one.name, one.artifact_type] for one in record.bento_service_metadata.artifacts],
    "python": record.bento_service_metadata.env.python_version,
    "status": record.status.status,
}
seen["missing"] = refused(lambda: remote.repository.get(f"{name}:none"))
with tempfile.TemporaryDirectory() as directory:
    target = os.path.join(directory, "bundle")
    remote.repository.download_to_directory(record, target)
    seen["same_files"] = files(target) == files(local.repository.get(tag).uri.uri)
    seen["loads"] = type(remote.repository.load(target)).__name__
local.repository.delete(tag, require_confirm=False)
seen["pulled"] = remote.repository.pull(tag)
seen["local"] = [f"{one.name}:{one.version}" for one in local.repository.list(bento_name=name)]
remote.repository.delete(tag, require_confirm=False)
seen["left"] = [f"{one.name}:{one.version}" for one in remote.repository.list()]
print("SEEN" + json.dumps(seen))
