"""Print of a signed page that is in the place of a second signer, beside it, or far from it, and what is said once he
has signed there.
"""

from collections.abc import Mapping

from services.esign.domain.verdict import Outcome
from tests.support.signed_pages import ABOVE, PRICE, covered, page, rgb_profile

BOX = b"/BBox[0 0 200 200]"
WHITE = b"/ColorSpace<</E[/ICCBased 60 0 R]>>"
PROFILE = {60: rgb_profile(white=True)}
"""With this the space E is white to some readers, and black to others."""
STRIP = b"100 71 20 6 re "
"""A box above the place, so near to it that what is drawn there is drawn by all readers alike."""
ONLY_APART = (Outcome.INDETERMINATE, Outcome.VALID)
EVERYWHERE = (Outcome.VALID, Outcome.VALID)
NOWHERE = (Outcome.INDETERMINATE, Outcome.INDETERMINATE)


def said(content: bytes, resources: bytes = b"", more: Mapping[int, bytes] | None = None, **entries: bytes) -> Outcome:
    """Over the place beside the price and what else the page has."""
    return covered(page(PRICE + content, resources, more, **entries))


def here_and_apart(
    content: bytes, resources: bytes = b"", more: Mapping[int, bytes] | None = None
) -> tuple[Outcome, Outcome]:
    """Where the content has it, and where it is drawn far above the place."""
    here, apart = b"q " + content + b" Q", b"q " + ABOVE + content + b" Q"
    return said(here, resources, more), said(apart, resources, more)


def with_fonts(fonts: bytes, resources: bytes = b"") -> dict[int, bytes]:
    """The page with more fonts than its own."""
    head = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R"
    return {3: head + b"/Resources<</Font<</F1 5 0 R%b>>%b>>/Annots[22 0 R]>>" % (fonts, resources)}
