"""A document that is sent again gets the verdict it had, as long as everything it was judged by is the same."""

import asyncio
import dataclasses
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from services.esign import metrics
from services.esign.domain.verdict import Verdict
from services.esign.verifier import Question

# Some 10 MB of verdicts.
_KEPT = 2048
# Certificates begin and end at instants: a verdict speaks for its `as_of`, and for no more than this after it.
_FRESH_US = 60 * 1_000_000


class Judge(Protocol):
    async def judge(self, question: Question) -> Verdict: ...


@dataclass(eq=False, slots=True)
class _UnderWay:
    """A judgement that some callers wait for."""

    task: asyncio.Task[Verdict]
    waiting: int = 0


class VerdictCache:
    """Verdicts by the digest of all that a judge is told: the bytes, the receipt with its checkpoint, the state of seal
    and document, what is trusted. Any change of these is another question. The same question asked twice at once is
    judged once.
    """

    def __init__(self, verifier: Judge) -> None:
        self._verifier = verifier
        self._kept: OrderedDict[bytes, tuple[int, Verdict]] = OrderedDict()
        self._under_way: dict[bytes, _UnderWay] = {}

    async def judge(self, question: Question) -> Verdict:
        """As `Verifier.judge`. A failure is not kept."""
        key = await asyncio.to_thread(_key, question)
        judged_us, verdict = self._kept.get(key, (0, None))
        if verdict is not None and 0 <= question.now_us - judged_us < _FRESH_US:
            self._kept.move_to_end(key)
            metrics.VERDICTS_REPEATED.inc()
            return verdict
        mine = self._under_way.get(key)
        if mine is None:
            task = asyncio.create_task(self._judge(key, question), name="verdict")
            mine = self._under_way[key] = _UnderWay(task)
            task.add_done_callback(lambda done: self._over(key, done))
        mine.waiting += 1
        try:
            # A caller who leaves must not take the verdict from the others who wait for it.
            return await asyncio.shield(mine.task)
        finally:
            mine.waiting -= 1
            if not mine.waiting and not mine.task.done():
                # The last one has left: nobody pays for a verdict that nobody wants.
                mine.task.cancel()
                self._over(key, mine.task)

    def _over(self, key: bytes, task: asyncio.Task[Verdict]) -> None:
        """Whoever asks from now on is judged anew; the next judgement of the same may be under way already."""
        mine = self._under_way.get(key)
        if mine is not None and mine.task is task:
            del self._under_way[key]

    async def _judge(self, key: bytes, question: Question) -> Verdict:
        verdict = await self._verifier.judge(question)
        self._kept[key] = (question.now_us, verdict)
        self._kept.move_to_end(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return verdict


def _key(question: Question) -> bytes:
    """Over every field but the time, whatever fields there are."""
    state = sha256()
    for each in dataclasses.fields(question):
        if each.name == "now_us":
            continue
        value = getattr(question, each.name)
        data = value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogatepass")
        state.update(f"{each.name} {type(value).__name__} {len(data)}\n".encode())
        state.update(data)
    return state.digest()
