"""Metadata (XMP) that a later signer adds where there were none: nothing may be said of the document by them."""

import zlib
from functools import cache

import pytest

from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.verdict import Outcome, Verdict
from services.esign.revisions.rendering import look
from services.esign.verification.domain import verify
from tests.support import documents as attack
from tests.support.esign import small_pdf
from tests.support.update_bases import XMP
from tests.support.updates import Draft, stream
from tests.support.verdicts import TRUST

_KIND = b"/Type/Metadata/Subtype/XML"
_TITLE = XMP[XMP.index(b"<dc:title>") : XMP.index(b"<xmp:ModifyDate>")]
_OF_THE_SAVE = XMP.replace(_TITLE, b"").replace(b' xmlns:dc="http://purl.org/dc/elements/1.1/"', b"")
# Lets forms be filled in and signed, and nothing else.
_CERTIFIED = b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P 2/V/1.2>>>>]"


def judged(pdf: bytes) -> Verdict:
    return verify.judge(pdf, trust=TRUST, now_us=attack.now_us(), look=look)


def signed_as(draft: Draft, name: bytes, certification: bytes = b"") -> bytes:
    """The update, with a signature in a new field that nobody sees."""
    value = draft.sign(entries=certification)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/V %d 0 R/Rect[0 0 0 0]/F 132>>" % (name, value)
    draft.put_field(draft.add(field), 0)
    if certification:
        draft.root()["Perms"] = {"DocMDP": Ref((value, 0))}
    return draft.finished()


@cache
def first(certification: bytes = b"") -> bytes:
    """Signed by a maker that writes no metadata."""
    return signed_as(Draft(small_pdf()), b"First", certification)


def with_metadata(body: bytes, certification: bytes = b"") -> bytes:
    """A second signature, which brings the stream."""
    draft = Draft(first(certification))
    draft.root()["Metadata"] = Ref((draft.add(body), 0))
    return signed_as(draft, b"Second")


def test_pyhanko_signs_a_document_of_another_maker_that_has_no_metadata() -> None:
    """The second signer's library writes when and by what it saved, in a stream of its own: both signatures are VALID."""
    second = attack.foreign_sign(first(), "Second")
    assert b"/Metadata" not in first()
    assert b"/Metadata" in second
    found = judged(second)
    assert (found.outcome, found.step("changes").reason) == (Outcome.VALID, "SIGNED_ONLY")


@pytest.mark.parametrize(
    "body",
    [stream(_OF_THE_SAVE, _KIND), stream(zlib.compress(_OF_THE_SAVE), _KIND + b"/Filter/FlateDecode")],
    ids=["plain", "packed"],
)
def test_metadata_of_the_save_alone_are_let(body: bytes) -> None:
    """Producer and times, plain or packed, say nothing of the document."""
    assert judged(with_metadata(body)).outcome is Outcome.VALID


@pytest.mark.parametrize(
    "body",
    [
        stream(XMP, _KIND),
        stream(
            _OF_THE_SAVE.replace(b"<pdf:Producer>maker", b"<pdf:Title>Forged</pdf:Title><pdf:Producer>maker"), _KIND
        ),
        stream(_OF_THE_SAVE.replace(b"<pdf:Producer>maker</", b"<pdf:Producer><pdf:Title>Forged</pdf:Title></"), _KIND),
        stream(_OF_THE_SAVE.replace(b"<x:xmpmeta", b'<x:xmpmeta xmlns:q="http://purl.org/dc/elements/1.1/"'), _KIND),
        stream(_OF_THE_SAVE + b"<!-- a comment -->", _KIND),
    ],
    ids=["title", "title of pdf", "title in the producer", "prefix of titles", "comment"],
)
def test_metadata_that_may_say_more_leave_the_verdict_open(body: bytes) -> None:
    """A title that a reader may show, or what cannot be read: INDETERMINATE, with a sentence of its own."""
    found = judged(with_metadata(body))
    assert (found.outcome, found.step("changes").reason) == (Outcome.INDETERMINATE, "CHANGED_BETWEEN")
    assert "增加了描述文件的元数据" in found.step("changes").zh


@pytest.mark.parametrize(
    "body",
    [
        stream(_OF_THE_SAVE, b"/Type/XObject/Subtype/Form"),
        stream(_OF_THE_SAVE, _KIND + b"/Resources 2 0 R"),
        stream(zlib.compress(_OF_THE_SAVE), _KIND + b"/Filter[/FlateDecode]"),
    ],
    ids=["none", "with resources", "packed oddly"],
)
def test_streams_that_are_more_than_metadata_are_changes(body: bytes) -> None:
    """What readers may take for something else, or unpack otherwise, is no metadata: never VALID, and INVALID where a
    certification forbids changes.
    """
    assert judged(with_metadata(body)).outcome is Outcome.INDETERMINATE
    assert judged(with_metadata(body, _CERTIFIED)).outcome is Outcome.INVALID


def test_a_title_inside_the_producer_is_a_change_of_standing_metadata() -> None:
    """Entries that may differ are texts: a title hidden in one of them is found, where titles were named before."""
    base = Draft(small_pdf())
    number = base.add(stream(XMP, _KIND))
    base.root()["Metadata"] = Ref((number, 0))
    draft = Draft(signed_as(base, b"First"))
    draft.bodies[number] = stream(XMP.replace(b">maker<", b"><dc:title>Forged</dc:title><"), _KIND)
    assert judged(signed_as(draft, b"Second")).step("changes").reason == "CHANGED_BETWEEN"
