"""Judges where signatures show on the pages: a later stamp is a seal as its maker drew it, no brush and no eraser.

Readers scale a seal's picture to the stamp's Boundary, cut it by Clip and paint it over the page. No earlier signature
covers that. So a later stamp has the size that its seal states, whole or as a strip at an edge of the page (骑缝章), a
few on a page; and over what the page shows already it is a plain seal, through which print can be read.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from services.esign.domain.cms.signed_cms import CmsError
from services.esign.domain.ofd.package import Box, extent_of
from services.esign.domain.verdict import Status, Step
from services.esign.ses.domain import sealed_value
from services.esign.ses.domain.values import Picture
from services.esign.signing.domain.signature_kinds import Kind, kind_of
from services.esign.verification.domain.ofd.reach import Reach, Sheet
from services.esign.verification.domain.ofd.signatures import OfdSignature, Stamp

# A seal is 50 mm across at most on a page of 210 by 297 mm: a fortieth. Above this share of what is seen of a page, all
# later stamps together hide what others signed; the same as of a PDF.
_MOST_OF_A_PAGE = 0.5
# Of one signature on a page: a seal, and strips across two edges. Of all later ones.
_MOST_STAMPS, _MOST_TOGETHER = 3, 64
# By which makers round sizes and miss edges, and print reaches beyond its boundary. A picture that is no plain seal may
# hold characters: nearer than this they would read as one with print; 14 points, as in a PDF 12.
_NEAR_MM, _APART_MM = 1.0, 5.0
# A box takes a tenth of a microsecond to compare, a seal's picture up to half a second to look at. What is beyond
# counts as covered.
_MOST_COMPARED, _MOST_PICTURES = 5_000_000, 16
_EVERYWHERE: Box = (-1e9, -1e9, 2e9, 2e9)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A stamp's box on its page, as cut. `is_over`: dark print is below; `is_beside`: something else is, or anything is
    near.
    """

    page: str
    box: Box
    is_over: bool
    is_over_others: bool
    is_beside: bool


@dataclass(frozen=True, slots=True)
class _Look:
    """Holds how one signature shows. `astray`: the first page that the document does not have, or beside which a stamp
    lies; None: there is none. `altered`: some stamp is not as the seal is. `picture`: the seal's; None: it has none.
    """

    astray: str | None
    altered: bool
    placed: Sequence[_Placed]
    picture: Picture | None


class Stamps:
    """The stamps of all signatures of a document. `order`: the IDs of its pages. Each stamp is looked at once."""

    def __init__(self, reach: Reach, order: Sequence[str]) -> None:
        self._sheets = reach.pages
        self._order = order
        self._looks: dict[str, _Look] = {}
        self._plain: dict[Picture, bool] = {}
        self._contents: dict[int, tuple[Sequence[Box], Sequence[Box]]] = {}
        self._compared = 0

    def judge(self, first: OfdSignature, later: Sequence[OfdSignature]) -> Step | None:
        """Says what is wrong with where a signature and those after it show; None: nothing."""
        shown = [self._look(signature) for signature in (first, *later)]
        if (page := next((look.astray for look in shown if look.astray is not None), None)) is not None:
            return _astray(page)
        stamps = [(placed, look.picture) for look in shown[1:] for placed in look.placed]
        areas = defaultdict[str, float](float)
        for placed, _ in stamps:
            areas[placed.page] += placed.box[2] * placed.box[3]
        if any(area > _MOST_OF_A_PAGE * _least(self._sheets[page]) for page, area in areas.items()):
            return _oversized()
        if any(look.altered for look in shown[1:]):
            return _altered()
        covered = self._covered(shown[0].placed, stamps)
        return None if covered is None else _covers(self._order.index(covered) + 1)

    def _covered(self, own: Sequence[_Placed], stamps: Sequence[tuple[_Placed, Picture | None]]) -> str | None:
        """The ID of the first page of which later stamps may hide something; None: there is none."""
        signed = defaultdict[str, list[Box]](list)
        together = defaultdict[str, list[tuple[Box, bool, Picture | None]]](list)
        for placed in own:
            signed[placed.page].append(placed.box)
        for placed, picture in stamps:
            own_boxes = signed[placed.page]
            is_plain = self._is_plain(picture)
            # A seal upon a seal is red upon red.
            if placed.is_over_others or self._meets_any(placed.box, own_boxes):
                return placed.page
            if not is_plain and (placed.is_beside or self._meets_any(placed.box, own_boxes, _APART_MM)):
                return placed.page
            together[placed.page].append((placed.box, placed.is_over, picture))
        for page, beside in together.items():
            # What is read through one seal is not read through two, and what is cut by another is no seal.
            if len(beside) > _MOST_TOGETHER or any(
                _meet(one, other, _NEAR_MM if self._is_plain(a) and self._is_plain(b) else _APART_MM)
                and (is_over or is_other_over or not self._is_plain(a) or not self._is_plain(b))
                for (one, is_over, a), (other, is_other_over, b) in combinations(beside, 2)
            ):
                return page
        return None

    def _look(self, signature: OfdSignature) -> _Look:
        found = self._looks.get(signature.file)
        if found is None:
            found = self._looks[signature.file] = self._looked(signature)
        return found

    def _looked(self, signature: OfdSignature) -> _Look:
        picture, placed = _picture(signature), list[_Placed]()
        whole, counts, strips = True, Counter[str](), defaultdict[str, float](float)
        for stamp in signature.stamps:
            sheet = self._sheets.get(stamp.page)
            if sheet is None or not any(_is_on(stamp.box, page) for page in sheet.physical):
                return _Look(stamp.page, altered=False, placed=(), picture=picture)
            box = _cut(stamp)
            if stamp.clip is not None and not _is_near(box, stamp.box):
                whole = whole and _is_strip(box, stamp.box, sheet)
                strips[stamp.page] += box[2] * box[3] / (stamp.box[2] * stamp.box[3])
            counts[stamp.page] += 1
            whole = whole and (picture is None or _has_size_of(stamp.box, picture))
            dark, others = self._content(sheet)
            placed.append(
                _Placed(
                    stamp.page,
                    box,
                    is_over=self._meets_any(box, dark),
                    is_over_others=self._meets_any(box, others),
                    is_beside=self._meets_any(box, dark, _APART_MM) or self._meets_any(box, others, _APART_MM),
                )
            )
        # The edges of strips are rounded.
        is_altered = (
            not whole or any(n > _MOST_STAMPS for n in counts.values()) or any(s > 1.1 for s in strips.values())
        )
        return _Look(None, is_altered, placed, picture)

    def _content(self, sheet: Sheet) -> tuple[Sequence[Box], Sequence[Box]]:
        """The boundaries of dark print on a page and of all else; everywhere, when they cannot be told."""
        found = self._contents.get(id(sheet))
        if found is None:
            # Readers differ in whether a stamp counts from the corner of a page that does not begin at 0 0.
            is_plain = all(page is not None and page[:2] == (0, 0) for page in sheet.physical)
            dark, others = ([extent_of(text) for text in texts] for texts in (sheet.dark, sheet.others))
            if not is_plain or None in dark or None in others:
                others = [_EVERYWHERE]
            found = self._contents[id(sheet)] = (
                [box for box in dark if box is not None],
                [box for box in others if box is not None],
            )
        return found

    def _meets_any(self, box: Box, others: Sequence[Box], near: float = _NEAR_MM) -> bool:
        self._compared += len(others)
        return self._compared > _MOST_COMPARED or any(_meet(box, other, near) for other in others)

    def _is_plain(self, picture: Picture | None) -> bool:
        if picture is None:
            return False
        # Of one size: the same pixels are larger or smaller in another.
        if picture not in self._plain:
            self._plain[picture] = len(self._plain) < _MOST_PICTURES and _is_plain_seal(picture)
        return self._plain[picture]


def _picture(signature: OfdSignature) -> Picture | None:
    """The seal's picture; None for a signature without a seal, or one that cannot be read."""
    if kind_of(signature.value) is not Kind.SES:
        return None
    try:
        return sealed_value.of_seal(signature.value)[1].seal.info.picture
    except CmsError:
        return None


def _is_plain_seal(picture: Picture) -> bool:
    try:
        # Loaded when a document needs it: few do, and it takes libraries.
        from services.esign.verification.domain.ofd import plain_seal
    except ImportError:
        return False
    return plain_seal.is_plain_seal(picture)


def _has_size_of(box: Box, picture: Picture) -> bool:
    """Readers stretch a picture to its box, and do not turn it."""
    stated = picture.width_mm, picture.height_mm
    return all(abs(side - size) <= _NEAR_MM for side, size in zip(box[2:], stated, strict=True))


def _cut(stamp: Stamp) -> Box:
    """The part of a stamp that Clip leaves, on the page."""
    left, top, width, height = stamp.box
    if stamp.clip is None:
        return stamp.box
    begin = max(0.0, stamp.clip[0]), max(0.0, stamp.clip[1])
    end = min(width, stamp.clip[0] + stamp.clip[2]), min(height, stamp.clip[1] + stamp.clip[3])
    return (left + begin[0], top + begin[1], max(0.0, end[0] - begin[0]), max(0.0, end[1] - begin[1]))


def _is_strip(box: Box, whole: Box, sheet: Sheet) -> bool:
    """Tells whether it is all of the seal's height at the left or right edge of the page, or all of its width at the
    upper or lower one.
    """

    def is_at_an_edge(begin: float, size: float, edge: float, length: float) -> bool:
        return begin <= edge + _NEAR_MM or begin + size >= edge + length - _NEAR_MM

    return any(
        abs(box[3 - along] - whole[3 - along]) <= _NEAR_MM
        and all(
            page is not None and is_at_an_edge(box[along], box[along + 2], page[along], page[along + 2])
            for page in sheet.physical
        )
        for along in (0, 1)
    )


def _is_near(one: Box, other: Box) -> bool:
    return all(abs(a - b) <= _NEAR_MM for a, b in zip(one, other, strict=True))


def _meet(one: Box, other: Box, near: float) -> bool:
    return (
        one[0] < other[0] + other[2] + near
        and other[0] - near < one[0] + one[2]
        and one[1] < other[1] + other[3] + near
        and other[1] - near < one[1] + one[3]
    )


def _is_on(stamp: Box, page: Box | None) -> bool:
    """Tells whether something of the stamp lies on the page, counted from the page's corner or from the origin of its
    box. A page whose box cannot be read may lie anywhere.
    """
    if page is None:
        return True
    corners = {page[:2], (0.0, 0.0)}
    return any(
        left < stamp[0] + stamp[2]
        and stamp[0] < left + page[2]
        and top < stamp[1] + stamp[3]
        and stamp[1] < top + page[3]
        for left, top in corners
    )


def _least(sheet: Sheet) -> float:
    """mm²: the smallest, as readers differ in which of them they show. One that cannot be read may be of any size."""
    return min(0.0 if box is None else box[2] * box[3] for box in sheet.seen)


def _open(reason: str, zh: str, en: str) -> Step:
    return Step("changes", Status.UNKNOWN, reason, zh, en)


def _astray(page: str) -> Step:
    return _open(
        "STAMP_PAGE",
        "签章不在文档的任何一页上，未能判断；请向出具单位索取原件",
        f"a stamp stands on page {page[:20]!r}, which the document does not have, or beside it",
    )


def _oversized() -> Step:
    return _open(
        "STAMP_OVERSIZED",
        "后加的签章图案过大，可能遮盖先前签名的内容；请核对页面后向签章单位核实",
        "a later stamp is so large that it may hide what was signed before; ask who signed",
    )


def _altered() -> Step:
    return _open(
        "STAMP_ALTERED",
        "后加的签章被拉伸、裁切或反复加盖，与印章本身不符，可能遮盖先前签名的内容；请向签章单位核实",
        "a later stamp is stretched, cut or repeated, not the seal as its maker drew it; ask who signed",
    )


def _covers(number: int) -> Step:
    return _open(
        "COVERS_CONTENT",
        f"后加的签章盖住了第 {number} 页原有的内容；请向签章单位核实",
        f"a stamp that was added later covers what page {number} showed; ask who signed",
    )
