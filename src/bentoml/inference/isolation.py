"""A call that failed for many items is repeated in parts, so that only the guilty ones fail.

Finding one bad item in n costs about 2·log2(n) calls, which a hostile client could make us pay for
every batch. So the number of calls for one batch is bounded, the time spent is bounded to a tenth of
the clock, a failure that hits every part is taken for systemic, and bodies that failed a short
while ago are kept out of everybody else's batch from the start.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic

from bentoml.types import Payload, Reply

from .calls import Failure, Steps
from .results import BATCH_FAILED, failure_reply

MAX_CALLS = 16
SHARE = 0.1
WINDOW_S = 10.0
POISON_S = 60.0
POISON_ENTRIES = 1024
GROW_AFTER = 100

Attempt = Callable[[Sequence[int]], "Steps[list[Reply] | Failure]"]


class Ledger:
    """What one API has spent on isolation, and what it learned by it.

    Attributes:
        cap: most items in one call after the model ran out of memory, None while it never did.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self._credit_s = SHARE * WINDOW_S
        self._seen = clock()
        self._poison: OrderedDict[int, float] = OrderedDict()
        self._lock = Lock()
        self._good = 0
        self.cap: int | None = None

    def may_isolate(self) -> bool:
        """Whether there is time left to repeat a batch in parts. A debt is worked off first."""
        now = self.clock()
        self._credit_s = min(SHARE * WINDOW_S, self._credit_s + SHARE * (now - self._seen))
        self._seen = now
        return self._credit_s > 0

    def charge(self, seconds: float) -> None:
        self._credit_s -= seconds

    def note_good(self) -> None:
        """Let the cap grow again, by one item per 100 good calls."""
        if self.cap is not None:
            self._good += 1
            if self._good >= GROW_AFTER:
                self._good = 0
                self.cap += 1

    def note_out_of_memory(self, size: int) -> None:
        self._good = 0
        self.cap = max(1, size // 2)

    def note_poison(self, payload: Payload) -> None:
        with self._lock:
            self._poison[hash(payload.body)] = self.clock()
            while len(self._poison) > POISON_ENTRIES:
                self._poison.popitem(last=False)

    def suspects(self, payloads: Sequence[Payload], items: Sequence[int]) -> list[int]:
        """Those of `items` whose body failed alone during the last minute."""
        if not self._poison:
            return []
        oldest = self.clock() - POISON_S
        with self._lock:
            while self._poison and next(iter(self._poison.values())) < oldest:
                self._poison.popitem(last=False)
        return [i for i in items if hash(payloads[i].body) in self._poison]


def is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def call_budget(n: int) -> int:
    """Calls allowed to find the bad ones among `n`: twice a binary search, and two more."""
    return min(2 * max(1, (n - 1).bit_length()) + 2, MAX_CALLS)


def isolate(
    items: Sequence[int], failure: Failure, attempt: Attempt, ledger: Ledger
) -> Steps[tuple[dict[int, Reply], list[int]]]:
    """Replies of `items` after a call with all of them failed, and who was guilty."""
    replies: dict[int, Reply] = {}
    guilty: list[int] = []
    if is_out_of_memory(failure.error):
        ledger.note_out_of_memory(len(items))
    budget = call_budget(len(items))
    started = ledger.clock()
    failed: deque[tuple[Sequence[int], Failure]] = deque([(items, failure)])
    level, good = 0, 0
    while failed:
        level += 1
        if level <= 3 and _is_systemic(failed, level):
            break
        for _ in range(len(failed)):  # one level of halving at a time: large parts first
            part, error = failed.popleft()
            if len(part) == 1:
                replies[part[0]] = failure_reply(error.error)
                guilty.append(part[0])
                continue
            middle = len(part) // 2
            for half in (part[:middle], part[middle:]):
                if budget <= 0:
                    replies.update(dict.fromkeys(half, BATCH_FAILED))
                    continue
                budget -= 1
                outcome = yield from attempt(half)
                if isinstance(outcome, Failure):
                    failed.append((half, outcome))
                else:
                    good += len(half)
                    replies.update(zip(half, outcome, strict=True))
    for part, error in failed:
        replies.update(dict.fromkeys(part, failure_reply(error.error)))
        replies.update(error.settled)
    ledger.charge(ledger.clock() - started)
    return replies, guilty if good else []


def _is_systemic(failed: Sequence[tuple[Sequence[int], Failure]], level: int) -> bool:
    """All four quarters failed in the same way: nobody in particular is to blame."""
    if level != 3 or len(failed) != 4:
        return False
    kinds = {(type(f.error), failure_reply(f.error).body) for _, f in failed}
    return len(kinds) == 1 and not is_out_of_memory(failed[0][1].error)
