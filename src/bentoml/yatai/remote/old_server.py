"""Transfers with a server of the 0.13 line: its streams, and its signed addresses of object stores."""

from __future__ import annotations

import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.metadata import metadata_dict
from bentoml.bundle.packing import TarStream, pack_archive
from bentoml.exceptions import BentoMLException, YataiRepositoryException
from bentoml.repository.base import BundleRecord
from bentoml.rpc.bundles import metadata_message, signed_url_of
from bentoml.rpc.channel import RpcClient
from bentoml.tags import Tag

from .download import new_directory, place
from .progress import transfer_bar

_CHUNK_BYTES = 1 << 20
_LOCAL = 1
_UPLOADING, _DONE, _ERROR = 1, 2, 3
_TIMEOUT_S = 60.0


def upload(client: RpcClient, tag: Tag, bundle: Path, labels: Mapping[str, str]) -> str:
    """Send a bundle as 0.13 does; returns the location. Raises `AlreadyExists` and its kin."""
    answer = client.call("AddBento", bento_name=tag.name, bento_version=tag.version)
    uri = answer["uri"]
    metadata = metadata_message(metadata_dict(read_descriptor(bundle), camel=False), labels)
    if uri["type"] == _LOCAL:
        client.send("UploadBento", _messages(tag, bundle))
        _update(client, tag, service_metadata=metadata)
    else:
        _update(client, tag, service_metadata=metadata, upload_status={"status": _UPLOADING})
        try:
            _put(bundle, tag, uri["s3_presigned_url"] or uri["gcs_presigned_url"])
        except BaseException:
            _update(client, tag, upload_status={"status": _ERROR})
            raise
        _update(client, tag, service_metadata=metadata, upload_status={"status": _DONE, "percentage": 100})
    return str(uri["uri"])


def download(client: RpcClient, record: BundleRecord, bento: Mapping[str, Any], target: Path) -> None:
    """Fetch a bundle as 0.13 does into `target`, which must not exist."""
    with new_directory(target) as space:
        archive = space / "archive"
        with archive.open("xb") as file:
            for chunk in _stream(client, record, signed_url_of(bento)):
                file.write(chunk)
        place(archive, space, target)


def _stream(client: RpcClient, record: BundleRecord, signed_url: str) -> Iterator[bytes]:
    if not signed_url:
        fields = {"bento_name": record.name, "bento_version": record.version}
        for answer in client.fetch("DownloadBento", **fields):
            yield answer["bento_bundle"]
        return
    try:
        with urllib.request.urlopen(signed_url, timeout=_TIMEOUT_S) as response:
            while chunk := response.read(_CHUNK_BYTES):
                yield chunk
    except (urllib.error.URLError, OSError) as err:
        raise BentoMLException(f"Fetching {record.tag} from the object store failed: {err}") from err


def _messages(tag: Tag, bundle: Path) -> Iterator[dict[str, Any]]:
    named = {"bento_name": tag.name, "bento_version": tag.version}
    yield named
    tar = TarStream(bundle)
    done = 0
    with transfer_bar(f"Pushing {tag}", tar.size_bytes) as advance:
        for chunk in tar.iter_chunks(chunk_bytes=_CHUNK_BYTES):
            yield {**named, "bento_bundle": chunk}
            done += len(chunk)
            advance(done)


def _update(client: RpcClient, tag: Tag, **fields: Any) -> None:
    client.call("UpdateBento", bento_name=tag.name, bento_version=tag.version, **fields)


def _put(bundle: Path, tag: Tag, url: str) -> None:
    with tempfile.TemporaryFile() as file:
        pack_archive(bundle, file, tag.name)
        size = file.tell()
        file.seek(0)
        request = urllib.request.Request(url, data=file, method="PUT", headers={"Content-Length": str(size)})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
                pass
        except urllib.error.HTTPError as err:
            raise YataiRepositoryException(
                f"Error saving BentoService bundle to the object store. {err.code}: {err.reason}"
            ) from err
        except (urllib.error.URLError, OSError) as err:
            raise YataiRepositoryException(
                f"Error saving BentoService bundle to the object store: {err}"
            ) from err
