"""The second line against forged pages, loaded when a document needs it: few do, and drawing takes libraries."""

from collections.abc import Sequence

from services.esign.revisions.domain.second_look import Comparison, Version


def look(pdf: bytes, versions: Sequence[Version]) -> Comparison:
    """Tells whether every page of `pdf` looks as in each of the earlier versions, but for their patches."""
    from services.esign.revisions import rendering

    return rendering.look(pdf, versions)
