"""A document that is sent again gets the verdict it had, as long as everything it was judged by is the same."""

import asyncio
import dataclasses
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from services.esign import metrics
from services.esign.domain.ages import is_fresh
from services.esign.domain.verdict import Verdict
from services.esign.verification.workers.verifier import Question
from shuniu.kit.rpc.network import sender

# Verdicts that are kept, by their number and by the bytes they take.
_KEPT = 2048
_KEPT_BYTES = 16 * 1024 * 1024
# One that takes more is not kept, bytes: it would take the place of hundreds.
_LARGEST_KEPT = 256 * 1024
# Bytes that a verdict takes in memory for each of its pickle, at most.
_SPREAD = 6
# Certificates begin and end at instants: a verdict speaks for its `as_of`, and for no more than this after it.
_FRESH_US = 60 * 1_000_000


class Judge(Protocol):
    async def judge(self, question: Question) -> Verdict: ...


@dataclass(eq=False, slots=True)
class _UnderWay:
    """A judgement that callers of one sender wait for. `found`: its verdict, or that of another sender's judgement of
    the same question, whichever comes first.
    """

    now_us: int
    task: asyncio.Task[Verdict]
    found: asyncio.Future[Verdict]
    waiting: int = 0

    def is_of(self, now_us: int) -> bool:
        """Tells whether it is a judgement for that time too; the clock may have been set since it began."""
        return abs(now_us - self.now_us) < _FRESH_US


@dataclass(frozen=True, slots=True)
class _Kept:
    judged_us: int
    verdict: Verdict
    size: int

    def is_fresh(self, now_us: int) -> bool:
        return is_fresh(self.judged_us, now_us, _FRESH_US)


class VerdictCache:
    """Verdicts by the digest of all that a judge is told: the bytes, the receipt with its checkpoint, the state of seal
    and document, what is trusted. Any change of these is another question. The same question asked twice at once by one
    sender is judged once. Each sender waits in his own turn, not in another's; the first verdict is everybody's.
    """

    def __init__(self, verifier: Judge) -> None:
        self._verifier = verifier
        # In the order in which they were judged.
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._kept_bytes = 0
        self._under_way: dict[bytes, dict[str, _UnderWay]] = {}

    async def judge(self, question: Question) -> Verdict:
        """As `Verifier.judge`. A failure is not kept, nor shared with other senders."""
        key = await asyncio.to_thread(_key, question)
        kept = self._kept.get(key)
        if kept is not None and kept.is_fresh(question.now_us):
            metrics.VERDICTS_REPEATED.inc()
            return kept.verdict
        who = sender()
        mine = self._under_way.get(key, {}).get(who)
        if mine is None or not mine.is_of(question.now_us):
            mine = self._begun(key, who, question)
        mine.waiting += 1
        try:
            # A caller who leaves must not take the verdict from the others who wait for it.
            return await asyncio.shield(mine.found)
        finally:
            mine.waiting -= 1
            if not mine.waiting and not mine.found.done():
                # The last one has left: nobody pays for a verdict that nobody wants.
                mine.found.cancel()
                mine.task.cancel()
                self._forget(key, who, mine)

    def _begun(self, key: bytes, who: str, question: Question) -> _UnderWay:
        task = asyncio.create_task(self._judge(key, question), name="verdict")
        mine = _UnderWay(question.now_us, task, asyncio.get_running_loop().create_future())
        self._under_way.setdefault(key, {})[who] = mine
        task.add_done_callback(lambda _: self._over(key, who, mine))
        return mine

    def _over(self, key: bytes, who: str, mine: _UnderWay) -> None:
        self._forget(key, who, mine)
        error = None if mine.task.cancelled() else mine.task.exception()
        if mine.found.done():
            return
        if mine.task.cancelled():
            mine.found.cancel()
        elif error is not None:
            mine.found.set_exception(error)
        else:
            mine.found.set_result(mine.task.result())
            for other in self._under_way.get(key, {}).values():
                if other.is_of(mine.now_us) and not other.found.done():
                    other.found.set_result(mine.task.result())
                    # Its end takes it out.
                    other.task.cancel()

    def _forget(self, key: bytes, who: str, mine: _UnderWay) -> None:
        """Removes the judgement from those under way, unless a later one of the same key took its place."""
        same = self._under_way.get(key, {})
        if same.get(who) is mine:
            del same[who]
            if not same:
                del self._under_way[key]

    async def _judge(self, key: bytes, question: Question) -> Verdict:
        verdict = await self._verifier.judge(question)
        self._keep(key, _Kept(question.now_us, verdict, _size(verdict)))
        return verdict

    def _keep(self, key: bytes, new: _Kept) -> None:
        self._drop(key)
        # Those that were asked later than a slow one, and judged before it, are no older than it.
        while self._kept and abs((oldest := next(iter(self._kept.items())))[1].judged_us - new.judged_us) >= _FRESH_US:
            self._drop(oldest[0])
        if new.size > _LARGEST_KEPT:
            return
        self._kept[key] = new
        self._kept_bytes += new.size
        while len(self._kept) > _KEPT or self._kept_bytes > _KEPT_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        old = self._kept.pop(key, None)
        if old is not None:
            self._kept_bytes -= old.size


def _size(verdict: Verdict) -> int:
    """Bytes in memory, at most."""
    return _SPREAD * len(pickle.dumps(verdict, pickle.HIGHEST_PROTOCOL))


def _key(question: Question) -> bytes:
    """Over every field but the time, whatever fields there are. The document goes in by its digest."""
    state = sha256((question.pdf_sha256 or sha256(question.pdf).hexdigest()).encode())
    for each in dataclasses.fields(question):
        if each.name not in {"now_us", "pdf", "pdf_sha256"}:
            state.update(f"{each.name} ".encode() + _digest(getattr(question, each.name)))
    return state.digest()


def _digest(value: object) -> bytes:
    """The digest of a value and its type. Nothing is copied but text, once: values may have megabytes."""
    if isinstance(value, tuple):
        data: bytes = b"".join(map(_digest, value))
    elif isinstance(value, bytes):
        data = value
    else:
        data = (value if isinstance(value, str) else repr(value)).encode("utf-8", "surrogatepass")
    state = sha256(f"{type(value).__name__} {len(data)}\n".encode())
    state.update(data)
    return state.digest()
