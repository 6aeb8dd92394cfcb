"""Two versions of one file, and what is found of the later one: which objects are new, which belong to something."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.sections import FREE, Place
from services.esign.domain.pdf.syntax import Name, PdfError, Ref
from services.esign.revisions.domain.additions import Patch


@dataclass(frozen=True, slots=True)
class Change:
    """Something in a later version that is no part of signing. `locked`: a signer had locked that field. `unclear`: it
    cannot be said what it is for, so it breaks no certification that lets anything come. `is_note`: an annotation that
    the certification lets be added, or something filled in where nobody certified; it may be seen.
    """

    en: str
    locked: bool = False
    unclear: bool = False
    is_note: bool = False


class ChangedError(Exception):
    """The later version holds such a change."""

    def __init__(self, en: str, *, locked: bool = False, unclear: bool = False, is_note: bool = False) -> None:
        super().__init__(en)
        self.change = Change(en, locked, unclear or is_note, is_note)


@dataclass(slots=True)
class TwoVersions:
    """`before` as it was signed, `after` as it was next. `patches`: places that may look different; `filled`: names of
    form fields filled in; `data`: numbers of the streams that validation data are; `explained`: numbers of new or
    rewritten objects that belong to something.
    """

    before: Document
    after: Document
    patches: list[Patch] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    # A save between two signatures: what signing needs may be prepared.
    is_interim: bool = False
    validation: bool = False
    data: set[int] = field(default_factory=set)
    explained: set[int] = field(default_factory=set)
    # Numbers of all that belonged to the data nobody draws.
    was_data: set[int] = field(default_factory=set)
    # Numbers of new objects that `explain` went through, and of the lists of validation data that were looked at.
    walked: set[int] = field(default_factory=set)
    lists: set[int] = field(default_factory=set)

    def is_new(self, number: int) -> bool:
        """Tells whether the earlier version has no object of that number."""
        return self.before.entries.get(number, FREE).place == Place.FREE

    def touched(self, number: int) -> bool:
        """Tells whether the later version says something of the object that the earlier did not."""
        earlier, later = self.before.entries, self.after.entries
        one = earlier.get(number, FREE)
        if one != later.get(number, FREE):
            return True
        return one.place == Place.IN_STREAM and earlier.get(one.a, FREE) != later.get(one.a, FREE)

    def had_another_use(self, number: int) -> bool:
        """Tells whether an object that the later version wrote again was something else than data that nobody draws."""
        return not self.is_new(number) and self.touched(number) and number not in self.was_data

    def remember_data(self, value: Any) -> None:
        """All that an earlier value of that kind leads to."""
        waiting = [value]
        while waiting:
            for ref in self.before.references(waiting.pop()):
                if ref[0] not in self.was_data:
                    self.was_data.add(ref[0])
                    waiting.append(self.before.value(ref[0]))

    def was(self, number: int) -> Any:
        """The earlier value. What cannot be read here may lead some reader anywhere."""
        try:
            return self.before.value(number)
        except PdfError as cause:
            if cause.limit:
                raise
            raise ChangedError(f"object {number}, which was signed, cannot be read: {cause}", unclear=True) from cause

    def explain(self, value: Any) -> None:
        """All that belongs to something new, each object once. What was there before is compared where it stands."""
        waiting, count = [value], self.after.census.count
        while waiting:
            each = waiting.pop()
            if isinstance(each, Ref):
                number = each[0]
                if number not in self.walked and self.is_new(number):
                    self.walked.add(number)
                    self.explained.add(number)
                    waiting.append(self.after.value(number))
            elif isinstance(each, dict):
                count(len(each))
                waiting += each.values()
            elif isinstance(each, list):
                count(len(each))
                waiting += each

    def names_brought(self, numbers: Iterable[int]) -> dict[int, set[str]]:
        """Names and keys that objects have now and had not before."""
        return {number: _names(self.after.value(number)) - _names(self.was(number)) for number in numbers}


def _names(value: Any) -> set[str]:
    found: set[str] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            found |= each.keys()
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, Name):
            found.add(each)
    return found
