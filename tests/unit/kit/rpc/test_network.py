"""Whom a call comes from."""

import pytest

from shuniu.kit.rpc import caller, network
from shuniu.kit.rpc.caller import Caller, CallerKind, CurrentCall
from shuniu.kit.rpc.network import current_network, sender, set_current


def test_the_current_call_has_one():
    """Set once a call, empty before; no longer than a network is."""
    assert current_network() == ""
    set_current("192.0.2.7")
    assert current_network() == "192.0.2.7"
    set_current("x" * 1000)
    assert len(current_network()) == 64


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (Caller(CallerKind.ANONYMOUS), "192.0.2.7"),
        (Caller(CallerKind.SERVICE, "web"), "192.0.2.7"),
        (Caller(CallerKind.PLATFORM, "bureau"), "platform:bureau:"),
        (Caller(CallerKind.PERSON, "app", "p1"), "person:app:p1"),
    ],
    ids=["anonymous", "through web", "platform", "person"],
)
def test_a_sender_is_who_is_proved_or_a_network(who, expected):
    """Nobody in particular is told apart by network, also where web asks for him."""
    set_current("192.0.2.7")
    caller.set_current(CurrentCall("/m", "r", "", audit=False, caller=who))
    try:
        assert sender() == expected
    finally:
        caller.set_current(CurrentCall("", "", "", audit=False))
        network.set_current("")
