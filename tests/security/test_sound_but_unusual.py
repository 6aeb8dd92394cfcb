"""Sound signatures of other forms than this hub writes: what it does not read so is left open, and never called wrong."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pyhanko.sign.fields import MDPPerm

from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain.cms.signed_data import CmsTemplate, P256Key
from services.esign.domain.verdict import Outcome
from shuniu.kit.crypto import sm as provider
from tests.support import documents as attack
from tests.support import gapped, ofd
from tests.support.foreign_cms import usage
from tests.support.gapped import ROOM, Layout, says
from tests.support.verdicts import TRUST, judged


def said(pdf, trust=TRUST):
    """The outcome, and the reasons of what is wrong or open."""
    verdict = judged(pdf, trust=trust, now_us=attack.now_us())
    first = [step.reason for step in verdict.steps if step.status.value in {"invalid", "unknown"}][:1]
    return verdict.outcome, *first


def laid_out():
    made = Layout()
    made.usual()
    made.add(4, says(b"The debt is paid"))
    made.add(6, gapped.FIELD % 7)
    return made


def as_usual():
    made, place = gapped.in_one_piece()
    return made.signed(place)


def unlisted():
    made, place = gapped.in_one_piece(form=gapped.FORM.replace(b"[6 0 R]", b"[]"))
    return made.signed(place)


def literal():
    """/Contents as a string in brackets, every byte of it escaped."""
    made = laid_out()
    place = made.signature(7)
    made.finish(place)
    content = bytes(made.data)
    octets = gapped.value_over(content).ljust(ROOM // 4, b"\0")
    assert len(octets) * 4 == ROOM
    return content[:place] + b"(" + b"".join(b"\\%03o" % each for each in octets) + b")" + content[place:]


def without_brackets():
    """The gap is between the brackets, which are signed."""
    made = laid_out()
    place = made.signature(7)
    made.data[place:place] = b"<>"
    made.finish(place + 1, ROOM)
    content = bytes(made.data)
    digits = gapped.value_over(content).hex().encode().ljust(ROOM, b"0")
    return content[: place + 1] + digits + content[place + 1 :]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (as_usual, (Outcome.VALID,)),
        (unlisted, (Outcome.INDETERMINATE, "SIGNATURE_UNLISTED")),
        (literal, (Outcome.INDETERMINATE, "CONTENTS")),
        (without_brackets, (Outcome.INDETERMINATE, "BYTE_RANGE")),
        (lambda: as_usual() + b"\x1a", (Outcome.INDETERMINATE, "PADDED")),
        (lambda: as_usual() + bytes(3000), (Outcome.INDETERMINATE, "PADDED")),
        (lambda: as_usual() + b"\r\n", (Outcome.VALID,)),
    ],
    ids=["usual", "unlisted", "literal", "no-brackets", "dos", "block", "line-end"],
)
def test_what_other_readers_call_sound_is_not_called_wrong(made, expected):
    """A field that no list has, other spellings of the value, and what transport and storage put behind a file."""
    assert said(made()) == expected


def test_a_line_end_behind_a_certified_document_is_not_called_wrong():
    """Mail adds one; it is nothing that was signed, and shows nothing."""
    certified = attack.foreign_sign(attack.with_form(), certify=MDPPerm.FILL_FORMS)
    assert said(certified) == (Outcome.VALID,)
    assert said(certified + b"\r\n") == (Outcome.INDETERMINATE, "PADDED")
    assert said(certified + b"hello")[0] is Outcome.INVALID


@pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")
@pytest.mark.parametrize(
    ("name", "tail", "reason"),
    [
        (lambda name: name.replace("/", "\\"), b"", "NAME_UNSAFE"),
        (lambda name: "./" + name, b"", "NAME_UNSAFE"),
        (lambda name: "/" + name, b"", "NAME_UNSAFE"),
        (lambda name: name, b"\n", "PACKAGE_BROKEN"),
        (lambda name: name, bytes(16), "PACKAGE_BROKEN"),
        (lambda name: name, b"", None),
    ],
)
def test_a_package_that_was_packed_unusually_is_not_called_wrong(name, tail, reason):
    """Names as some packers write them, and padding behind the end."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in ofd.signed().items():
            entry = zipfile.ZipInfo("x", (2026, 6, 1, 12, 0, 0))
            entry.filename, entry.compress_type = name(each), zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    verdict = ofd.judged(kept.getvalue() + tail)
    assert verdict.outcome is (Outcome.INDETERMINATE if reason else Outcome.VALID)
    assert ofd.reasons(verdict).get("parse") == reason


def issued(subject, issuer, key, by, *, length=None, authority=True):
    """A certificate of the names and keys given."""

    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    begin = datetime(2026, 1, 1, tzinfo=UTC)
    uses = ("key_cert_sign", "crl_sign") if authority else ("digital_signature",)
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=3000))
        .add_extension(x509.BasicConstraints(authority, length if authority else None), True)
        .add_extension(usage(**dict.fromkeys(uses, True)), True)
        .sign(by, hashes.SHA256())
    )


@pytest.mark.parametrize(("below", "expected"), [("CA", Outcome.VALID), ("Other CA", None)])
def test_a_renewed_key_is_no_further_authority(below, expected):
    """An authority's certificate for its own new key does not count into the length of the path (RFC 5280, 6.1.4)."""
    root_key, old, new, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
    root = issued("Root", "Root", root_key, root_key, length=1)
    authority = issued("CA", "Root", old, root_key, length=0)
    renewed = issued(below, "CA", new, old, length=0)
    signer = issued("Signer", below, own, new, authority=False)
    der = [pki.certificate_der(each) for each in (signer, renewed, authority)]
    cms = CmsTemplate.prepare(P256Key(own), der[0], der[1:])
    made, place = gapped.in_one_piece()
    content = bytes(made.data)
    pdf = gapped.with_value(content, place, cms.sign(sha256(content).digest()))
    found = said(pdf, Trust((root,)))
    assert found[0] is expected if expected else found[0] is not Outcome.VALID
