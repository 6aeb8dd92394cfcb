"""A queue in turns: one of each sender, then the next of each, however many one of them sent."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """An entry of a queue. `size`: bytes that it keeps in memory."""

    @property
    def sender(self) -> str: ...

    @property
    def size(self) -> int: ...


Item = TypeVar("Item", bound=Waiting)


class FairQueue(Generic[Item]):
    """First come, first served among what one sender sent; round-robin between senders."""

    def __init__(self) -> None:
        # In the order of turns.
        self._lanes: dict[str, deque[Item]] = {}
        self._count = 0
        self._bytes = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, sender: object) -> bool:
        """True while anything of this sender waits."""
        return sender in self._lanes

    @property
    def bytes(self) -> int:
        return self._bytes

    def count_of(self, sender: str) -> int:
        """Counts those of one sender that wait."""
        return len(self._lanes.get(sender, ()))

    def add(self, item: Item) -> None:
        self._lanes.setdefault(item.sender, deque()).append(item)
        self._counted(item, 1)

    def first(self, may: Callable[[Item], bool] = lambda _item: True) -> Item | None:
        """Picks the next entry: the first one of a sender, where it `may` go."""
        return next((lane[0] for lane in self._lanes.values() if may(lane[0])), None)

    def next(self, may: Callable[[Item], bool] = lambda _item: True) -> Item | None:
        """Takes `first`; that sender's next one waits until all others have had theirs."""
        item = self.first(may)
        if item is not None:
            lane = self._lanes.pop(item.sender)
            lane.popleft()
            if lane:
                self._lanes[item.sender] = lane
            self._counted(item, -1)
        return item

    def remove(self, item: Item) -> None:
        """Takes this one out, when it is there."""
        lane = self._lanes.get(item.sender)
        if lane is None or item not in lane:
            return
        lane.remove(item)
        if not lane:
            del self._lanes[item.sender]
        self._counted(item, -1)

    def shares(self) -> Iterator["Share"]:
        for sender, lane in self._lanes.items():
            yield Share(sender, len(lane), sum(item.size for item in lane))

    def last_of(self, sender: str) -> Item | None:
        """The newest of this sender."""
        lane = self._lanes.get(sender)
        return lane[-1] if lane else None

    def _counted(self, item: Item, sign: int) -> None:
        self._count += sign
        self._bytes += sign * item.size


@dataclass(frozen=True, slots=True)
class Share:
    """The share of a queue that one sender holds."""

    sender: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Room:
    """The most that may wait in queues together."""

    count: int
    bytes: int

    def overfull(self, *queues: FairQueue[Item]) -> Item | None:
        """Picks what goes when more waits than there is room for: the newest of the sender who holds the most of it.

        So the sender of a flood is rejected, not those who come after it.
        """
        if sum(map(len, queues)) <= self.count and sum(queue.bytes for queue in queues) <= self.bytes:
            return None
        held: dict[str, float] = {}
        for queue in queues:
            for share in queue.shares():
                part = max(share.count / self.count, share.bytes / self.bytes)
                held[share.sender] = held.get(share.sender, 0.0) + part
        largest = max(held, key=lambda sender: held[sender])
        return next(item for queue in queues if (item := queue.last_of(largest)) is not None)
