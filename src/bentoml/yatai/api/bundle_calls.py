"""RPCs about bundles: from a request's fields to a use case and back. No rule lives here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from bentoml.exceptions import InvalidArgument, NotFound, YataiServiceRpcAborted
from bentoml.repository.base import DEFAULT_LIST_LIMIT, BundleRecord
from bentoml.repository.selector import parse_selector
from bentoml.rpc import convert
from bentoml.rpc.bundles import bento_bytes, bento_message, selector_of
from bentoml.tags import Tag
from bentoml.yatai.access import WRITE, Caller
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.registry import Registry
from bentoml.yatai.services.compare import compare

from .answer_cache import AnswerCache

Fields = dict[str, Any]
_ORDERS = ("created_at", "name")
_CACHED = 8192
_LOCAL = 1
_OK = convert.write("ListBentoResponse", {"status": {}})


class BundleCalls:
    """Handlers by RPC; each gets the caller and the request's fields."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._bundles = registry.bundles
        self._answers = AnswerCache(registry.database)
        self._encoded: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def add_bento(self, caller: Caller, request: Fields) -> Fields:
        """Where an upload goes. Nothing is reserved: the first complete one gets the tag.

        The address is always of the type LOCAL: clients of 0.13 then stream through this server, which
        verifies what they send, whatever it is stored in.
        """
        caller.require(WRITE)
        tag = _tag(request)
        if self._bundles.find_or_none(tag.name, tag.version) is not None:
            raise YataiServiceRpcAborted(f"BentoService bundle: {tag} already exists")
        uri = f"{self._bundles.store.address}/{tag.name}/{tag.version}"
        return {"status": {}, "uri": {"type": _LOCAL, "uri": uri}}

    def update_bento(self, caller: Caller, request: Fields) -> Fields:
        """0.13's last step of an upload. The server knows the bundle from its files; only labels are new."""
        caller.require(WRITE)
        record = self._bundles.find(request["bento_name"], request["bento_version"])
        labels = (request["service_metadata"] or {}).get("labels") or {}
        new = {key: value for key, value in labels.items() if record.labels.get(key) != value}
        if new:
            self._bundles.update_labels(caller, record, new)
        return {"status": {}}

    def get_bento(self, _caller: Caller, request: Fields) -> Fields:
        record = self._bundles.find(request["bento_name"], request["bento_version"])
        return {"status": {}, "bento": bento_message(record, self._bundles.store.signed_url(record))}

    def dangerously_delete_bento(self, caller: Caller, request: Fields) -> Fields:
        tag = _tag(request)
        try:
            self._bundles.delete(caller, tag.name, tag.version)
        except NotFound as err:
            raise YataiServiceRpcAborted(f"BentoService {tag} has already been deleted") from err
        return {"status": {}}

    def list_bento(self, _caller: Caller, request: Fields) -> bytes:
        return self._answers.get(repr(request), lambda: self._list(request))

    def _list(self, request: Fields) -> bytes:
        keys = self._bundles.keys(
            BundleQuery(
                name=request["bento_name"] or None,
                labels=selector_of(request["label_selectors"]),
                order_by=_order(request["order_by"]),
                ascending=request["ascending_order"],
                offset=request["offset"],
                limit=request["limit"] or DEFAULT_LIST_LIMIT,
            )
        )
        return _OK + convert.repeat(2, self._encode(keys))

    def search_bentos(self, _caller: Caller, request: Fields) -> bytes:
        query = BundleQuery(
            name=request["name"] or None,
            text=request["text"],
            labels=parse_selector(request["labels_query"]),
            order_by=request["order_by"] or "created_at",
            ascending=request["ascending"],
            offset=request["offset"],
            limit=request["limit"] or DEFAULT_LIST_LIMIT,
            only_deleted=request["only_deleted"],
        )
        keys, total = self._bundles.keys(query), self._bundles.count(query)
        return convert.write("SearchBentosResponse", {"total": total}) + convert.repeat(1, self._encode(keys))

    def find_bento(self, _caller: Caller, request: Fields) -> Fields:
        return _answer(self._bundles.find(request["name"], request["version"]))

    def delete_bento(self, caller: Caller, request: Fields) -> Fields:
        self._bundles.delete(caller, request["name"], request["version"])
        return {}

    def restore_bento(self, caller: Caller, request: Fields) -> Fields:
        return _answer(self._bundles.restore(caller, request["name"], request["version"]))

    def update_bento_labels(self, caller: Caller, request: Fields) -> Fields:
        record = self._referred(request["bento"])
        return _answer(self._bundles.update_labels(caller, record, request["set"], request["remove"]))

    def update_bento_note(self, caller: Caller, request: Fields) -> Fields:
        return _answer(self._bundles.set_note(caller, self._referred(request["bento"]), request["note"]))

    def compare_bentos(self, _caller: Caller, request: Fields) -> Fields:
        first, second = self._referred(request["first"]), self._referred(request["second"])
        return {"differences": compare(first, second)}

    def _referred(self, reference: Fields | None) -> BundleRecord:
        if reference is None:
            raise InvalidArgument("The request names no bundle.")
        return self._bundles.find(reference["name"], reference["version"])

    def _encode(self, keys: list[tuple[int, int]]) -> Iterator[bytes]:
        """Encoded bundles; those whose revision is known are not read again."""
        cache = self._encoded
        known = {key: cache[key] for key in keys if key in cache}
        missing = [key for key in keys if key not in known]
        for record in self._bundles.by_ids([row_id for row_id, _ in missing]) if missing else ():
            key = (record.row_id, record.revision)
            known[key] = cache[key] = bento_bytes(record)
        while len(cache) > _CACHED:
            cache.popitem(last=False)
        return (known[key] for key in keys if key in known)


def _tag(request: Fields) -> Tag:
    return Tag(request["bento_name"], request["bento_version"])


def _order(number: int) -> str:
    if not 0 <= number < len(_ORDERS):
        raise InvalidArgument(f"order_by has the unknown number {number}.")
    return _ORDERS[number]


def _answer(record: BundleRecord) -> Fields:
    return {"bento": bento_message(record)}
