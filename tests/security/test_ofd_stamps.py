"""A later stamp in an OFD is a seal as its maker drew it: no brush, and no eraser of what others signed."""

import struct
import time
import zlib
from functools import cache, partial

import pytest

from services.esign.domain.verdict import Outcome
from services.esign.seals import pictures
from services.esign.ses.domain.values import Picture
from shuniu.kit.crypto import sm as provider
from tests.support import sm
from tests.support.ofd import (
    LIST,
    NAMESPACE,
    PAGE,
    document,
    gm_cms,
    judged,
    page,
    reasons,
    signed,
    stamped,
    unsigned,
    v4,
)

pytestmark = pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")
DOCUMENT = "Doc_0/Document.xml"
ALTERED, COVERS = "STAMP_ALTERED", "COVERS_CONTENT"
# The text of `page` is at 20 20 and 100 by 10 mm.
OVER_TEXT = stamped(30, 5)
RED, BLACK, WHITE = b"\xc8\x16\x1d", b"\0\0\0", b"\xff\xff\xff"


def png(pixel, side=84, extra=None):
    """A picture of four bytes a pixel, by column and row. `extra`: a chunk more, name and body."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(side)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    body = (
        chunk(b"IHDR", header)
        + (chunk(*extra) if extra else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def framed(ink=RED, ground=WHITE + b"\0", wide=4, extra=None):
    """A square frame."""
    return png(lambda x, y: ink + b"\xff" if min(x, y, 83 - x, 83 - y) < wide else ground, extra=extra)


def mosaic():
    """A frame of red, green and blue pixels, which is dark grey."""
    inks = (b"\xb1\0\0", b"\0\xb1\0", b"\0\x30\xb1")
    return png(lambda x, y: inks[(x + y) % 3] + (b"\xff" if min(x, y, 83 - x, 83 - y) < 4 else b"\0"))


@cache
def drawn():
    """The hub's own seal of an organisation."""
    return pictures.round_seal("内蒙古自治区公安厅").data


@cache
def sealed_by(data, width=42, height=42, kind="png"):
    return partial(v4, seal=sm.eseal(picture=Picture(kind, data, width, height)))


def changed(files):
    """The reason of the step changes; None where the verdict is VALID."""
    verdict = judged(files)
    assert verdict.outcome is not Outcome.INVALID
    return None if verdict.outcome is Outcome.VALID else reasons(verdict)["changes"]


def later(stamp, files=None, data=None, **picture):
    """The reason for a document that somebody sealed and somebody else then stamped."""
    first = signed(files, stamp=stamped(150, 240))
    return changed(signed(first, stamp=stamp, value=sealed_by(data or drawn(), **picture)))


SHAPES = {
    "stretched over the text": stamped(18, 18, 110, 14),
    "stretched over a blank place": stamped(18, 80, 110, 14),
    "a band": stamped(0, 100, 210, 56),
    "larger": stamped(20, 80, 44, 44),
    "smaller": stamped(20, 80, 40, 40),
    "pieces": "".join(stamped(20 + n, 20, clip="20.5 20.5 1 1") for n in range(15)),
    "one piece": stamped(20, 80, clip="20.5 20.5 1 1"),
    "dots": "".join(stamped(20 + n % 100, 20 + n // 100, 1, 1, clip="0.45 0.45 0.1 0.1") for n in range(2000)),
    "four on a page": "".join(stamped(10 + 45 * n, 80) for n in range(4)),
    "a strip inside the page": stamped(80, 80, clip="0 0 10 42"),
    "a piece at the edge": stamped(200, 80, clip="0 10 10 10"),
    "a part at the edge": stamped(0, 80, clip="0 0 42 20"),
    "strips of more than a seal": stamped(0, 80, clip="0 0 30 42") + stamped(180, 80, clip="0 0 30 42"),
    "cut to nothing": stamped(0, 80, clip="50 50 10 10"),
}


@pytest.mark.parametrize("stamp", SHAPES.values(), ids=SHAPES)
def test_a_later_stamp_is_its_seal_and_no_brush(stamp):
    """Of another size than the seal states, cut to pieces, or repeated: whoever signs later could write with it."""
    assert later(stamp) == ALTERED


LAWFUL = {
    "alone": stamped(80, 80),
    "rounded": stamped(80, 80, 41.3, 42.6),
    "whole by its clip": stamped(80, 80, clip="0 0 42 42"),
    "over the text": OVER_TEXT,
    "over the edge": stamped(190, 80),
    "a strip at the right": stamped(199.5, 80, clip="0 0 10.5 42"),
    "the second strip at the right": stamped(189, 80, clip="10.5 0 10.5 42"),
    "a strip at the left": stamped(-31.5, 80, clip="31.5 0 10.5 42"),
    "a strip at the foot": stamped(80, 276, clip="0 0 42 21"),
    "a seal and a strip": stamped(80, 80) + stamped(199.5, 80, clip="0 0 10.5 42"),
}


@pytest.mark.parametrize("stamp", LAWFUL.values(), ids=LAWFUL)
def test_seals_as_they_are_put_are_accepted(stamp):
    """Whole, over print, and in strips across edges (骑缝章): VALID."""
    assert later(stamp) is None


def test_a_strip_on_each_page_of_a_document_is_accepted():
    """One seal across the edges of three pages, beside the seal itself."""
    files = {**unsigned(), DOCUMENT: document("Pages/Page_1/Content.xml", "Pages/Page_2/Content.xml")}
    files |= {f"Doc_0/Pages/Page_{n}/Content.xml": page("附件") for n in (1, 2)}
    strips = [stamped(196 - 14 * n, 80, clip=f"{14 * n} 0 14 42", page=p) for n, p in enumerate((1, 100, 101))]
    assert later(stamped(80, 200) + "".join(strips), files) is None


def test_a_seal_is_not_turned():
    """Readers stretch it to 30 by 40 mm, where the seal is 40 by 30: its bars are higher then."""
    assert later(stamped(80, 80, 40, 30), width=40, height=30) is None
    assert later(stamped(80, 80, 30, 40), width=40, height=30) == ALTERED
    assert later(stamped(80, 80, 30, 30), width=40, height=30) == ALTERED


PICTURES = {
    "the hub's": (drawn, None),
    "a person's": (lambda: pictures.square_seal("张三").data, None),
    "a frame": (framed, None),
    "on white": (lambda: framed(ground=WHITE + b"\xff"), COVERS),
    "on faint white": (lambda: framed(ground=WHITE + b"\x30"), COVERS),
    "black": (lambda: framed(BLACK), COVERS),
    "nearly black": (lambda: framed(b"\x82\0\0"), COVERS),
    "blue, which print is too": (lambda: framed(b"\0\0\xb4"), COVERS),
    "of several colours": (mosaic, COVERS),
    "a bar": (lambda: png(lambda x, y: RED + (b"\xff" if 37 <= y < 47 else b"\0")), COVERS),
    "of another gamma": (lambda: framed(extra=(b"gAMA", struct.pack(">I", 9000))), COVERS),
    "of the usual gamma": (lambda: framed(extra=(b"gAMA", struct.pack(">I", 45455))), None),
    "with a profile": (lambda: framed(extra=(b"iCCP", b"x\0\0" + zlib.compress(b"profile"))), COVERS),
    "filled": (lambda: framed(wide=42), COVERS),
    "broad": (lambda: framed(wide=17), COVERS),
    "a block": (lambda: png(lambda x, y: RED + (b"\xff" if max(x, y) < 30 else b"\0")), COVERS),
    "not drawn here": (lambda: b"GIF89a", COVERS),
}


@pytest.mark.parametrize(("picture", "reason"), PICTURES.values(), ids=PICTURES)
def test_over_print_a_later_seal_is_ink_on_a_clear_ground(picture, reason):
    """What hides the print below, or may, leaves the verdict open; in a blank place it hides nothing."""
    side = 20 if len(picture()) < 10_000 and picture is PICTURES["a person's"][0] else 42
    at = partial(stamped, width=side, height=side)
    assert later(at(30, 15), data=picture(), width=side, height=side) == reason
    assert later(at(80, 80), data=picture(), width=side, height=side) is None


def test_a_picture_is_of_the_kind_that_it_is_called():
    """Readers go by the kind."""
    assert later(OVER_TEXT, kind="ofd") == COVERS


def test_a_signature_without_a_seal_covers_nothing():
    """Each reader shows something of its own for it."""
    assert changed(signed(signed(), value=gm_cms, stamp=stamped(80, 100, 60, 30))) is None
    assert changed(signed(signed(), value=gm_cms, stamp=OVER_TEXT)) == COVERS


def with_object(element):
    files = unsigned()
    return {**files, PAGE: files[PAGE].replace(b"<ofd:TextObject", element.encode() + b"<ofd:TextObject")}


SPACE = '<ofd:ColorSpaces><ofd:ColorSpace ID="5" Type="RGB"{}/></ofd:ColorSpaces>'
STATE = '<ofd:DrawParams><ofd:DrawParam ID="6"{}>{}</ofd:DrawParam></ofd:DrawParams>'


def coloured(colours, resources="", attributes=""):
    """A text at 60 90 in these colours, and resources of the document."""
    files = with_object(f'<ofd:TextObject ID="9" Boundary="60 90 20 10"{attributes}>{colours}</ofd:TextObject>')
    if resources:
        listed = b"<ofd:PublicRes>Res.xml</ofd:PublicRes></ofd:CommonData>"
        files[DOCUMENT] = files[DOCUMENT].replace(b"</ofd:CommonData>", listed)
        files["Doc_0/Res.xml"] = f"<ofd:Res {NAMESPACE}>{resources}</ofd:Res>".encode()
    return files


def in_layer(files):
    return {**files, PAGE: files[PAGE].replace(b'<ofd:Layer ID="2"', b'<ofd:Layer ID="2" DrawParam="6"')}


def with_template(more=b""):
    drawn_on = with_object("")
    listed = b'<ofd:TemplatePage ID="7" BaseLoc="Tpl.xml"/></ofd:CommonData>'
    drawn_on[DOCUMENT] = drawn_on[DOCUMENT].replace(b"</ofd:CommonData>", listed)
    drawn_on[PAGE] = drawn_on[PAGE].replace(b"<ofd:Content>", b'<ofd:Template TemplateID="7"/><ofd:Content>')
    held = page("模板").replace(b"20 20 100 10", b"60 90 20 10").replace(b"<ofd:Content>", more + b"<ofd:Content>")
    return {**drawn_on, "Doc_0/Tpl.xml": held}


def with_note(boundary='Boundary="60 90 20 10"'):
    files = unsigned()
    files[DOCUMENT] = files[DOCUMENT].replace(
        b"</ofd:Document>", b"<ofd:Annotations>A.xml</ofd:Annotations></ofd:Document>"
    )
    listed = f'<ofd:Annotations {NAMESPACE}><ofd:Page PageID="1"><ofd:FileLoc>N.xml</ofd:FileLoc></ofd:Page></ofd:Annotations>'
    note = f'<ofd:Annot ID="9" Type="Stamp"><ofd:Appearance {boundary}><ofd:TextObject Boundary="0 0 1 1"/></ofd:Appearance>'
    held = f"<ofd:PageAnnot {NAMESPACE}>{note}</ofd:Annot></ofd:PageAnnot>"
    return {**files, "Doc_0/A.xml": listed.encode(), "Doc_0/N.xml": held.encode()}


HELD = {
    "a text": with_object('<ofd:TextObject ID="9" Boundary="60 90 20 10"/>'),
    "a line": with_object('<ofd:PathObject ID="9" Boundary="60 90 20 0"/>'),
    "in a block": with_object('<ofd:PageBlock ID="8"><ofd:TextObject ID="9" Boundary="60 90 20 10"/></ofd:PageBlock>'),
    "of a template": with_template(),
    "grey": coloured('<ofd:FillColor Value="80 80 80"/>'),
    "in a colour space": coloured('<ofd:FillColor ColorSpace="5" Value="0 0 0" Alpha="255"/>', SPACE.format("")),
    "in a state": coloured("", STATE.format("", '<ofd:FillColor Value="0 0 0"/>'), ' DrawParam="6"'),
}
COLOURED = {
    "red": coloured('<ofd:FillColor Value="200 22 29"/>'),
    "white": coloured('<ofd:FillColor Value="255 255 255"/>'),
    "without a value": coloured("<ofd:FillColor/>"),
    "of four inks": coloured('<ofd:FillColor Value="0 0 0 0"/>'),
    "in hexadecimal": coloured('<ofd:FillColor Value="#FF #FF #FF"/>'),
    "clear": coloured('<ofd:FillColor Value="0 0 0" Alpha="40"/>'),
    "of a palette": coloured('<ofd:FillColor Index="1" Value="0 0 0"/>'),
    "a course of colours": coloured('<ofd:FillColor Value="0 0 0"><ofd:AxialShd/></ofd:FillColor>'),
    "a red outline": coloured('<ofd:StrokeColor Value="200 22 29"/>'),
    "in a space with a profile": coloured('<ofd:FillColor Value="0 0 0"/>', SPACE.format(' Profile="p.icc"')),
    "in a space of few levels": coloured('<ofd:FillColor Value="1 1 1"/>', SPACE.format(' BitsPerComponent="1"')),
    "in a red state": coloured("", STATE.format("", '<ofd:FillColor Value="200 22 29"/>'), ' DrawParam="6"'),
    "in a state of another": coloured(
        "", STATE.format(' Relative="7"', '<ofd:FillColor Value="0 0 0"/>'), ' DrawParam="6"'
    ),
    "in a state that is not there": coloured("", "", ' DrawParam="6"'),
    "in a layer of a red state": in_layer(coloured("", STATE.format("", '<ofd:FillColor Value="200 22 29"/>'))),
    "clear itself": with_object('<ofd:TextObject ID="9" Boundary="60 90 20 10" Alpha="99"/>'),
    "an area": with_object('<ofd:PathObject ID="9" Boundary="60 90 20 10" Fill="true"/>'),
    "a picture": with_object('<ofd:ImageObject ID="9" Boundary="60 90 20 10"/>'),
    "a group": with_object('<ofd:CompositeObject ID="9" ResourceID="8" Boundary="60 90 20 10"/>'),
    "without a boundary": with_object('<ofd:TextObject ID="9"/>'),
    "with another boundary": with_object('<ofd:TextObject ID="9" Boundary="6e1 90 20 10"/>'),
    "of another kind": with_object('<ofd:VideoObject ID="9" Boundary="60 90 20 10"/>'),
    "of a note": with_note(),
    "of a note without a boundary": with_note(""),
    "of a template on a template": with_template(b'<ofd:Template TemplateID="8"/>'),
    "on a page that begins elsewhere": {
        **unsigned(),
        DOCUMENT: document().replace(b"0 0 210 297", b"0 100 210 297"),
    },
}


@pytest.mark.parametrize("files", HELD.values(), ids=HELD)
def test_print_in_black_is_read_through_a_plain_seal_alone(files):
    """Texts and lines of pages and templates in black and grey: another picture hides them."""
    place = stamped(50, 85)
    assert later(place, files, framed(ground=WHITE + b"\xff")) == COVERS
    assert later(place, files) is None


@pytest.mark.parametrize("files", COLOURED.values(), ids=COLOURED)
def test_whatever_else_a_page_shows_is_not_covered(files):
    """Print in a seal's own colour would be changed, light print on a coloured ground wiped out; what cannot be told may
    be of any colour, and anywhere.
    """
    place = stamped(50, 85 if b"0 100 210" not in files[DOCUMENT] else 150)
    assert later(place, files, framed(ground=WHITE + b"\xff")) == COVERS
    assert later(place, files) == COVERS


ODD_BOXES = {
    "a layer": (b'<ofd:Layer ID="2"', b'<ofd:Layer ID="2" Boundary="150 250 1 1"'),
    "all content": (b"<ofd:Content>", b'<ofd:Content Boundary="150 250 1 1">'),
}


@pytest.mark.parametrize("change", ODD_BOXES.values(), ids=ODD_BOXES)
def test_nothing_around_objects_has_a_boundary(change):
    """Readers do not cut a layer: the objects in it are where they are, and what the box means is left open."""
    files = unsigned()
    files[PAGE] = files[PAGE].replace(*change, 1)
    assert reasons(judged(signed(files)))["coverage"] == "TARGET_UNREAD"


@pytest.mark.parametrize(
    "change", [(b'TemplateID="7"', b'TemplateID="07"'), (b'TemplatePage ID="7"', b'TemplatePage ID="07"')]
)
def test_a_template_is_named_as_every_reader_takes_it(change):
    """07 is 7 to whoever takes it for a number, and another to whoever takes it for a word."""
    files = with_template()
    files = {name: data.replace(*change) for name, data in files.items()}
    assert reasons(judged(signed(files)))["coverage"] == "TARGET_UNREAD"


def test_a_page_is_numbered_as_every_reader_takes_it():
    """Two pages, 1 and 01: a stamp on the one may be shown on the other."""
    files = {**unsigned(), DOCUMENT: document("Pages/Page_1/Content.xml").replace(b'ID="100"', b'ID="01"')}
    files["Doc_0/Pages/Page_1/Content.xml"] = page("附件")
    assert reasons(judged(signed(files)))["coverage"] == "TARGET_UNREAD"


def test_a_picture_keeps_off_print_that_it_might_go_on():
    """ "0,000" in a picture of its own beside "100": only a plain seal comes near print."""
    black = framed(BLACK)
    assert later(stamped(121.5, 5), data=black) == COVERS
    assert later(stamped(126, 5), data=black) is None
    assert later(stamped(121.5, 5)) is None


def test_what_lies_inside_an_object_counts_from_there():
    """A path that clips a text at 60 90 of its own corner is not on the page there."""
    clipped = (
        '<ofd:TextObject ID="9" Boundary="150 20 30 10"><ofd:Clips><ofd:Clip><ofd:Area><ofd:Path Boundary="60 90 20 10"/>'
        "</ofd:Area></ofd:Clip></ofd:Clips></ofd:TextObject>"
    )
    assert later(stamped(50, 85), with_object(clipped), framed(ground=WHITE + b"\xff")) is None


def test_an_earlier_seal_is_not_covered():
    """By no later one, for red upon red writes on; wherever a reader cuts the earlier one."""
    assert later(stamped(120, 230), data=framed(ground=WHITE + b"\xff")) == COVERS
    assert later(stamped(120, 230)) == COVERS


def test_a_seal_of_one_size_says_nothing_of_another():
    """The same pixels are a small seal and a large block."""
    block = png(lambda x, y: RED + (b"\xff" if max(x, y) < 34 else b"\0"))
    small = signed(signed(stamp=stamped(150, 240)), stamp=stamped(20, 80, 10, 10), value=sealed_by(block, 10, 10))
    assert changed(signed(small, stamp=OVER_TEXT, value=sealed_by(block))) == COVERS


def test_what_is_read_through_one_seal_is_not_read_through_two():
    """Two later signers, or one of them twice, over the same print; side by side over it they are lawful."""
    by = sealed_by(drawn())
    one = signed(signed(), stamp=stamped(20, 5), value=by)
    assert changed(signed(one, stamp=stamped(70, 5), value=by)) is None
    assert changed(signed(one, stamp=stamped(30, 5), value=by)) == COVERS
    assert changed(signed(signed(), stamp=stamped(20, 5) + stamped(30, 5), value=by)) == COVERS
    assert changed(signed(signed(), stamp=stamped(80, 80) + stamped(90, 80), value=by)) is None
    white = sealed_by(framed(ground=WHITE + b"\xff"))
    assert changed(signed(signed(), stamp=stamped(80, 80) + stamped(90, 80), value=white)) == COVERS


def test_very_many_objects_and_stamps_take_bounded_work():
    """A page of 60,000 objects that 600 pages show, each with a stamp: beyond a bound it counts as covered."""
    files = with_object(
        "".join(f'<ofd:PathObject ID="{n}" Boundary="{n % 199} 290 1 {n % 7}"/>' for n in range(60_000))
    )
    files[DOCUMENT] = document(*["Pages/Page_0/Content.xml"] * 600)
    stamps = "".join(stamped(80, 80, page=number) for number in range(100, 700))
    begun = time.process_time()
    assert later(stamped(80, 80), files, framed(ground=WHITE + b"\xff")) is None
    assert later(stamps, files, framed(ground=WHITE + b"\xff")) == COVERS
    assert time.process_time() - begun < 20


def test_a_signature_whose_value_nobody_protects_is_no_older_one():
    """Its description is protected, and whoever has a seal signs that anew: his white picture is a later stamp."""
    first = signed(stamp=OVER_TEXT, value=sealed_by(drawn()))
    place = stamped(150, 240)
    both = signed(first, protects=lambda name: not name.endswith("SignedValue.dat"), stamp=place)
    xml, location = both["Doc_0/Signs/Sign_0/Signature.xml"], "/Doc_0/Signs/Sign_0/Signature.xml"
    swapped = {**both, "Doc_0/Signs/Sign_0/SignedValue.dat": sealed_by(framed(ground=WHITE + b"\xff"))(xml, location)}
    assert changed(swapped) == COVERS
    assert changed(signed(first, stamp=place)) is None


def test_nobody_is_named_by_the_list_of_signatures():
    """No signature covers it, so an ID that is a word says nothing."""
    files = signed()
    renamed = {**files, LIST: files[LIST].replace(b'ID="s0"', b'ID="Ministry"')}
    assert [found.name for found in judged(files).signatures] == ["s0"]
    assert [found.name for found in judged(renamed).signatures] == ["Doc_0/Signs/Sign_0/Signature.xml"]
