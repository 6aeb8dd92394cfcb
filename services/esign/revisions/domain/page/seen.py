"""Collects what meets a place while the content of a page is followed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.esign.domain.pdf.document import Document
from services.esign.revisions.domain import places
from services.esign.revisions.domain.additions import Area, Colour
from services.esign.revisions.domain.page.reading import Reading
from services.esign.revisions.domain.page.streams import UnclearError
from services.esign.revisions.domain.places import Rectangle

# Points that something must reach into a place; how many do.
_EDGE, _MOST_AREAS = 0.5, 4000


@dataclass(slots=True)
class Seen:
    """Keeps what meets the place."""

    document: Document
    place: Rectangle
    # A wider rectangle in which nothing may stand that readers draw in different ways. None for the content of a look:
    # its own rules judge that.
    near: Rectangle | None = None
    boxes: list[Rectangle] = field(default_factory=list)
    signs: list[Rectangle] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    pieces: int = 0
    # Collects what the strings say; None where the caller does not need it.
    reading: Reading | None = None

    def mark(self, box: Rectangle, clip: Rectangle) -> None:
        """Something that readers may know differently, whatever one of them shows. Raises UnclearError in the place."""
        if self.near is not None and places.meet(places.within(box, clip), self.near):
            raise UnclearError

    def paint(self, boxes: Iterable[Rectangle], clip: Rectangle, colour: Colour | None) -> None:
        """Something dark that every reader draws: what lies over it here may lie elsewhere for another."""
        inner = places.within(places.wider(self.place, -_EDGE), clip)
        for box in boxes:
            if places.meet(box, inner):
                self.areas.append((places.within(box, clip), colour))
                if len(self.areas) > _MOST_AREAS:
                    raise UnclearError
