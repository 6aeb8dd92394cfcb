"""The second line against forged pages: both versions are drawn by a real renderer and compared.

The first line (`changes`) decides by the file's structure what a later version may hold. This one knows nothing of
that: whatever the structure says, a page that looks different than when it was signed, outside the places of
signatures, is another page. Who draws is behind `Look`; what is asked and what the answer means is here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.esign.revisions.domain.additions import Patch
from services.esign.revisions.domain.changes import Passage

MOST_PAGES = 600
"""Pages that are drawn, of all versions together."""


class Seen(StrEnum):
    """SAME: no page differs outside its patches. DIFFERENT: one does. COVERED: a new field stands where the page was
    not blank. UNSEEN: it could not be drawn, or not within its limits. TOO_MANY: there is more to draw than is drawn.
    """

    SAME = "SAME"
    DIFFERENT = "DIFFERENT"
    COVERED = "COVERED"
    UNSEEN = "UNSEEN"
    TOO_MANY = "TOO_MANY"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison: what was seen, and on which page (from 1; 0: on none in particular)."""

    seen: Seen
    page: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """An earlier version of the file: the bytes up to `end`, where it may differ from the file as it is, and how many
    pages it has to whoever asks.
    """

    end: int
    patches: tuple[Patch, ...]
    pages: int


Look = Callable[[bytes, Sequence[Version]], Comparison]


def drawings_of(pages: int, earlier: int) -> int:
    """The number of pages that are drawn to compare a document with so many earlier versions of itself."""
    return pages * (1 + earlier)


def versions(passages: Sequence[Passage], pages: int) -> list[Version]:
    """The versions that have to look alike: each signed version and the file as it is."""
    return [
        Version(passage.before, tuple(patch for later in passages[at:] for patch in later.patches), pages)
        for at, passage in enumerate(passages)
    ]
