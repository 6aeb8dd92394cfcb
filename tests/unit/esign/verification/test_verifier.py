"""The workers that read foreign documents: turns, bounds, and what becomes of those who leave."""

import asyncio
import contextlib
import errno
import hashlib
import operator
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.esign import metrics
from services.esign.domain.verdict import Outcome, Verdict
from services.esign.verification.cache import VerdictCache
from services.esign.verification.workers import confined
from services.esign.verification.workers import verifier as verifier_module
from services.esign.verification.workers.confined import Worker, WorkerGoneError
from services.esign.verification.workers.verifier import Question, Verifier, VerifierFailedError
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.fair_queue import Room
from shuniu.kit.rpc import network
from shuniu.kit.testing import eventually

# Minutes of work in C, which nothing inside the worker ends.
HEAVY = (pow, 7, 10**9)
SLOW = "__import__('time').sleep(30)"
KILL = "__import__('os').kill(__import__('os').getpid(), 9)"
STOP = "__import__('os').kill(__import__('os').getpid(), 19)"
BY_PROCESSOR = "__import__('os').kill(__import__('os').getpid(), __import__('signal').SIGPROF)"
FULL = "(bytes(b'x' * (200 << 20)), __import__('os').abort())"


@contextlib.contextmanager
def sent_from(address: str) -> Iterator[None]:
    """What is started inside belongs to this sender."""
    network.set_current(address)
    try:
        yield
    finally:
        network.set_current("")


def sent(verifier: Verifier, address: str, reading: Callable[..., object], *arguments: object) -> asyncio.Task[object]:
    with sent_from(address):
        return asyncio.create_task(verifier.run(reading, *arguments))


async def failure(task: asyncio.Task[object]) -> BaseException | None:
    [found] = await asyncio.gather(task, return_exceptions=True)
    return found if isinstance(found, BaseException) else None


def hungry(verifier: Verifier) -> int:
    """Jobs that have a worker, which is on them."""
    return sum(worker.pid != 0 for worker in verifier._busy)


async def test_who_leaves_takes_his_document_with_him() -> None:
    """A caller sends what takes long and hangs up: his place is free at once, and the next one's document has all of
    its own time.
    """
    with Verifier(1.0, workers=1) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        leaving = asyncio.create_task(verifier.run(time.sleep, 30))
        await eventually(lambda: hungry(verifier) == 1)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert await verifier.run(operator.add, 1, 2) == 3
        assert not verifier._busy


async def test_who_leaves_the_queue_hurts_nobody() -> None:
    """Whoever waits and goes is passed over; who stands behind him is served, and every place is there afterwards."""
    with Verifier(1.0, workers=1) as verifier:
        first = sent(verifier, "", time.sleep, 0.2)
        leaving = [sent(verifier, "", time.sleep, 30) for _ in range(3)]
        last = sent(verifier, "", operator.add, 1, 2)
        await asyncio.sleep(0)
        for each in leaving:
            each.cancel()
        assert await last == 3
        await first
        # Also one that is called off in the very moment in which he gets his place.
        soon = sent(verifier, "", operator.add, 1, 2)
        await asyncio.sleep(0)
        soon.cancel()
        await asyncio.gather(soon, return_exceptions=True)
        assert await verifier.run(operator.add, 2, 2) == 4
        assert (verifier._free_quick, len(verifier._quick)) == (1, 0)


async def test_a_flood_of_one_sender_delays_no_other() -> None:
    """Ten documents of one sender, each of which eats its whole budget, and one of another who comes last: it is
    served before the flood is through, and so is one of the flood's own sender.
    """
    with Verifier(20.0, workers=2, cpu_seconds=0.3) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        ended: list[str] = []
        flood = [sent(verifier, "192.0.2.1", *HEAVY) for _ in range(10)]
        # The flood has both workers before anybody else comes.
        await eventually(lambda: hungry(verifier) >= 2)
        honest = [sent(verifier, "192.0.2.2", operator.add, n, 1) for n in range(5)]
        for name, tasks in (("flood", flood), ("honest", honest)):
            for task in tasks:
                task.add_done_callback(lambda _, name=name: ended.append(name))
        assert await asyncio.gather(*honest) == [1, 2, 3, 4, 5]
        assert ended.count("flood") < 5
        mine = sent(verifier, "192.0.2.1", operator.add, 1, 1)
        assert await mine == 2
        assert not all(task.done() for task in flood)
        assert {type(await failure(task)) for task in flood} == {VerifierFailedError}


async def test_heavy_ones_take_turns_too() -> None:
    """In the slow lane: the heavy document of one sender waits for one of another's, not for all of them."""
    with Verifier(20.0, workers=1, cpu_seconds=0.8) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        ended: list[str] = []
        flood = [sent(verifier, "192.0.2.1", *HEAVY) for _ in range(5)]
        await eventually(lambda: len(verifier._slow) >= 2)
        other = sent(verifier, "192.0.2.2", hashlib.pbkdf2_hmac, "sha256", b"", b"", 600_000)
        for name, task in (*(("flood", task) for task in flood), ("other", other)):
            task.add_done_callback(lambda _, name=name: ended.append(name))
        await asyncio.gather(*flood, other, return_exceptions=True)
        assert ended.index("other") < len(flood) - 1


async def test_more_than_there_is_room_for_is_refused() -> None:
    """By number and by bytes: RESOURCE_EXHAUSTED and what to do, said to whoever sent the most; the others wait on."""
    with Verifier(5.0, workers=1, room=Room(3, 1000)) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        busy = sent(verifier, "192.0.2.1", time.sleep, 30)
        await asyncio.sleep(0)
        flood = [sent(verifier, "192.0.2.1", len, b"x") for _ in range(4)]
        honest = sent(verifier, "192.0.2.2", len, b"four")
        large = sent(verifier, "192.0.2.3", len, bytes(1001))
        for task in (*flood[2:], large):
            refused = await failure(task)
            assert isinstance(refused, HubError)
            assert (refused.code, refused.reason) == (Code.RESOURCE_EXHAUSTED, "VERIFY_BUSY")
            assert "again" in refused.en
            assert "重新提交" in refused.zh
        assert not honest.done()
        busy.cancel()
        assert await honest == 4
        assert await asyncio.gather(*flood[:2]) == [1, 1]


@pytest.mark.parametrize("used_before", [False, True])
async def test_a_worker_that_dies_between_documents_costs_nobody_a_verdict(used_before) -> None:
    """Killed while it waits: the next document is read by another, and is not blamed."""
    with Verifier(5.0, workers=1) as verifier:
        for _ in range(1 + used_before):
            assert await verifier.run(operator.add, 1, 1) == 2
        for worker in verifier._idle:
            if worker.pid:
                os.kill(worker.pid, signal.SIGKILL)
        verifier._nursery._process.kill()
        verifier._nursery._process.wait()
        assert await verifier.run(operator.add, 1, 2) == 3


async def test_a_worker_that_somebody_kills_over_a_document_is_replaced() -> None:
    """In the middle: another one reads the document from its beginning."""
    with Verifier(30.0, workers=1) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        reading = asyncio.create_task(verifier.run(hashlib.pbkdf2_hmac, "sha256", b"", b"", 200_000))
        await eventually(lambda: hungry(verifier) == 1)
        [worker] = verifier._busy
        os.kill(worker.pid, signal.SIGKILL)
        assert await reading == hashlib.pbkdf2_hmac("sha256", b"", b"", 200_000)


@pytest.mark.parametrize(
    ("reading", "argument"),
    [(os._exit, 1), (eval, KILL), (eval, STOP), (time.sleep, 600)],
    ids=["ended", "killed", "stopped", "no processor"],
)
async def test_a_document_is_not_blamed_for_what_befell_its_workers(reading, argument) -> None:
    """Two have ended over it, or one got no processor: VERIFY_AWAY, and not that the document is too large; the next
    one is read.
    """
    with Verifier(1.0, workers=1) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        with pytest.raises(HubError) as refused:
            await verifier.run(reading, argument)
        assert (refused.value.code, refused.value.reason) == (Code.UNAVAILABLE, "VERIFY_AWAY")
        assert await verifier.run(operator.add, 1, 2) == 3


@pytest.mark.parametrize("how", [BY_PROCESSOR, FULL], ids=["processor", "memory"])
async def test_a_worker_that_its_own_bound_ended_says_so(how) -> None:
    """The kernel ended it for its processor time, or a library ended it for want of memory, before anybody looked: how
    it ended comes back, and it is the document that is given up.
    """
    with Verifier(30.0, workers=1) as verifier:
        with pytest.raises(VerifierFailedError):
            await verifier.run(eval, how)
        assert await verifier.run(operator.add, 1, 2) == 3


async def test_a_document_that_crashes_every_worker_is_given_up() -> None:
    """Twice by a fault of the worker's own: it is the document; once only, and it is read again."""
    with Verifier(30.0, workers=1) as verifier:
        with pytest.raises(VerifierFailedError, match="SIGSEGV"):
            await verifier.run(eval, KILL.replace(", 9)", ", 11)"))
        assert await verifier.run(operator.add, 1, 2) == 3


async def test_how_a_worker_ended_is_heard_though_it_is_seen_first(monkeypatch) -> None:
    """It is gone when it is looked at, and the word how is still on its way: that word counts."""
    monkeypatch.setattr(verifier_module, "_LOOK_SECONDS", 0)
    watched = confined.Worker.cpu_seconds

    def gone(worker):
        if Path(f"/proc/{worker.pid}").exists():
            return watched(worker)
        raise WorkerGoneError("ended")

    monkeypatch.setattr(confined.Worker, "cpu_seconds", gone)
    with Verifier(30.0, workers=1) as verifier:
        for _ in range(5):
            with pytest.raises(VerifierFailedError):
                await verifier.run(eval, BY_PROCESSOR)


async def test_what_only_helps_may_be_refused(monkeypatch) -> None:
    """No worker can be made to let others go first, none has a handle: documents are read all the same."""

    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", refused)
    monkeypatch.setattr(os, "pidfd_open", refused)
    with Verifier(30.0, workers=1) as verifier:
        assert len(await verifier.run(hashlib.pbkdf2_hmac, "sha256", b"", b"", 200_000)) == 32
        assert await verifier.run(operator.add, 1, 2) == 3


async def test_without_a_renderer_documents_are_read(monkeypatch) -> None:
    """A module that only some documents need cannot be loaded: the service reads the others, and its metrics say so
    until a worker has it.
    """
    for optional, absent in ((("services.esign.nowhere",), 1), (("services.esign.events",), 0)):
        monkeypatch.setattr(verifier_module, "_OPTIONAL", optional)
        with Verifier(10.0, workers=1) as verifier:
            assert await verifier.run(operator.add, 1, 2) == 3
            assert metrics.RENDERER_ABSENT._value.get() == absent


async def test_a_stopped_worker_is_ended_without_a_handle(monkeypatch) -> None:
    """It would not see that its channel is closed: who forked it kills it."""

    def refused(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "pidfd_open", refused)
    with Verifier(1.0, workers=1) as verifier:
        pid = await verifier.run(os.getpid)
        reading = asyncio.create_task(verifier.run(eval, STOP))
        await eventually(lambda: hungry(verifier) == 1)
        assert [worker.pid for worker in verifier._busy] == [pid]
        refused = await failure(reading)
        assert isinstance(refused, HubError)
        assert refused.reason == "VERIFY_AWAY"
        await eventually(lambda: not Path(f"/proc/{pid}").exists())
        assert await verifier.run(operator.add, 1, 2) == 3


async def test_a_service_that_was_stopped_blames_no_document(monkeypatch) -> None:
    """The answer came while the service did not run, later than it would have waited: it is given."""
    monkeypatch.setattr(confined, "_MOST_OF_A_LOOK", 0.05)
    with Verifier(0.5, workers=1, cpu_seconds=60.0) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        reading = asyncio.create_task(verifier.run(hashlib.pbkdf2_hmac, "sha256", b"", b"", 3_000_000))
        await eventually(lambda: any(worker.pid and worker.cpu_seconds() > 0.05 for worker in verifier._busy))
        [worker] = verifier._busy
        # The event loop stands still until the answer is there.
        answered = select.poll()
        answered.register(worker.channel, select.POLLIN)
        assert answered.poll(60_000)
        assert len(await reading) == 32


def test_patience_does_not_run_out_while_nobody_looks(monkeypatch) -> None:
    """An hour in which the process was stopped is one look; looks that follow each other count as long as they take."""
    now = 0.0
    monkeypatch.setattr(confined.time, "monotonic", lambda: now)
    patience = confined.Patience(2.0)
    now = 3600.0
    assert not patience.is_over()
    for _ in range(3):
        now += 0.4
        assert not patience.is_over()
    now += 0.4
    assert patience.is_over()


async def test_what_a_document_takes_is_given_back() -> None:
    """A worker that holds a large document's memory is replaced; its process is not the next document's."""
    with Verifier(30.0, workers=1) as verifier:
        before = await verifier.run(os.getpid)
        assert await verifier.run(os.getpid) == before
        # Kept by the interpreter, as a module's cache would be.
        await verifier.run(exec, "import sys; sys.kept = b'x' * (100 << 20)")
        assert await verifier.run(os.getpid) != before


async def test_a_verdict_is_given_up_when_the_last_of_those_who_wait_leaves() -> None:
    """Three ask the same: one leaves, the others wait on; all have left: the reading ends, its worker with it, and
    whoever asks then is judged anew.
    """

    class Slow:
        asked = 0

        async def judge(self, question: Question) -> Verdict:
            self.asked += 1
            return await verifier.run(eval, SLOW)

    with Verifier(30.0, workers=1) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        judge = Slow()
        cache = VerdictCache(judge)
        question = Question(b"%PDF-1.7", b"", (), 0, None, None)
        first, second, third = (asyncio.create_task(cache.judge(question)) for _ in range(3))
        await eventually(lambda: hungry(verifier) == 1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (judge.asked, hungry(verifier)) == (1, 1)
        second.cancel()
        third.cancel()
        await asyncio.gather(second, third, return_exceptions=True)
        await eventually(lambda: not verifier._busy)
        again = asyncio.create_task(cache.judge(question))
        await eventually(lambda: judge.asked == 2)
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)


async def test_whoever_has_a_heavy_document_leaves_a_worker_to_the_others() -> None:
    """While one of his is in the slow lane, a sender has one worker of two for his other documents."""
    with Verifier(20.0, workers=2, cpu_seconds=5.0) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        flood = [sent(verifier, "192.0.2.1", *HEAVY) for _ in range(2)]
        await eventually(lambda: verifier._free_slow == 0)
        sleeping = [sent(verifier, "192.0.2.1", time.sleep, 30) for _ in range(4)]
        await eventually(lambda: verifier._free_quick == 1 and len(verifier._slow) == 1)
        assert await sent(verifier, "192.0.2.2", operator.add, 1, 2) == 3
        assert verifier._free_quick == 1
        for task in (*flood, *sleeping):
            task.cancel()
        await asyncio.gather(*flood, *sleeping, return_exceptions=True)


async def test_the_end_ends_everybody() -> None:
    """Whoever waits when the service stops hears so, and no worker is left."""
    with Verifier(30.0, workers=1) as verifier:
        pid = await verifier.run(os.getpid)
        tasks = [sent(verifier, "", time.sleep, 30) for _ in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)
    await eventually(lambda: not Path(f"/proc/{pid}").exists())


async def test_the_end_ends_who_was_born_that_moment(monkeypatch) -> None:
    """The service closes after a worker is there and before that is known: its channel is closed too."""
    delivered = Verifier._delivered
    told: list[Worker] = []

    def closed_before(self, worker, birth):
        self.close()
        delivered(self, worker, birth)
        told.append(worker)

    monkeypatch.setattr(Verifier, "_delivered", closed_before)
    with Verifier(30.0, workers=1):
        await eventually(lambda: bool(told))
    assert told[0].pid
    assert all(worker.channel.fileno() == -1 for worker in told)


async def test_a_service_with_thousands_of_descriptors_reads_on() -> None:
    """A worker whose socket has a number above 1024 is one like any other."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= 2048
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    try:
        held += [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
        with Verifier(10.0, workers=1) as verifier:
            assert [await verifier.run(operator.add, n, 1) for n in range(4)] == [1, 2, 3, 4]
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_worker_that_somebody_kills_late_is_replaced_too() -> None:
    """After more than half a second's work: the document is read once more, and is not blamed."""
    with Verifier(30.0, workers=1, cpu_seconds=10.0) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        reading = asyncio.create_task(verifier.run(hashlib.pbkdf2_hmac, "sha256", b"", b"", 9_000_000))
        await eventually(lambda: any(worker.pid and worker.cpu_seconds() > 0.6 for worker in verifier._busy))
        [worker] = verifier._busy
        os.kill(worker.pid, signal.SIGKILL)
        assert len(await reading) == 32


async def test_nobody_waits_in_the_place_of_a_flooder() -> None:
    """One sender queues many heavy documents and then one that everybody has; whoever else sends that one is answered
    in his own turn, is not refused with the flooder, and his verdict is the flooder's too.
    """

    class Reads:
        async def judge(self, question: Question) -> Verdict:
            if question.pdf.startswith(b"heavy"):
                return await verifier.run(eval, SLOW)
            return await verifier.run(Verdict, Outcome.INVALID, 7, ())

    def ask(address: str, pdf: bytes) -> asyncio.Task[Verdict]:
        with sent_from(address):
            return asyncio.create_task(cache.judge(Question(pdf, b"", (), 0, None, None)))

    with Verifier(60.0, workers=2, room=Room(8, 1 << 20)) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        cache = VerdictCache(Reads())
        flood = [ask("192.0.2.1", b"heavy%d" % n) for n in range(4)]
        await eventually(lambda: len(verifier._running) == 2)
        same = ask("192.0.2.1", b"known")
        await eventually(lambda: len(verifier._quick) == 3)
        honest = ask("192.0.2.2", b"known")
        await eventually(lambda: len(verifier._quick) == 4)
        # The flooder's own are thrown out with what he sends beyond the room, the shared one among them.
        flood += [ask("192.0.2.1", b"heavier%d" % n) for n in range(9)]
        await eventually(lambda: any(task.done() for task in flood))
        assert not honest.done()
        flood[0].cancel()
        flood[1].cancel()
        found = await asyncio.wait_for(honest, 30)
        assert found.outcome is Outcome.INVALID
        await eventually(same.done)
        if not same.cancelled() and same.exception() is None:
            assert same.result() is found
        for task in (*flood, same):
            task.cancel()
        await asyncio.gather(*flood, same, return_exceptions=True)
        await eventually(lambda: not cache._under_way)
