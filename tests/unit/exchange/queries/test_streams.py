"""Places in a stream's window: taken by a question, given back by its answer."""

import asyncio
import contextlib

import pytest

from services.exchange.queries import streams
from services.exchange.queries.domain.breaker import FAILURES, Standing
from services.exchange.queries.streams import ProviderStreams, Stream
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit.errors import HubError

PATIENCE = 0.05


def _question(number: int) -> pb.ServeResponse:
    return pb.ServeResponse(call_id=f"c{number}", resource="records")


@pytest.fixture
def land() -> ProviderStreams:
    return ProviderStreams(0.02, PATIENCE)


def _open(land: ProviderStreams, window: int = 4) -> Stream:
    return land.open("ministry", frozenset({"records"}), window)


async def _refused(land: ProviderStreams, number: int, seconds: float = PATIENCE) -> str:
    with pytest.raises(HubError) as caught:
        await land.ask(_question(number), "ministry", seconds)
    return caught.value.reason


@contextlib.asynccontextmanager
async def _reading(stream: Stream):
    """Takes the stream's questions as a provider that never answers; yields those it has."""
    taken: list[pb.ServeResponse] = []

    async def read() -> None:
        async for question in stream.questions():
            taken.append(question)  # noqa: PERF401 — who awaits `taken` sees each one as it comes

    reading = asyncio.create_task(read())
    yield taken
    stream.end()
    await reading


async def test_a_hung_stream_does_not_look_idle(land: ProviderStreams) -> None:
    """Its timed-out questions keep their places: the next question goes to the stream that answers."""
    hung, sound = _open(land), _open(land)
    async with _reading(hung) as taken, _reading(sound) as answered:

        async def answer() -> None:
            async with asyncio.timeout(5):
                while not answered:
                    await asyncio.sleep(0)
            land.answered(sound, pb.ServeAnswer(call_id=answered[-1].call_id, result="OK"))

        assert await _refused(land, 1) == "PROVIDER_SLOW"
        assert [each.call_id for each in taken] == ["c1"]
        assert hung.load == 0.25
        asking = asyncio.create_task(land.ask(_question(2), "ministry", 5.0))
        await answer()
        assert (await asking).call_id == "c2"
        assert (len(taken), sound.load) == (1, 0.0)


async def test_a_stream_that_hangs_is_left_alone_and_told_apart_from_an_absent_one(land: ProviderStreams) -> None:
    """After some questions without an answer the asker is told at once; a late answer brings the stream back."""
    stream = _open(land)
    async with _reading(stream) as taken:
        for number in range(FAILURES):
            assert await _refused(land, number) == "PROVIDER_SLOW"
        assert await _refused(land, 9, seconds=5.0) == "PROVIDER_STALLED"
        assert len(taken) == FAILURES
        land.answered(stream, pb.ServeAnswer(call_id="c0", result="OK"))
        # What it owed from before its answer is not coming.
        assert stream.load == 0
        assert await _refused(land, 10) == "PROVIDER_SLOW"


async def test_an_asker_in_a_hurry_opens_no_breaker(land: ProviderStreams) -> None:
    """Less time than a provider has is no proof against it; the places are taken all the same, until all are owed."""
    stream = _open(land, window=6)
    now = asyncio.get_running_loop().time
    async with _reading(stream):
        for number in range(6):
            assert await _refused(land, number, seconds=0.001) == "PROVIDER_SLOW"
        assert (stream.load, stream.breaker.standing(now())) == (1.0, Standing.CLOSED)
        async with asyncio.timeout(5):
            while await _refused(land, 7, seconds=0.01) != "PROVIDER_STALLED":
                pass
        assert stream.breaker.standing(now()) is Standing.OPEN


async def test_a_trial_takes_the_place_of_the_oldest_and_an_answer_to_it_forgives_the_rest(
    land: ProviderStreams,
) -> None:
    """Never more than the window, also when it is tried again."""
    stream = _open(land, window=FAILURES)
    async with _reading(stream) as taken:
        for number in range(FAILURES):
            await _refused(land, number)
        stream.breaker.try_at = 0.0
        asking = asyncio.create_task(land.ask(_question(8), "ministry", 5.0))
        async with asyncio.timeout(5):
            while len(taken) <= FAILURES:
                await asyncio.sleep(0)
        assert stream.load == 1
        assert await _refused(land, 9, seconds=0.01) == "PROVIDER_STALLED"
        land.answered(stream, pb.ServeAnswer(call_id="c8", result="OK"))
        assert (await asking).call_id == "c8"
        assert stream.load == 0


async def test_what_was_not_sent_is_not_owed(land: ProviderStreams) -> None:
    """A question whose asker left before the provider read it gives its place back when the provider reads on."""
    stream = _open(land)
    await _refused(land, 1, seconds=0.001)
    assert stream.load == 0.25
    async with _reading(stream) as taken:
        async with asyncio.timeout(5):
            while stream.load:
                await asyncio.sleep(0)
        assert taken == []


async def test_waiting_and_streams_are_bounded(land: ProviderStreams, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when too many wait is told at once; a provider holds so many streams and no more."""
    monkeypatch.setattr(streams, "MOST_WAITING", 3)
    stream = _open(land, window=1)
    tasks = [asyncio.create_task(land.ask(_question(number), "ministry", 5.0)) for number in range(4)]
    await asyncio.sleep(0)
    assert await _refused(land, 5, seconds=5.0) == "PROVIDER_BUSY"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    monkeypatch.setattr(streams, "MOST_STREAMS", 1)
    with pytest.raises(HubError) as caught:
        _open(land)
    assert caught.value.reason == "TOO_MANY_STREAMS"
    land.close(stream)
    _open(land)


async def test_a_question_that_waited_here_does_not_count_against_the_provider(land: ProviderStreams) -> None:
    """What was left of its time was less than the provider has: a busy provider is no hung one."""
    stream, now = _open(land, window=1), asyncio.get_running_loop().time
    async with _reading(stream):
        for number in range(FAILURES + 1):
            held = asyncio.create_task(land.ask(_question(2 * number), "ministry", 5.0))
            await asyncio.sleep(0)
            waiting, until = asyncio.create_task(_refused(land, 2 * number + 1)), now() + PATIENCE / 2
            while now() < until:
                await asyncio.sleep(0)
            land.answered(stream, pb.ServeAnswer(call_id=f"c{2 * number}", result="OK"))
            await held
            assert await waiting == "PROVIDER_SLOW"
            assert stream.breaker.failures == 0
            land.answered(stream, pb.ServeAnswer(call_id=f"c{2 * number + 1}", result="OK"))


class Elsewhere:
    """Another replica: answers, or refuses with `refusal`."""

    def __init__(self, refusal: HubError | None = None) -> None:
        self.refusal = refusal
        self.asked: list[str] = []

    async def __call__(self, question: pb.ServeResponse, _provider: str, _deadline: float) -> pb.ServeAnswer:
        self.asked.append(question.call_id)
        if self.refusal is not None:
            raise self.refusal
        return pb.ServeAnswer(call_id=question.call_id, result="ELSEWHERE")


async def test_another_replica_is_asked_only_when_no_stream_here_works() -> None:
    """With a stream here, free or full, nobody looks elsewhere; one that hangs, or none, and the question goes there."""
    elsewhere = Elsewhere()
    land = ProviderStreams(0.02, PATIENCE, elsewhere)
    assert (await land.ask(_question(0), "ministry", 5.0)).result == "ELSEWHERE"
    stream = _open(land, window=1)
    async with _reading(stream):
        held = asyncio.create_task(land.ask(_question(1), "ministry", 5.0))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(land.ask(_question(2), "ministry", 5.0))
        await asyncio.sleep(0)
        for task, name in ((held, "c1"), (waiting, "c2")):
            land.answered(stream, pb.ServeAnswer(call_id=name, result="HERE"))
            assert (await task).result == "HERE"
            await asyncio.sleep(0)
        assert elsewhere.asked == ["c0"]
        stream.breaker.open(asyncio.get_running_loop().time())
        assert (await land.ask(_question(3), "ministry", 5.0)).result == "ELSEWHERE"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (streams.provider_away(), "PROVIDER_AWAY"),
        (streams.provider_stalled(), "PROVIDER_STALLED"),
        (streams.provider_busy(), "PROVIDER_BUSY"),
        (streams.provider_slow(), "PROVIDER_SLOW"),
    ],
)
async def test_what_another_replica_says_is_told(said: HubError, told: str) -> None:
    """The asker hears the refusal of the replica that holds the stream, in time."""
    elsewhere = Elsewhere(said)
    land = ProviderStreams(0.02, PATIENCE, elsewhere)
    assert await _refused(land, 1) == told
    assert "c1" in elsewhere.asked


async def test_a_stream_that_opens_while_another_replica_is_asked_is_seen() -> None:
    """What changed meanwhile is no reason to wait for the next change."""

    async def elsewhere(_question: pb.ServeResponse, _provider: str, _deadline: float) -> pb.ServeAnswer:
        opened.append(_open(land))
        raise streams.provider_away()

    opened: list[Stream] = []
    land = ProviderStreams(60.0, PATIENCE, elsewhere)
    asking = asyncio.create_task(land.ask(_question(1), "ministry", 60.0))
    async with asyncio.timeout(5):
        while not opened or not opened[0].load:
            await asyncio.sleep(0)
    land.answered(opened[0], pb.ServeAnswer(call_id="c1", result="OK"))
    assert (await asking).result == "OK"


async def test_a_forwarded_question_goes_no_further(land: ProviderStreams) -> None:
    """A replica that is asked by another neither waits for a provider nor asks a third one."""
    elsewhere = Elsewhere()
    land = ProviderStreams(60.0, PATIENCE, elsewhere)
    async with asyncio.timeout(5):
        with pytest.raises(HubError) as caught:
            await land.ask_here(_question(1), "ministry", 60.0)
    assert (caught.value.reason, elsewhere.asked) == ("PROVIDER_AWAY", [])


async def test_another_replica_is_not_asked_again_with_each_change_here() -> None:
    """While a provider is absent, what other providers answer here costs the one who waits for it nothing."""
    elsewhere = Elsewhere(streams.provider_away())
    land = ProviderStreams(60.0, PATIENCE, elsewhere)
    busy = land.open("bureau", frozenset({"others"}), 4)
    asking = asyncio.create_task(land.ask(_question(1), "ministry", 60.0))
    for _ in range(50):
        await asyncio.sleep(0)
        land.answered(busy, pb.ServeAnswer(call_id="none"))
    assert (elsewhere.asked, asking.done()) == (["c1"], False)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
