"""Subscribers are found by topic, whatever changed before."""

from hypothesis import given
from hypothesis import strategies as st

from shuniu.api.common.v1.registry_pb2 import PlatformEntry
from shuniu.kit.events.recipients import subscribed
from shuniu.kit.feeds.subscribers import Subscribers

TOPICS = ("exchange.case.submitted", "exchange.case.decided", "exchange.grant.ended", "esign.flow.begun")
WANTED = (*TOPICS, "exchange.*", "exchange.case.*", "esign.*", "esign.flow.*@15", "exchange.case.decided@1501")
DIVISIONS = ("150000", "150100", "110000")
ENTRIES = st.builds(
    PlatformEntry,
    code=st.sampled_from(("a", "b", "c", "d")),
    division=st.sampled_from(DIVISIONS),
    subscriptions=st.lists(st.sampled_from(WANTED), max_size=4),
)


@given(
    st.lists(ENTRIES, max_size=12),
    st.integers(0, 12),
    st.sampled_from(TOPICS),
    st.none() | st.lists(st.sampled_from(DIVISIONS), unique=True),
)
def test_the_index_finds_whom_a_look_at_all_finds(
    entries: list[PlatformEntry], loaded: int, topic: str, divisions: list[str] | None
) -> None:
    """After any entries, taken over together or one after another: those whose last entry subscribes, each once."""
    last = {entry.code: entry for entry in entries[:loaded]}
    found = Subscribers(last.values())
    for entry in entries[loaded:]:
        found.put(last.get(entry.code), entry)
        last[entry.code] = entry
    expected = [
        entry.code
        for entry in last.values()
        if any(subscribed(each.partition("@")[0], topic, "") for each in entry.subscriptions)
        and (divisions is None or entry.division in divisions)
    ]
    codes = found.of(topic, divisions)
    assert sorted(codes) == sorted(expected)


def test_only_subscribers_are_looked_at() -> None:
    """An event of a division costs as much as there are subscribers above it, not as there are platforms."""
    platforms = [
        PlatformEntry(code=str(n), division=f"{n:06d}", subscriptions=["exchange.*"]) for n in range(150_000, 151_000)
    ]
    assert Subscribers(platforms).of("exchange.case.decided", ("150100", "150000")) == ["150100", "150000"]
