"""Several signers on one document: fields first, one signature after the other, a closing timestamp."""

import pytest

from services.esign.certification.domain.trust import Trust
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.pdf.appearance import PageDrawing, Picture
from services.esign.domain.verdict import Outcome
from services.esign.seals.pictures import round_seal
from services.esign.signing.domain import multisign
from services.esign.signing.domain.multisign import Field, Lock, LockAction, Permission, Prepared
from tests.support import documents as attack
from tests.support.esign import NOW_US, page, setting, small_pdf
from tests.support.multisign import DOCUMENTS, FIELDS, RED, both, closed, signed
from tests.support.verdicts import judged

LATER_US = NOW_US + 60_000_000
TRUST = Trust((setting().root.certificate,))


def verdict(pdf: bytes):
    return judged(pdf, trust=TRUST, now_us=LATER_US)


def reason(step: str, pdf: bytes) -> str:
    return next(s.reason for s in verdict(pdf).steps if s.step == step)


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_every_stage_of_a_document_with_two_signers_is_valid(document):
    """Own and foreign documents, tables and streams, with a form and without: one signer, two, and closed."""
    prepared = multisign.prepare(DOCUMENTS[document](), FIELDS)
    first = signed(prepared, "甲方")
    for stage in (first, both(document), closed(document)):
        assert verdict(stage).outcome is Outcome.VALID
    names = {f.name: f.signed for f in multisign.fields_of(closed(document))}
    assert (names["甲方"], names["乙方"], names["Timestamp1"]) == (True, True, True)


def test_the_same_arguments_give_the_same_bytes():
    """A step taken again, after a crash say, has the same digest; a step that was kept goes on where it stood."""
    prepared = multisign.prepare(small_pdf(), FIELDS)
    template = setting().seal.cms
    steps = [
        multisign.begin(prepared, "甲方", size=template.max_size, at_us=NOW_US, signer="甲", appearance=RED)
        for _ in range(2)
    ]
    assert steps[0] == steps[1] == Prepared.of(steps[0].pdf)
    assert steps[0].room == template.max_size
    assert verdict(Prepared.of(steps[0].pdf).finish(template.sign(steps[0].digest))).outcome is Outcome.VALID


def test_the_first_signature_certifies_and_says_what_may_follow():
    """P = 2 while others are to sign; P = 1 when nobody is: then nobody can."""
    prepared = multisign.prepare(small_pdf(), FIELDS)
    assert b"/P 2/V/1.2" in signed(prepared, "甲方")
    alone = signed(prepared, "甲方", permission=Permission.NOTHING)
    assert verdict(alone).outcome is Outcome.VALID
    assert verdict(signed(alone, "乙方")).outcome is Outcome.INVALID


def test_a_locked_field_is_not_signed():
    """What the first signer locked, the second cannot sign."""
    fields = (Field("甲方", lock=Lock(LockAction.EXCLUDE, ("乙方",))), Field("乙方"), Field("丙方"))
    first = signed(multisign.prepare(small_pdf(), fields), "甲方", appearance=None)
    with pytest.raises(DocumentUnfitError, match="FIELD_LOCKED"):
        signed(first, "丙方")
    assert verdict(signed(first, "乙方", appearance=None)).outcome is Outcome.VALID


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((), "FIELDS"),
        ((Field("a"), Field("a")), "FIELD_NAME"),
        ((Field("a.b"),), "FIELD_NAME"),
        ((Field(""),), "FIELD_NAME"),
        ((Field("a", 1),), "FIELD_PAGE"),
        ((Field("a", -1),), "FIELD_PAGE"),
        ((Field("a", 0, (10, 10, 300, 60)),), "FIELD_RECTANGLE"),
        ((Field("a", 0, (60, 60, 10, 10)),), "FIELD_RECTANGLE"),
        ((Field("a", lock=Lock(LockAction.INCLUDE, ("b",))),), "LOCK"),
        ((Field("a", lock=Lock(LockAction.INCLUDE)),), "LOCK"),
    ],
)
def test_fields_that_cannot_be_are_refused_by_name(fields, expected):
    """A wrong field is found before anybody signs."""
    with pytest.raises(DocumentUnfitError) as caught:
        multisign.prepare(small_pdf(), fields)
    assert caught.value.reason == expected


def test_what_is_signed_or_hides_something_is_not_prepared():
    """Fields come before signatures; shadow content is refused first."""
    for pdf, expected in (
        (signed(multisign.prepare(small_pdf(), FIELDS), "甲方"), "ALREADY_SIGNED"),
        (attack.foreign(), "ALREADY_SIGNED"),
        (attack.update(small_pdf(), {3: small_page(b"/Rotate 90")}), "SHADOW_SUPERSEDED"),
        (b"hello", "NOT_A_PDF"),
    ):
        with pytest.raises(DocumentUnfitError) as caught:
            multisign.prepare(pdf, FIELDS)
        assert caught.value.reason == expected


def small_page(extra: bytes) -> bytes:
    return b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<<>>%b>>" % extra


def test_a_document_changed_after_signing_is_not_signed_further():
    """Nobody puts a name under what an earlier signer did not see."""
    first = signed(multisign.prepare(small_pdf(), FIELDS), "甲方")
    number = attack.numbers(first, rb"/Type ?/Page\b(?!s)")[0]
    changed = attack.update(first, {number: attack.body(first, number)[:-2] + b"/Rotate 90>>"})
    for work in (lambda: signed(changed, "乙方"), lambda: multisign.close(changed, 4000)):
        with pytest.raises(DocumentUnfitError, match="CHANGED"):
            work()


def test_a_signature_that_does_not_fit_or_is_none_is_refused():
    """The hole takes one CMS in DER, no longer than was foreseen."""
    prepared = multisign.prepare(small_pdf(), FIELDS)
    step = multisign.begin(prepared, "甲方", size=10, at_us=NOW_US, signer="甲")
    for cms, expected in ((setting().seal.cms.sign(step.digest), "SIGNATURE_ROOM"), (b"\0", "SIGNATURE_SYNTAX")):
        with pytest.raises(DocumentUnfitError) as caught:
            step.finish(cms)
        assert caught.value.reason == expected
    for field, expected in (("丙方", "FIELD_UNKNOWN"), ("甲方", "FIELD_SIGNED")):
        with pytest.raises(DocumentUnfitError) as caught:
            signed(signed(prepared, "甲方"), field)
        assert caught.value.reason == expected


def test_seal_pictures_and_pages_are_drawn_in_fields():
    """A seal's PNG as it is made here, and text set by the layout engine, where the page is blank."""
    fields = (Field("甲方", 0, (100, 100, 219, 219)), Field("乙方", 0, (300, 400, 419, 519)))
    prepared = multisign.prepare(page(), fields)
    picture = Picture.of_png(round_seal("呼和浩特市公安局").data)
    drawn = signed(signed(prepared, "甲方", appearance=picture), "乙方", appearance=PageDrawing(page()))
    assert verdict(drawn).outcome is Outcome.VALID


def test_a_picture_that_is_none_is_refused():
    """Damaged, of another kind, or with pixels that do not fit its size."""
    good = round_seal("呼和浩特市公安局").data
    for bad in (b"", b"GIF89a", good[:-20], good[:60] + b"x" + good[61:]):
        with pytest.raises(DocumentUnfitError, match="PICTURE_KIND"):
            Picture.of_png(bad)
    with pytest.raises(DocumentUnfitError, match="PICTURE_SIZE"):
        Picture(3, 3, bytes(12), bytes(4))
