"""The cache of verdicts: cheap for what is the same, blind to nothing that changed."""

import asyncio
import dataclasses
import random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.domain.verdict import Outcome, Status, Step, Verdict
from services.esign.ledger.domain import ledger
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain.life import SealState
from services.esign.verification import cache as verdict_cache
from services.esign.verification.cache import VerdictCache
from services.esign.verification.domain.verify import Known
from services.esign.verification.workers.verifier import Question, VerifierFailedError, answer
from shuniu.kit.rpc import network
from shuniu.kit.rpc.network import sender
from shuniu.kit.testing import eventually
from tests.support.esign import NOW_US, sealed, setting
from tests.support.witnesses import LOG, entries

MINUTE = 60 * 1_000_000


class Counting:
    """Judges here and now, and counts."""

    def __init__(self):
        self.asked = 0
        self.fails = False

    async def judge(self, question):
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise VerifierFailedError("TimeoutError")
        return answer(question)


def question(**changes):
    root = setting().root.certificate.public_bytes(Encoding.PEM)
    return dataclasses.replace(Question(sealed(), root, (LOG.verifier.vkey,), NOW_US + MINUTE, None, None), **changes)


def receipt(size):
    """Of some entry, under a head of that size."""
    data = entries(0, size)
    head = ledger.Checkpoint(LOG.verifier.name, size, ledger.root_of(data))
    return ledger.Receipt(data[0], 0, (), ledger.sign_checkpoint(head, LOG)).text


async def test_the_same_question_is_judged_once():
    """Again, and eight times at once: one judgement, one verdict."""
    judge = Counting()
    cache = VerdictCache(judge)
    found = await asyncio.gather(*(cache.judge(question()) for _ in range(8)))
    again = await cache.judge(question(now_us=NOW_US + MINUTE + 1))
    assert (judge.asked, len({id(each) for each in [*found, again]})) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"pdf": sealed() + b"\n"},
        {"receipt": receipt(1)},
        {"receipt": receipt(2)},
        {"roots_pem": b""},
        {"vkeys": ()},
        {"witness_vkeys": ("w+00000000+AA",)},
        {"known": Known(CertificateState.VALID, SealState.ACTIVE, SealState.ACTIVE)},
        {"known": Known(CertificateState.REVOKED, SealState.ACTIVE, SealState.ACTIVE)},
        {"known": Known(CertificateState.VALID, SealState.ACTIVE, SealState.SUSPENDED)},
        {"ses": b"x"},
        {"sm_pem": b"x"},
        {"tsa_pem": b"x"},
        {"now_us": NOW_US + 2 * MINUTE},
        {"now_us": NOW_US + MINUTE - 1},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_any_change_is_another_question(change):
    """Bytes, receipt and its head, trust, state of seal or document, a minute gone: judged anew."""
    asked = []

    class Listening:
        async def judge(self, question):
            asked.append(question)
            return answer(dataclasses.replace(question, witness_vkeys=(), ses=b"", tsa_pem=b""))

    cache = VerdictCache(Listening())
    await cache.judge(question())
    await cache.judge(question(**change))
    assert len(asked) == 2


async def test_cached_is_fresh():
    """Whatever is asked, in whatever order: what the cache answers is what judging now gives, but for the second."""
    chance = random.Random(7)
    cache = VerdictCache(Counting())
    states = (CertificateState.VALID, CertificateState.REVOKED)
    for _ in range(60):
        asked = question(
            pdf=chance.choice((sealed(), sealed()[:-1], b"%PDF-1.7", sealed().replace(b"%%EOF", b"%%EOG"))),
            receipt=chance.choice((None, receipt(1))),
            known=chance.choice((None, *(Known(one, SealState.ACTIVE, SealState.ACTIVE) for one in states))),
            now_us=NOW_US + MINUTE + chance.randrange(50_000_000),
        )
        found, fresh = await cache.judge(asked), answer(asked)
        assert (found.outcome, found.steps, found.readable) == (fresh.outcome, fresh.steps, fresh.readable)
        assert abs(found.as_of_us - fresh.as_of_us) < MINUTE


async def test_a_failure_is_not_kept():
    """What was too much a moment ago may be judged now."""
    judge = Counting()
    judge.fails = True
    cache = VerdictCache(judge)
    for _ in range(2):
        with pytest.raises(VerifierFailedError):
            await cache.judge(question())
    judge.fails = False
    await cache.judge(question())
    assert judge.asked == 3


class Saying:
    """Says a verdict with so much text, each its own."""

    def __init__(self, size):
        self.size = size
        self.asked = 0

    async def judge(self, question):
        self.asked += 1
        text = f"{self.asked} ".ljust(self.size, "x")
        return Verdict(Outcome.INVALID, question.now_us, (Step("parse", Status.INVALID, "SYNTAX", text, text),))


async def test_what_is_kept_has_an_end_in_bytes():
    """A thousand long verdicts take no more than a few: the oldest go. One that is too long is not kept at all."""
    judge = Saying(8_000)
    cache = VerdictCache(judge)
    for n in range(1000):
        await cache.judge(question(pdf=b"%d" % n))
    assert 0 < len(cache._kept) * 8_000 <= cache._kept_bytes <= verdict_cache._KEPT_BYTES
    await cache.judge(question(pdf=b"999"))
    assert judge.asked == 1000
    await cache.judge(question(pdf=b"0"))
    assert judge.asked == 1001
    judge.size = 1_000_000
    for _ in range(2):
        await cache.judge(question(pdf=b"long"))
    assert judge.asked == 1003


async def test_what_nobody_gets_any_more_is_not_kept():
    """A verdict is dropped when its minute is over, and when the clock was set back behind it."""
    cache = VerdictCache(Saying(10))
    for n in range(5):
        await cache.judge(question(pdf=b"%d" % n))
    for moved in (2 * MINUTE, -2 * MINUTE):
        await cache.judge(question(pdf=b"new %d" % moved, now_us=NOW_US + 5 * MINUTE + moved))
        assert len(cache._kept) == 1


async def test_the_first_verdict_is_everybodys_and_a_failure_is_ones_own():
    """Two senders ask the same: each waits in his own turn, and whoever is judged first answers both, whoever that is.
    Where one is refused, the other is judged.
    """
    addresses = ("192.0.2.1", "192.0.2.2")
    waiting = {}

    class Turns:
        async def judge(self, question):
            mine = waiting[sender()] = asyncio.get_running_loop().create_future()
            return await mine

    verdict = await Saying(1).judge(question())
    for first, other in (addresses, addresses[::-1]):
        for refused in (False, True):
            waiting.clear()
            cache = VerdictCache(Turns())
            tasks = {}
            for address in addresses:
                network.set_current(address)
                tasks[address] = asyncio.create_task(cache.judge(question()))
            network.set_current("")
            await eventually(lambda: len(waiting) == 2)
            if refused:
                waiting[other].set_exception(VerifierFailedError("TimeoutError"))
                with pytest.raises(VerifierFailedError):
                    await tasks[other]
            waiting[first].set_result(verdict)
            assert await tasks[first] is verdict
            if not refused:
                assert await tasks[other] is verdict
                await eventually(waiting[other].cancelled)
            assert not cache._under_way


async def test_nobody_joins_a_judgement_for_another_time():
    """The clock is set while a verdict is under way: whoever asks then is judged for the time that it is, and gets no
    verdict of the other.
    """
    waiting = {}

    class Turns:
        async def judge(self, question):
            mine = waiting[question.now_us] = asyncio.get_running_loop().create_future()
            return await mine

    cache = VerdictCache(Turns())
    times = (NOW_US + 60 * MINUTE, NOW_US, NOW_US + 1)
    tasks = []
    for now_us in times:
        tasks.append(asyncio.create_task(cache.judge(question(now_us=now_us))))
        await eventually(lambda: len(waiting) == min(len(tasks), 2))
    await eventually(lambda: sum(each.waiting for by in cache._under_way.values() for each in by.values()) == 2)
    for now_us, future in waiting.items():
        future.set_result(Verdict(Outcome.INVALID, now_us, ()))
    assert [(await task).as_of_us for task in tasks] == [times[0], NOW_US, NOW_US]
    await eventually(lambda: not cache._under_way)
