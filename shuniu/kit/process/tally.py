"""Counts by key, with their sum; what is counted down to nothing is forgotten."""


class Tally:
    """Each operation costs the same however many keys there are."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.total = 0

    def __len__(self) -> int:
        """Number of keys that have a count."""
        return len(self._counts)

    def __contains__(self, key: object) -> bool:
        return key in self._counts

    def of(self, key: str) -> int:
        return self._counts.get(key, 0)

    def add(self, key: str, change: int) -> None:
        """Changes a count, down too."""
        self.total += change
        count = self._counts.get(key, 0) + change
        if count:
            self._counts[key] = count
        else:
            self._counts.pop(key, None)
