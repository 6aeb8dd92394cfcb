"""Sessions with devices: what may happen beside each other, and what is not tried again."""

import threading
from dataclasses import dataclass

import pytest

from shuniu.kit.crypto import device_pool
from shuniu.kit.crypto.device import KeyAwayError, KeyRefusedError
from shuniu.kit.crypto.device_pool import DeviceError, Gate, Pool, Trouble


@dataclass
class Talk:
    generation: int
    closed: bool = False

    def close(self) -> None:
        self.closed = True


class OfKindError(DeviceError):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.name)
        self.trouble = trouble


def pool(gate: Gate, most: int = 2) -> Pool[Talk]:
    return Pool(gate, lambda: Talk(gate.generation), lambda: None, most)


def test_a_call_that_hangs_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch):
    """While one thread hangs in a library, starting it anew is given up, and other sessions go on."""
    monkeypatch.setattr(device_pool, "_PATIENCE", 0.05)
    gate, entered, leave = Gate(), threading.Event(), threading.Event()
    sessions = pool(gate)

    def hang(_: Talk) -> None:
        entered.set()
        leave.wait(10)

    hanging = threading.Thread(target=sessions.run, args=(hang,))
    hanging.start()
    entered.wait(10)
    gate.restart(gate.generation, lambda: pytest.fail("a call was running"))
    assert sessions.run(lambda talk: talk.generation) == 0
    leave.set()
    hanging.join()
    gate.restart(gate.generation, lambda: None)
    assert sessions.run(lambda talk: talk.generation) == 1


@pytest.mark.parametrize(
    ("trouble", "error", "tries"),
    [(Trouble.LOST, KeyAwayError, 3), (Trouble.PASSWORD, KeyAwayError, 1), (Trouble.UNABLE, KeyRefusedError, 1)],
)
def test_only_what_may_be_a_loss_is_tried_again(trouble: Trouble, error: type[Exception], tries: int):
    """A lost session three times, a refused password and an unknown mechanism once; no session of it is used again."""
    seen: list[Talk] = []

    def fail(talk: Talk) -> None:
        seen.append(talk)
        raise OfKindError(trouble)

    with pytest.raises(error):
        pool(Gate()).run(fail)
    assert len(seen) == tries
    assert all(talk.closed for talk in seen)


def test_who_finds_every_session_in_use_is_told(monkeypatch: pytest.MonkeyPatch):
    """Nobody waits for ever for a session that others hold."""
    monkeypatch.setattr(device_pool, "_PATIENCE", 0.01)
    sessions = pool(Gate(), most=1)

    def inside(_: Talk) -> None:
        with pytest.raises(KeyAwayError, match="in use"):
            sessions.run(lambda talk: talk)

    sessions.run(inside)
