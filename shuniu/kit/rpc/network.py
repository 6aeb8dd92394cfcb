"""The sender of a call, for fairness between those who send: budgets, turns and counts of tries.

The edge alone sets `x-shuniu-sender`: the address of an IPv4 client, the /64 of an IPv6 one. One IPv4 address is a
household or an office, often many behind one router, so nothing wider is taken together; one IPv6 subscriber gets a /64
and may use any address in it (RFC 6177). Web passes the header on.
"""

from contextvars import ContextVar

from shuniu.kit.rpc.caller import CallerKind, current_caller

SENDER_HEADER = "x-shuniu-sender"
_LONGEST = 64
_NAMED = frozenset({CallerKind.PLATFORM, CallerKind.PERSON, CallerKind.OPERATOR})

_current: ContextVar[str] = ContextVar("shuniu_network", default="")


def set_current(header: str) -> None:
    _current.set(header[:_LONGEST])


def current_network() -> str:
    """Network of the call that is being handled; empty when the edge did not say."""
    return _current.get()


def sender() -> str:
    """The sender whose turn a call takes: platform, person or operator by name, an anonymous one by network."""
    caller = current_caller()
    return caller.key if caller.kind in _NAMED else current_network() or caller.key
