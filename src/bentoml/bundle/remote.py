"""Bundles behind a URL: `.tar.gz` over http(s), or on S3 or Google storage through fsspec.

A fetched bundle is unpacked once per process into a private directory that lives as long as the
process, because models and static content may be read from it at any time.
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from bentoml.exceptions import BentoMLException, InvalidArgument, MissingDependencyException

from .archive import extract_archive
from .packing import pack_archive

_TIMEOUT_S = 60.0
_OBJECT_STORES = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs"}
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}

_fetched: dict[str, Path] = {}
_lock = threading.Lock()


def is_remote(path: str) -> bool:
    """True for `http(s)://`, `s3://`, `s3a://`, `s3n://` and `gs://`."""
    scheme, separator, _ = path.partition("://")
    return bool(separator) and (scheme in _OBJECT_STORES or scheme in ("http", "https"))


def fetch_bundle(url: str) -> Path:
    """The local directory of the bundle at `url`; fetched at the first call of the process.

    Raises:
        BentoMLException: the address does not answer with an archive.
        BundleCorrupted: the archive is not safe or holds no bundle.
        MissingDependencyException: the package for this store is not installed.
    """
    with _lock:
        if url not in _fetched:
            parent = Path(tempfile.mkdtemp(prefix="bentoml-remote-"))
            atexit.register(shutil.rmtree, parent, ignore_errors=True)
            with open_remote(url) as stream:
                _fetched[url] = extract_archive(stream, parent)
        return _fetched[url]


def upload_bundle(bundle: Path, url: str, name: str) -> str:
    """Store a bundle as `<url>/<name>.tar` (a tar with gzip, as 0.13 named it); returns that address."""
    scheme = url.partition("://")[0]
    if scheme not in _OBJECT_STORES:
        raise InvalidArgument(
            f"A bundle cannot be saved to '{_shown(url)}'; save to a directory, or to an s3:// or gs:// "
            "address"
        )
    target = f"{url.rstrip('/')}/{name}.tar"
    store, path = _object_store(target)
    with store.open(path, "wb") as stream:
        pack_archive(bundle, stream, name)
    return target


@contextlib.contextmanager
def open_remote(url: str) -> Iterator[IO[bytes]]:
    """The bytes at an address. Raises `BentoMLException` if there are none."""
    if url.partition("://")[0] in _OBJECT_STORES:
        store, path = _object_store(url)
        try:
            stream = store.open(path, "rb")
        except FileNotFoundError as err:
            raise BentoMLException(f"There is no bundle at '{_shown(url)}'") from err
        with stream:
            yield stream
        return
    opener = urllib.request.build_opener(_SameHostRedirects)
    try:
        response = opener.open(url, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as err:
        raise BentoMLException(f"Error retrieving bundle from '{_shown(url)}': status {err.code}") from err
    except (urllib.error.URLError, OSError, ValueError) as err:
        raise BentoMLException(f"Error retrieving bundle from '{_shown(url)}': {err}") from err
    with response:
        yield response


class _SameHostRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect may not lead to another host or to another kind of address."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if new.hostname != old.hostname or (old.scheme == "https" and new.scheme != "https"):
            raise BentoMLException(
                f"'{_shown(req.full_url)}' redirects to '{_shown(newurl)}'; redirects to another host are "
                "not followed. Give the final address"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _object_store(url: str) -> tuple[Any, str]:
    return open_file_system(url), url.partition("://")[2]


def open_file_system(url: str, **options: Any) -> Any:
    """The fsspec file system of an s3:// or gs:// address.

    Args:
        options: of the file system's class, such as `client_kwargs`.

    Raises:
        MissingDependencyException: the package for it is not installed.
    """
    protocol = _OBJECT_STORES[url.partition("://")[0]]
    package = _PACKAGES[protocol]
    try:
        import fsspec  # noqa: PLC0415 - optional

        return fsspec.filesystem(protocol, **options)
    except ImportError as err:
        raise MissingDependencyException(
            f"Reading '{_shown(url)}' needs the package '{package}', which is not installed. "
            f"Install it with: pip install {package}"
        ) from err


def _shown(url: str) -> str:
    """The address without credentials and query, which may hold a signature."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:256]
