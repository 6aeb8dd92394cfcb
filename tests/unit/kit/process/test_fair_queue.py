"""Turns between senders, and who has to go when the room is full."""

from dataclasses import dataclass

import pytest

from shuniu.kit.process.fair_queue import FairQueue, Room


@dataclass(eq=False)
class Sent:
    sender: str
    name: str
    size: int = 1


def queue(*items):
    made = FairQueue()
    for item in items:
        made.add(item)
    return made


def order(waiting):
    return [item.name for item in iter(waiting.next, None)]


def test_one_of_each_sender_in_turn():
    """Ten of one, then one of another and two of a third: nobody waits for all ten."""
    flood = [Sent("a", f"a{n}") for n in range(10)]
    found = order(queue(*flood, Sent("b", "b0"), Sent("c", "c0"), Sent("c", "c1")))
    assert found[:5] == ["a0", "b0", "c0", "a1", "c1"]
    assert found[5:] == [f"a{n}" for n in range(2, 10)]


def test_whoever_comes_back_stands_behind_the_others():
    """A sender whose lane ran empty gets no turn before those who waited meanwhile."""
    waiting = queue(Sent("a", "a0"), Sent("b", "b0"), Sent("b", "b1"))
    assert waiting.next().name == "a0"
    waiting.add(Sent("a", "a1"))
    assert order(waiting) == ["b0", "a1", "b1"]


def test_who_may_not_is_passed_over_and_keeps_his_turn():
    """A sender who has enough already lets the others by, and is first when he may again."""
    waiting = queue(Sent("a", "a0"), Sent("b", "b0"), Sent("b", "b1"))
    assert waiting.next(lambda item: item.sender != "a").name == "b0"
    assert waiting.next(lambda item: item.sender not in {"a", "b"}) is None
    assert ("a" in waiting, "c" in waiting) == (True, False)
    assert order(waiting) == ["a0", "b1"]


def test_whoever_leaves_is_counted_out():
    """Removed once, removed twice, removed after his turn: number and bytes stay right."""
    first, second = Sent("a", "a0", 5), Sent("a", "a1", 7)
    waiting = queue(first, second)
    waiting.remove(first)
    waiting.remove(first)
    assert (len(waiting), waiting.bytes) == (1, 7)
    assert waiting.next() is second
    waiting.remove(second)
    assert (len(waiting), waiting.bytes, waiting.next()) == (0, 0, None)


@pytest.mark.parametrize("room", [Room(4, 1000), Room(1000, 40)], ids=["count", "bytes"])
def test_the_flood_is_refused_and_not_who_comes_after_it(room):
    """Whoever holds the most of both queues loses his newest, by number or by bytes."""
    quick = queue(*(Sent("a", f"a{n}", 10) for n in range(3)))
    slow = queue(Sent("a", "heavy", 10))
    assert room.overfull(quick, slow) is None
    quick.add(Sent("b", "b0", 10))
    assert room.overfull(quick, slow).name == "a2"


def test_what_is_larger_than_all_room_is_refused_itself():
    """Alone in the queue and too large for it."""
    assert Room(4, 9).overfull(queue(Sent("a", "a0", 10))).name == "a0"
