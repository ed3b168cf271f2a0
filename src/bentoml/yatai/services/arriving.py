"""The directories of bundles that are arriving, with the locks under which they change."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

from bentoml.repository.incoming import IncomingBundle, received_bytes
from bentoml.repository.locks import FileLock

_LOCK = ".lock"
_REMEMBERED = 64


class Arriving:
    """Every upload has a directory; the newest ones are also remembered, with the digests made so far.

    Args:
        directory: where they are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._remembered: OrderedDict[str, IncomingBundle] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def exclusive(self, upload_id: str) -> Iterator[None]:
        """One call at a time works on an upload; a lock of the system, free when its holder dies."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with FileLock(self._directory / f"{upload_id}{_LOCK}", timeout_s=5.0):
            yield

    def take_up(self, upload_id: str) -> IncomingBundle:
        """What has arrived, ready for more. Needs the upload's lock."""
        path = self._directory / upload_id
        with self._lock:
            known = self._remembered.pop(upload_id, None)
        if known is not None:
            if known.received_bytes == received_bytes(path):
                self._remember(upload_id, known)
                return known
            known.close()  # another server went on with it meanwhile
        made = IncomingBundle(path, is_cached=False)
        made.resume()
        self._remember(upload_id, made)
        return made

    def received_bytes(self, upload_id: str) -> int:
        """How much has arrived."""
        return received_bytes(self._directory / upload_id)

    def forget(self, upload_id: str) -> None:
        """Let what is on disk say how far it is, not what was remembered."""
        with self._lock:
            known = self._remembered.pop(upload_id, None)
        if known is not None:
            known.close()

    def remove(self, upload_id: str) -> None:
        """Remove what has arrived. Needs the upload's lock."""
        self.forget(upload_id)
        shutil.rmtree(self._directory / upload_id, ignore_errors=True)

    def clean_up(self, is_over: Callable[[str], bool]) -> None:
        """Remove what belongs to no upload in progress, and archives of earlier versions.

        Args:
            is_over: whether nobody will send more of that upload.
        """
        if not self._directory.is_dir():
            return
        for path in list(self._directory.iterdir()):
            upload_id = path.name.removesuffix(_LOCK).removesuffix(".tar")
            lock = FileLock(self._directory / f"{upload_id}{_LOCK}")
            if not lock.try_acquire():
                continue
            try:
                if path.suffix == ".tar":
                    path.unlink(missing_ok=True)
                elif is_over(upload_id):
                    self.remove(upload_id)
            finally:
                lock.release()

    def _remember(self, upload_id: str, incoming: IncomingBundle) -> None:
        with self._lock:
            self._remembered[upload_id] = incoming
            forgotten = (
                self._remembered.popitem(last=False)[1] if len(self._remembered) > _REMEMBERED else None
            )
        if forgotten is not None:
            forgotten.close()
