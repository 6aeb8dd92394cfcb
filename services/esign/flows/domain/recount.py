"""Counts flows anew from what the ledger says of them, and finds what no honest course of things leaves there. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.esign.ledger.domain.ledger import Entry, EntryType

Place = tuple[str, str, str]
"""Scenario, step (empty: the flow as a whole), outcome."""


@dataclass(slots=True)
class Tally:
    """The counts, and what is wrong."""

    counts: Counter[Place] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    _begun: set[str] = field(default_factory=set)
    _steps: set[tuple[str, str]] = field(default_factory=set)
    _ends: dict[str, str] = field(default_factory=dict)
    _documents: dict[str, str] = field(default_factory=dict)
    _seen: set[Entry] = field(default_factory=set)

    def add(self, entries: Iterable[Entry]) -> None:
        """Entries in any order; the same one twice is one."""
        for entry in entries:
            if not entry.flow or entry in self._seen:
                continue
            self._seen.add(entry)
            if entry.type is EntryType.DOCUMENT_SEALED:
                self._sealed(entry)
            else:
                self._told(entry)

    def finished(self) -> "Tally":
        """After the last entry: what is missing."""
        for flow in sorted((self._ends.keys() | {flow for flow, _ in self._steps}) - self._begun):
            self.faults.append(f"{flow}: never begun")
        for flow in sorted(self._documents.keys() - {f for f, end in self._ends.items() if end == "completed"}):
            self.faults.append(f"{flow}: a final document, and not completed")
        return self

    def _told(self, entry: Entry) -> None:
        if entry.type is EntryType.FLOW_BEGUN:
            if entry.flow in self._begun:
                self.faults.append(f"{entry.flow}: begun twice")
            self._begun.add(entry.flow)
        elif entry.type is EntryType.FLOW_STEP:
            if (entry.flow, entry.step) in self._steps:
                self.faults.append(f"{entry.flow}: {entry.step} signed twice")
            self._steps.add((entry.flow, entry.step))
        elif entry.type is EntryType.FLOW_ENDED:
            if entry.flow in self._ends:
                self.faults.append(f"{entry.flow}: ended twice, {self._ends[entry.flow]} and {entry.state}")
            self._ends.setdefault(entry.flow, entry.state)
        else:
            return
        self.counts[entry.scenario, entry.step, entry.state] += 1

    def _sealed(self, entry: Entry) -> None:
        if entry.flow in self._documents:
            self.faults.append(f"{entry.flow}: two final documents")
        self._documents[entry.flow] = entry.document_sha256


def differences(counted: Counter[Place], kept: Counter[Place]) -> list[str]:
    """The differences between the ledger and the store."""
    return [
        f"{'/'.join(filter(None, place))}: {counted[place]} in the ledger, {kept[place]} in the store"
        for place in sorted(counted.keys() | kept.keys())
        if counted[place] != kept[place]
    ]
