"""The hub as a client of its witnesses (C2SP tlog-witness): each new head is offered, cosignatures are collected.

Nothing waits for a witness: documents are released under the hub's own checkpoint, and the cosignatures follow. A
witness that has seen another history than this log's is the alarm this module exists for.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import httpx

from services.esign import metrics
from services.esign.domain.errors import EsignError
from services.esign.ledger.domain import ledger, witness
from services.esign.ledger.domain.ledger import Checkpoint
from services.esign.ledger.domain.witness import Cosignature, Policy, WitnessKey
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.witness_sites import WitnessSite
from shuniu.kit.process.metrics import from_the_start

# Far above a cosignature line; a witness that sends more is not believed.
MAX_ANSWER = 64 * 1024
# Heads whose late cosignatures are still worth adding: some seconds of batches.
_HEADS_KEPT = 64
_LONGEST_PAUSE_S = 60.0


@dataclass(slots=True)
class _Standing:
    """The state of one witness."""

    site: WitnessSite
    size: int = 0
    due_s: float = 0.0
    failures: int = 0
    problem: str = ""
    asking: "asyncio.Task[None] | None" = None
    last: str = ""


class _RefusedError(Exception):
    """A witness did not cosign. `reason` is stable and goes into the metric."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Cosigning:
    """Offers every new head to all witnesses and publishes it with what they sign."""

    def __init__(
        self,
        log: Sequencer,
        sites: Sequence[WitnessSite],
        least: int,
        *,
        round_s: float = 1.0,
        patience_s: float = 5.0,
    ) -> None:
        """`least` witnesses make a head witnessed; a round waits `round_s` for slow ones, a request `patience_s`.

        Raises ValueError when there are fewer witnesses than that.
        """
        self._log = log
        from_the_start(
            metrics.WITNESS_REFUSALS,
            witness=[site.key.name for site in sites],
            reason=("LEDGER_FORKED", "LEDGER_ROLLED_BACK"),
        )
        self._standings = [_Standing(site) for site in sites]
        self.policy = Policy.k_of_n([site.key for site in sites], least)
        self._round_s = round_s
        self._patience_s = patience_s
        self._heads: OrderedDict[str, dict[WitnessKey, Cosignature]] = OrderedDict()

    @property
    def problems(self) -> dict[str, str]:
        """Witness name → what is wrong with it or, where it says so, with this log."""
        return {s.site.key.name: s.problem for s in self._standings if s.problem}

    def facts(self) -> dict[str, str]:
        """For `shuniu status`."""
        if not self._standings:
            return {"cosignatures": "no witnesses configured"}
        head = ledger.stated_head(self._log.checkpoint_text)
        text = self._log.witnessed_text
        size = ledger.stated_size(text)
        count = f"{len(self._heads.get(head.text, {}))} of {len(self._standings)} witnesses"
        state = "complete" if size == head.size else "cosignatures pending"
        found = {"cosignatures": f"{state}: {count} at {head.size}; quorum of {self._least} at {size}"}
        return found | {f"witness {name}": problem for name, problem in self.problems.items()}

    @property
    def _least(self) -> int:
        return self.policy.quorum.least

    async def follow(self) -> None:
        """Runs until cancelled."""
        if not self._standings:
            await asyncio.Event().wait()
        async with httpx.AsyncClient(timeout=self._patience_s) as client:
            try:
                while True:
                    text = self._log.checkpoint_text
                    head = ledger.stated_head(text)
                    if head.size:
                        await self._round(partial(self._ask, client, text, head), head)
                    await self._pause(head)
            finally:
                for standing in self._standings:
                    if standing.asking is not None:
                        standing.asking.cancel()

    async def _round(self, ask: Callable[[_Standing], Awaitable[None]], head: Checkpoint) -> None:
        now_s = asyncio.get_running_loop().time()
        for standing in self._standings:
            if standing.asking is not None and standing.asking.done():
                standing.asking = None
            if standing.asking is None and standing.due_s <= now_s and standing.last != head.text:
                standing.asking = asyncio.create_task(self._attempt(ask, standing), name="witness")
        running = [s.asking for s in self._standings if s.asking is not None]
        if running:
            await asyncio.wait(running, timeout=self._round_s)

    async def _pause(self, head: Checkpoint) -> None:
        """Until the log grows or a witness is to be asked again."""
        # A head cosigned by all needs no clock; else look again soon, which costs nothing where nothing is due.
        waiting = all(standing.last == head.text for standing in self._standings)
        try:
            async with asyncio.timeout(None if waiting else min(self._round_s, 0.25)):
                await self._log.grown(head.text)
        except TimeoutError:
            return

    async def _attempt(self, ask: Callable[[_Standing], Awaitable[None]], standing: _Standing) -> None:
        name = standing.site.key.name
        try:
            await ask(standing)
        except (_RefusedError, httpx.HTTPError, EsignError, OSError, ValueError) as error:
            reason = error.reason if isinstance(error, _RefusedError | EsignError) else "WITNESS_AWAY"
            standing.problem = f"{reason}: {error or type(error).__name__}"
            standing.failures += 1
            pause_s = min(_LONGEST_PAUSE_S, 0.25 * 2 ** min(standing.failures, 10))
            standing.due_s = asyncio.get_running_loop().time() + pause_s
            metrics.WITNESS_REFUSALS.labels(name, reason).inc()
        else:
            standing.problem, standing.failures, standing.due_s = "", 0, 0.0

    async def _ask(self, client: httpx.AsyncClient, text: str, head: Checkpoint, standing: _Standing) -> None:
        # Twice: a witness is asked from size 0 until it has said where it stands.
        for _ in range(2):
            if standing.size > head.size:
                return
            proof = await self._log.consistency(standing.size, head.size) if standing.size else []
            body = witness.add_checkpoint(standing.size, proof, text)
            answer = await client.post(f"{standing.site.url}/add-checkpoint", content=body.encode())
            if len(answer.content) > MAX_ANSWER:
                raise _RefusedError("WITNESS_ANSWER", "the answer is too long")
            if answer.status_code == httpx.codes.OK:
                await self._cosigned(text, head, standing, answer.content.decode())
                return
            if answer.status_code != httpx.codes.CONFLICT:
                raise _refusal(answer.status_code)
            standing.size = self._stated(witness.conflict_size(answer.content.decode()))
        raise _RefusedError("WITNESS_UNSTEADY", "it states another size each time")

    def _stated(self, size: int) -> int:
        now = ledger.stated_size(self._log.checkpoint_text)
        if size > now:
            raise _RefusedError("LEDGER_ROLLED_BACK", f"the witness has cosigned {size} entries, the log has {now}")
        return size

    async def _cosigned(self, text: str, head: Checkpoint, standing: _Standing, answer: str) -> None:
        key = standing.site.key
        found = witness.cosignatures(text + answer, [key])
        if not found:
            raise _RefusedError("WITNESS_ANSWER", "no cosignature by the key configured for it")
        standing.size, standing.last = head.size, head.text
        lines = self._heads.setdefault(head.text, {})
        lines[key] = found[0]
        while len(self._heads) > _HEADS_KEPT:
            self._heads.popitem(last=False)
        # Others may cosign while this is being published: what counts is who stands under this very text.
        here = dict(lines)
        note_text = witness.with_cosignatures(text, here.values())
        await self._log.publish(note_text)
        if self.policy.quorum.met_by(here) and not self._surpassed(head.size):
            await self._log.keep_witnessed(note_text)

    def _surpassed(self, size: int) -> bool:
        return ledger.stated_size(self._log.witnessed_text) > size


def _refusal(status: int) -> _RefusedError:
    if status == httpx.codes.UNPROCESSABLE_ENTITY:
        return _RefusedError("LEDGER_FORKED", "the witness cosigned another history of this log")
    if status == httpx.codes.NOT_FOUND:
        return _RefusedError("LOG_UNKNOWN", "the witness does not watch this log")
    if status == httpx.codes.FORBIDDEN:
        return _RefusedError("LOG_KEY_UNKNOWN", "the witness does not know this log's key")
    return _RefusedError("WITNESS_AWAY", f"HTTP {status}")
