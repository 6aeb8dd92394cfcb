"""Platforms by what they subscribed to, so that an event's cost does not grow with the platforms that want others."""

from collections.abc import Iterable, Iterator

from shuniu.api.common.v1.registry_pb2 import PlatformEntry

# Of what was subscribed to, and of whose division; None: of all divisions.
_Key = tuple[str, str | None]


class Subscribers:
    """Codes by subscription. One thread changes it; others ask meanwhile."""

    def __init__(self, entries: Iterable[PlatformEntry] = ()) -> None:
        found: dict[_Key, list[str]] = {}
        for entry in entries:
            for key in _keys(entry):
                found.setdefault(key, []).append(entry.code)
        # Replaced, never changed in place: who reads one has it whole.
        self._codes = {key: tuple(codes) for key, codes in found.items()}

    def put(self, before: PlatformEntry | None, entry: PlatformEntry) -> None:
        """Takes over an entry in the place of the one before."""
        old, new = set() if before is None else set(_keys(before)), set(_keys(entry))
        for key in old - new:
            self._codes[key] = tuple(code for code in self._codes[key] if code != entry.code)
        for key in new - old:
            self._codes[key] = (*self._codes.get(key, ()), entry.code)

    def of(self, topic: str, divisions: Iterable[str] | None = None) -> list[str]:
        """Codes of those with a subscription to a topic, or to one that includes it (`topic.*`), each once; with
        `divisions`, of platforms of these alone. The division that a subscription itself names is not looked at.
        """
        within: Iterable[str | None] = (None,) if divisions is None else tuple(divisions)
        parts = topic.split(".")
        wanted = [topic, *(".".join([*parts[:count], "*"]) for count in range(1, len(parts)))]
        keys = [(each, division) for each in wanted for division in within]
        return list(dict.fromkeys(code for key in keys for code in self._codes.get(key, ())))


def _keys(entry: PlatformEntry) -> Iterator[_Key]:
    for wanted in {each.partition("@")[0] for each in entry.subscriptions}:
        yield wanted, None
        yield wanted, entry.division
